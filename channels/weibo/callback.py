"""Where Weibo's message service (粉丝服务平台) calls: GET proves that the address is ours, POST brings a message.

Weibo waits 5 s and tries up to three times more. An empty answer means taken; so what was not accepted gets a 503.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import structlog
from aiohttp import web

from channels import problem
from channels.alerts import alerted
from channels.buckets import Buckets
from channels.contract import SIGNED, Host
from channels.social.receipt import received
from channels.social.signed import Freshness, any_same, signed
from channels.weibo.documents import push_digest, push_raw_of, read
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Inbound, Raw

log = structlog.get_logger(__name__)

PATH: Final = "/api/v1/weibo/callback"
BODY_MAX: Final = 64 * 1024
TOLERANCE: Final = 600.0
"""Seconds between Weibo's clock and ours."""
NO_SECRET: Final = 30.0
_LOGGED: Final = 20
"""Refusals a minute that are logged: anybody can send wrong ones."""
_TIMESTAMP: Final = re.compile(r"[0-9]{1,15}")
_WORD: Final = re.compile(r"[!-~]{1,128}")
_MILLISECONDS: Final = 10**11
"""Above: milliseconds. As seconds it would be the year 5138."""


class RefusedError(Exception):
    """HTTP's own refusal, before anything is parsed or accepted."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


class Callback:
    """GET and POST of `PATH`. `secret_file`: the App Secret, more than one line while it is changed."""

    def __init__(self, host: Host, secret_file: Path, parse: Callable[[Raw], Inbound]) -> None:
        self._host = host
        self._secret_file = secret_file
        self._parse = parse
        self._freshness = Freshness(TOLERANCE)
        self._noise = Buckets(burst=_LOGGED, per_minute=_LOGGED, size=64)

    def register(self) -> None:
        """Add the routes."""
        self._host.route("GET", PATH, self.confirm, SIGNED)
        self._host.route("POST", PATH, self.receive, SIGNED)

    async def confirm(self, request: web.Request) -> web.StreamResponse:
        """Repeats `echostr` to who knows the secret."""

        async def confirming() -> web.Response:
            await self._admit(request)
            word = request.query.get("echostr", "")
            if not _WORD.fullmatch(word):
                raise RefusedError(HTTPStatus.BAD_REQUEST, "echostr_invalid", "There is no echostr to repeat.")
            log.info("weibo_callback_confirmed")
            return web.Response(text=word, headers={"X-Content-Type-Options": "nosniff"})

        return await self._guarded(confirming)

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """200 with the answer for the citizen; 401 or 403: not proved to be Weibo's message; 422: no message."""

        async def receiving() -> web.Response:
            await self._admit(request)
            return await self._take(request, await _body(request))

        return await self._guarded(receiving)

    async def _guarded(self, work: Callable[[], Awaitable[web.Response]]) -> web.StreamResponse:
        async def answer() -> web.Response:
            try:
                return await work()
            except RefusedError as error:
                self._note(error.code)
                return problem.problem(error.status, error.code, error.detail)
            except Rejected as error:
                self._note(error.code)
                raise

        return await problem.answer(answer())

    def _note(self, code: str) -> None:
        """For the operator: the sender is a program, and nobody reads what it is told."""
        if not self._noise.take(code):
            log.warning("weibo_push_refused", code=code)

    async def _admit(self, request: web.Request) -> None:
        """Raises RefusedError, TryAgain: the secret cannot be read."""
        query = request.query
        timestamp, nonce, given = (query.get(name, "") for name in ("timestamp", "nonce", "signature"))
        if not (_TIMESTAMP.fullmatch(timestamp) and _WORD.fullmatch(nonce) and _WORD.fullmatch(given)):
            raise _wrong()
        if not any_same(given.lower(), [signed(secret, timestamp, nonce) for secret in await self._secrets()]):
            raise _wrong()
        moment = int(timestamp) / (1000 if int(timestamp) > _MILLISECONDS else 1)
        if self._freshness.stale(moment):
            raise RefusedError(HTTPStatus.FORBIDDEN, "signature_stale", "The signature is too old, or of the future.")

    async def _secrets(self) -> list[str]:
        try:
            text = await asyncio.to_thread(self._secret_file.read_text, "utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self._no_secret(type(error).__name__) from None
        if not (secrets := [line.strip() for line in text.splitlines() if line.strip()]):
            raise self._no_secret("empty")
        return secrets

    def _no_secret(self, why: str) -> TryAgain:
        """Nobody's message may be lost for that: Weibo sends it again."""
        if not self._noise.take("secret_unreadable"):
            log.error("weibo_secret_unreadable", file=str(self._secret_file), error=why)
        return TryAgain(NO_SECRET, "the App Secret cannot be read")

    async def _take(self, request: web.Request, body: bytes) -> web.Response:
        """Raises Rejected, or TryAgain: nothing was accepted."""
        message = read(body)
        if not isinstance(message, dict):
            raise Rejected("not_an_object", "A message is a JSON object.")
        if self._freshness.replayed(request.query["timestamp"], request.query["nonce"], push_digest(message)):
            raise RefusedError(HTTPStatus.FORBIDDEN, "signature_replayed", "This signature came with another message.")
        raw = push_raw_of(message, datetime.now(UTC))
        try:
            inbound = self._parse(raw)
        except Rejected as error:
            if error.code in ("event", "own_post"):  # they open no ticket, and Weibo need not send them again
                return _taken()
            raise
        except Exception as error:  # ours, so the citizen's message is kept: it is parsed again behind the spool
            log.error("weibo_parse_failed", error=type(error).__name__)
            inbound = None
        receipt = await self._host.accept(raw)
        if inbound is None or message.get("type") == "mention":  # what was said in public is answered by the worker
            return _taken()
        return _passive(message, received(alerted(receipt, inbound), inbound))


def _taken() -> web.Response:
    """Empty: Weibo does not send it again, and tells the citizen nothing."""
    return web.Response(headers={"Cache-Control": "no-store"})


def _passive(message: dict[str, Any], text: str) -> web.Response:
    """The answer within the callback (被动响应)."""
    answer = {
        "result": True,
        "sender_id": message.get("receiver_id"),
        "receiver_id": message.get("sender_id"),
        "type": "text",
        "data": quote(json.dumps({"text": text}, ensure_ascii=False), safe=""),
    }
    return web.json_response(answer, headers={"Cache-Control": "no-store"})


async def _body(request: web.Request) -> bytes:
    too_large = RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"A message may have {BODY_MAX} bytes at most."
    )
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > BODY_MAX:
                raise too_large
    except web.RequestPayloadError:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "body_unreadable", "The body broke off.") from None
    return bytes(body)


def _wrong() -> RefusedError:
    return RefusedError(HTTPStatus.UNAUTHORIZED, "signature_invalid", "The request is not signed by this app's secret.")
