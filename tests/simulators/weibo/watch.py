"""How our poller behaves: its calls in any window, and whether two of them are ever under way at once.

May not refuse anything: Weibo would not.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from tests.simulators.clocks import Clock, Limit, Meter
from tests.simulators.faults import Handler

POLLED: Final = frozenset(
    {
        "/2/statuses/mentions.json",
        "/2/comments/mentions.json",
        "/2/comments/to_me.json",
        "/2/statuses/show_batch.json",
    }
)
"""What nobody calls but a poller."""


class Watch:
    """`two_at_once`: calls that came while another one's client still waited for its answer."""

    def __init__(self, clock: Clock, limit: Limit) -> None:
        self.calls = Meter(clock, limit)
        self.two_at_once = 0
        self._waiting: list[web.Request] = []

    async def see(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let it through, and remember it."""
        if request.path not in POLLED:
            return await handler(request)
        self.calls.take()
        self.two_at_once += any(_is_there(one) for one in self._waiting)
        self._waiting.append(request)
        try:
            return await handler(request)
        finally:
            self._waiting.remove(request)

    def counts(self) -> dict[str, Any]:
        return self.calls.counts() | {"two_at_once": self.two_at_once}


def _is_there(request: web.Request) -> bool:
    """A client that was killed, or lost its patience, waits no more."""
    return request.transport is not None and not request.transport.is_closing()
