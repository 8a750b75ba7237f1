"""The bad days of a platform: a seeded share of its answers fails, each in one of the ways servers fail.

May not know a platform: what its "busy" looks like is told.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

KINDS: Final = ("busy", "html", "hang", "slow", "reset", "truncated")
"""`busy`: the platform's own error; `html`: 502 of something before it; `hang`: no answer; `slow`: a good one, late;
`reset`: the connection breaks; `truncated`: an answer that ends in the middle. `… after`: what was asked is done
first."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Faults:
    """What the next requests meet. `next` goes first, one each ("" for a good one): `reset`, `html after`, …"""

    share: float = 0.0
    kinds: Sequence[str] = KINDS
    seed: int = 0
    hang: float = 30.0
    slow: float = 2.0
    next: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def draw(self, method: str) -> str:
        """What this request meets; "" is nothing. Half of the failing POSTs have taken effect."""
        if self.next:
            kind = self.next.pop(0)
        elif self._dice.random() >= self.share:
            return ""
        else:
            kind = self._dice.choice(list(self.kinds))
            if method == "POST" and self._dice.random() < 0.5:
                kind += " after"
        if kind:
            self.met[kind] += 1
        return kind

    async def spoil(
        self,
        kind: str,
        request: web.Request,
        handler: Handler,
        busy: Callable[[web.Request], web.Response],
        closing: asyncio.Event,
    ) -> web.StreamResponse:
        """Answer `request` in the way of `kind`."""
        how, _, after = kind.partition(" ")
        answer = await handler(request) if after or how == "truncated" else None
        match how:
            case "busy":
                return busy(request)
            case "html":
                return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
            case "truncated":
                assert isinstance(answer, web.Response)
                whole = answer.body
                assert isinstance(whole, bytes)
                return web.Response(status=answer.status, body=whole[: len(whole) // 2], headers=_kind_of(answer))
            case "slow":
                await _either(closing.wait(), self.slow)
                return answer or await handler(request)
            case "hang":
                await _either(closing.wait(), self.hang)
            case "reset":
                pass
            case _:
                raise ValueError(f"no such fault: {kind}")
        assert request.transport is not None
        request.transport.abort()
        return web.Response(status=500)


def _kind_of(answer: web.Response) -> dict[str, str]:
    return {"Content-Type": answer.headers.get("Content-Type", "application/json")}


async def _either(event: Awaitable[object], seconds: float) -> None:
    try:
        await asyncio.wait_for(event, seconds)
    except TimeoutError:
        return
