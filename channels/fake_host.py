"""A host for tests: a real HTTP server on a free loopback port, an accept that holds, refuses or fails.

May not keep anything beyond its own life. Part of the conformance kit (`channels.testing`).
"""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from aiohttp import web

from channels.contract import Handler
from normalizer.errors import Rejected
from normalizer.identity import number, receipt_code, ticket_id
from normalizer.ticket import Raw, Receipt

SECRET = b"a secret of tests"
HOURS = timedelta(hours=8)


class FakeHost:
    """Implements `channels.contract.Host`.

    `taken`: what was accepted, by ticket id. `outcomes`: what the next accepts raise, one each (None: take);
    `otherwise`: what later ones raise. `arrived`, `raised`, `saved`, `routed`: set when a submission
    reached accept, when accept raised, when a cursor was saved, with the first route. `answers`: bodies sent.
    """

    def __init__(self) -> None:
        self.public_url = ""
        self.caller = "tester"
        self.taken: dict[str, Raw] = {}
        self.outcomes: deque[Exception | None] = deque()
        self.otherwise: Exception | None = None
        self.cursor: str | None = None
        self.answers: list[bytes] = []
        self.arrived, self.raised, self.saved, self.routed = (asyncio.Event() for _ in range(4))
        self._open = asyncio.Event()
        self._open.set()
        self._routes: list[tuple[str, tuple[str, ...], Handler]] = []
        self._tasks: set[asyncio.Task[object]] = set()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.public_url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        if self._runner is not None:
            await self._runner.cleanup()

    def hold(self) -> None:
        """From now on accept does not return."""
        self._open.clear()

    def release(self) -> None:
        """What is held goes on."""
        self._open.set()

    def tasks(self) -> set[asyncio.Task[object]]:
        """The tasks that serve requests: they are the host's, not the channel's."""
        return self._tasks

    async def accept(self, raw: Raw) -> Receipt:
        """Takes `raw`; the same source id again is a duplicate, or Rejected when its digest differs."""
        self.arrived.set()
        await self._open.wait()
        outcome = self.outcomes.popleft() if self.outcomes else self.otherwise
        if outcome is not None:
            self.raised.set()
            raise outcome
        ticket = ticket_id(raw.channel, raw.source_id)
        before = self.taken.setdefault(ticket, raw)
        if before.meta.get("digest") != raw.meta.get("digest"):
            raise Rejected("conflict", "The same submission was accepted with other content.")
        own = number(raw.received_at.date(), 0, list(self.taken).index(ticket) + 1)
        return Receipt(
            ticket_id=ticket,
            number=own,
            code=receipt_code(ticket, SECRET),
            status_url=f"{self.public_url}/t/{own}",
            duplicate=before is not raw,
        )

    async def load_cursor(self) -> str | None:
        return self.cursor

    async def save_cursor(self, cursor: str) -> None:
        self.cursor = cursor
        self.saved.set()

    def route(self, method: str, path: str, handler: Handler, scope: str | None = None) -> None:
        """Serves the path whatever the scope: tokens are the gateway's."""
        self._routes.append((method, tuple(path.split("/")), handler))
        self.routed.set()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        segments = tuple(unquote(segment) for segment in request.rel_url.raw_path.split("/"))
        for method, shape, handler in self._routes:
            found = _match(shape, segments)
            if method == request.method and found is not None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", web.NotAppKeyWarning)  # the contract's keys are plain words
                    request["path"], request["caller"] = found, self.caller
                return self._kept(await handler(request))
        return web.Response(status=404)

    def _kept(self, response: web.StreamResponse) -> web.StreamResponse:
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            self.answers.append(response.body)
        return response


def _match(shape: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    if len(shape) != len(segments):
        return None
    found = {}
    for slot, segment in zip(shape, segments, strict=True):
        if slot.startswith("{"):
            found[slot[1:-1]] = segment
        elif slot != segment:
            return None
    return found
