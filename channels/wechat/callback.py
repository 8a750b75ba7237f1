"""The callback that WeChat calls: GET proves that the address is ours, POST brings a message and takes the answer.

WeChat waits 5 s and tries up to three times more; then it tells the citizen itself that we cannot be reached. So a
message that was not accepted is answered 503, never with words: which try is the last one nobody knows.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web

from channels import problem
from channels.alerts import alerted
from channels.buckets import Buckets
from channels.contract import SIGNED, Host
from channels.social.pictures import Limits, Pictures
from channels.social.receipt import received
from channels.wechat import passive
from channels.wechat.config import WechatConfig
from channels.wechat.documents import JSON, XML, enveloped
from channels.wechat.message import Message
from channels.wechat.parse import CHANNEL, VERIFIED, parse
from channels.wechat.verify import Proved, RefusedError, Verifier
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Raw

log = structlog.get_logger(__name__)

PATH: Final = "/api/v1/wechat/callback"
_LOGGED: Final = 20
"""Refusals a minute that are logged: anybody can send wrong ones."""


class Callback:
    """GET and POST of `PATH`. Neither token nor rate limit stands before it: all of WeChat comes from a few
    addresses."""

    def __init__(self, host: Host, config: WechatConfig) -> None:
        self._host = host
        self._config = config
        self._zone = ZoneInfo(config.timezone)
        self._verifier = Verifier(config)
        self._pictures = Pictures(
            config.picture_hosts,
            config.allow_private,
            Limits(
                size=config.picture_bytes,
                total=config.picture_bytes,
                count=1,
                seconds=config.picture_seconds,
                total_seconds=config.picture_seconds,
            ),
        )
        self._noise = Buckets(burst=_LOGGED, per_minute=_LOGGED, size=64)

    def register(self) -> None:
        """Add the routes."""
        self._host.route("GET", PATH, self.confirm, SIGNED)
        self._host.route("POST", PATH, self.receive, SIGNED)

    async def confirm(self, request: web.Request) -> web.StreamResponse:
        """Repeats `echostr` to who knows the token."""
        try:
            word = self._verifier.echo(dict(request.query))
        except RefusedError as error:
            return self._refused(error)
        except TryAgain as error:
            return problem.try_again(error)
        log.info("wechat_callback_confirmed")
        return _plain(word.encode())

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """200 with the answer for the citizen; 401 or 403: not proved to be WeChat's message; 422: no message."""
        try:
            signature = self._verifier.admit(dict(request.query))
            body = await _body(request, self._config.max_bytes)
        except RefusedError as error:
            return self._refused(error)
        except TryAgain as error:
            return problem.try_again(error)
        except web.RequestPayloadError:
            return problem.problem(HTTPStatus.BAD_REQUEST, "body_unreadable", "The body broke off.")

        async def taking() -> web.Response:
            try:
                return await self._take(self._verifier.prove(signature, body))
            except RefusedError as error:
                return self._refused(error)
            except Rejected as error:
                self._note(error.code)
                raise

        return await problem.answer(taking())

    async def _take(self, proved: Proved) -> web.Response:
        """Raises Rejected, or TryAgain: nothing was accepted."""
        message = proved.message
        if message.is_event:
            return self._event(message, proved)
        raw = Raw(
            channel=CHANNEL,
            source_id=message.source_id,
            received_at=datetime.now(UTC),
            body=proved.body,
            content_type=XML,
            meta={VERIFIED: proved.how, "digest": message.digest},
        )
        inbound = parse(raw, self._zone)
        receipt = await self._host.accept(await self._with_picture(raw, message))
        return self._answer(proved, received(alerted(receipt, inbound), inbound))

    async def _with_picture(self, raw: Raw, message: Message) -> Raw:
        """The picture comes now or not at all: its address is good for a while only."""
        url = message.field("PicUrl")
        if message.kind != "image" or not url:
            return raw
        fetched = await self._pictures.fetch([url])
        return replace(raw, body=enveloped(raw.body, fetched), content_type=JSON)

    def _event(self, message: Message, proved: Proved) -> web.Response:
        """Events open no ticket. Who follows the account is told how to write; what did not arrive is logged under the
        name that its sending has in the ticket's events."""
        if message.event == "subscribe":
            return self._answer(proved, passive.welcome())
        if message.event == "templatesendjobfinish" and message.field("Status") != "success":
            job = message.field("MsgID")
            reference = f"template:{job}" if job.isascii() and job.isdigit() else None
            log.warning("wechat_template_not_delivered", reference=reference)
        return _plain(passive.SUCCESS)

    def _answer(self, proved: Proved, text: str) -> web.Response:
        body = passive.answer(proved.message, text, proved.seal)
        return web.Response(body=body, content_type=XML, charset="utf-8", headers={"Cache-Control": "no-store"})

    def _refused(self, error: RefusedError) -> web.Response:
        self._note(error.code)
        return problem.problem(error.status, error.code, error.detail)

    def _note(self, code: str) -> None:
        """For the operator: the sender is a program, and nobody reads what it is told."""
        if not self._noise.take(code):
            log.warning("wechat_refused", code=code)


def _plain(body: bytes) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=body, content_type="text/plain", charset="utf-8", headers=headers)


async def _body(request: web.Request, limit: int) -> bytes:
    """The exact body; what is too large is not read to its end."""
    too_large = RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"A message may have {limit} bytes at most."
    )
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)
