"""A vendor of text messages on loopback: an HTTP API with a key, limits, error codes, bad days, and a memory by id."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

KEY = "vendor-key"


@dataclass
class Message:
    """One message that reached a telephone."""

    to: str
    text: str
    id: str


@dataclass
class Vendor:
    """POST /send with JSON {to, text, id}; answers {"code": "0", "message_id": …}, or a code: `limit` (too many to one
    number), `busy`, `blocked`, `bad_number`, `key`, `twice`.

    `mood`: what the next requests meet, one each, then all is well: `busy`, `500`, `500 but sent`, `429`, `break`,
    `break but sent`, `slow but sent`, `lie` (says yes, sends nothing), `html`, `302`. `knows_ids`: an id is sent once.
    """

    per_number: int = 100
    knows_ids: bool = False
    blocked: set[str] = field(default_factory=set)
    mood: list[str] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    asked: int = 0
    url: str = ""
    slow: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/send", self._send)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/send"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.slow.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _send(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"code": "key"}, status=401)
        asked = await request.json()
        message = Message(asked["to"], asked["text"], asked["id"])
        mood = self.mood.pop(0) if self.mood else ""
        if mood.endswith("but sent"):
            self._deliver(message)
        return await self._moody(request, mood) or self._answer(message)

    async def _moody(self, request: web.Request, mood: str) -> web.Response | None:
        match mood.removesuffix(" but sent"):
            case "busy":
                return web.json_response({"code": "busy"})
            case "500":
                return web.json_response({"code": "oops"}, status=500)
            case "429":
                return web.json_response({"code": "busy"}, status=429, headers={"Retry-After": "7"})
            case "break":
                assert request.transport is not None
                request.transport.abort()
            case "slow":
                await self.slow.wait()
            case "lie":
                return web.json_response({"code": "0", "message_id": "never"})
            case "html":
                return web.Response(text="<html>Welcome</html>", content_type="text/html")
            case "302":
                return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})
        return None

    def _answer(self, message: Message) -> web.Response:
        if message.to in self.blocked:
            return web.json_response({"code": "blocked"})
        if not message.to.startswith("+"):
            return web.json_response({"code": "bad_number", "said": message.to})
        if self.knows_ids and message.id in {one.id for one in self.sent}:
            return web.json_response({"code": "twice"})
        if Counter(one.to for one in self.sent)[message.to] >= self.per_number:
            return web.json_response({"code": "limit"})
        self._deliver(message)
        return web.json_response({"code": "0", "message_id": f"m{len(self.sent)}"})

    def _deliver(self, message: Message) -> None:
        if not (self.knows_ids and message.id in {one.id for one in self.sent}):
            self.sent.append(message)


def block(url: str, secret_file: str, **settings: object) -> dict[str, object]:
    """The block `channels.sms` for this vendor."""
    return {
        "url": url,
        "headers": {"Authorization": "Bearer {secret}"},
        "json": {"to": "{to}", "text": "{text}", "id": "{id}"},
        "secret_file": secret_file,
        "answers": {
            "code": "code",
            "accepted": ["0"],
            "duplicate": ["twice"],
            "temporary": ["busy", "limit"],
            "not_allowed": ["blocked"],
            "reference": "message_id",
        },
        "allow_private": ["127.0.0.0/8"],
        "timeout": 5,
    } | settings
