"""POST /api/v1/calls: one call a request, or NDJSON for many with one answer a line.

May not repeat what was said, in an answer or in a log; may not hold more than a few calls of a stream at once.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from aiohttp import web

from channels import problem
from channels.alerts import AlertReceipt, alerted
from channels.contract import Host
from channels.idempotency import key_of
from channels.phone.config import PhoneConfig
from channels.phone.lines import Line, answer_in_order, lines_of
from channels.phone.parse import Site, Understood, understand
from normalizer.errors import Rejected

NDJSON: Final = "application/x-ndjson"
SCOPE: Final = "submit:phone"
LARGE: Final = 128 * 1024
"""Bytes from which a transcript is parsed in a thread: below, the hop costs more than the parsing."""


class Calls:
    """Takes calls from holders of a token with the scope `submit:phone`. `?format=` names the format."""

    def __init__(self, host: Host, config: PhoneConfig, site: Site) -> None:
        self._host = host
        self._limit = config.max_bytes
        self._site = site

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """201 with the receipt, 200 for a duplicate; an NDJSON stream is answered line by line."""
        try:
            key = key_of(request)
        except Rejected as error:
            return problem.rejected(error)
        if request.content_type == NDJSON:
            return await self._stream(request, key)
        try:
            body = await _body(request, self._limit)
        except web.RequestPayloadError:
            return problem.problem(HTTPStatus.BAD_REQUEST, "body_unreadable", "The body broke off.")
        if body is None:
            detail = f"A call may have {self._limit} bytes at most."
            return problem.problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)
        return await problem.answer(self._answer(request, body, key))

    async def _answer(self, request: web.Request, body: bytes, key: str | None) -> web.Response:
        receipt = await self._take(body, _named(request), f"key:{key}" if key else uuid4().hex)
        return web.Response(
            status=HTTPStatus.OK if receipt.duplicate else HTTPStatus.CREATED,
            body=receipt.model_dump_json().encode(),
            content_type="application/json",
            headers={"Location": receipt.status_url, "Cache-Control": "no-store"},
        )

    async def _take(self, body: bytes, named: str | None, otherwise: str) -> AlertReceipt:
        """Raises Rejected, or TryAgain: nothing was accepted."""
        understood = await self._understood(body, named)
        raw = understood.raw(body, named, otherwise, datetime.now(UTC))
        return alerted(await self._host.accept(raw), understood.inbound)

    async def _understood(self, body: bytes, named: str | None) -> Understood:
        if len(body) < LARGE:
            return understand(body, named, self._site)
        return await asyncio.to_thread(understand, body, named, self._site)

    async def _stream(self, request: web.Request, key: str | None) -> web.StreamResponse:
        """Every line is a submission of its own: one that is refused does not stop the next."""
        named = _named(request)
        response = web.StreamResponse(headers={"Content-Type": NDJSON, "Cache-Control": "no-store"})
        await response.prepare(request)

        async def take(line: Line) -> AlertReceipt:
            return await self._take(line.body, named, f"key:{key}:{line.number}" if key else uuid4().hex)

        async with aclosing(answer_in_order(lines_of(request.content.iter_any(), self._limit), take)) as answers:
            async for answer in answers:
                await response.write(answer)
        await response.write_eof()
        return response


def _named(request: web.Request) -> str | None:
    return request.query.get("format")


async def _body(request: web.Request, limit: int) -> bytes | None:
    """The exact body; None as soon as it is known to be too large: the rest is not read."""
    if (request.content_length or 0) > limit:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
    return b"".join(chunks)
