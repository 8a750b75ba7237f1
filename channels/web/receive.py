"""From an HTTP request to an accepted submission: the steps that the form and the API share.

May not answer: what is wrong is raised, and the caller says it in its own way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from http import HTTPStatus
from uuid import uuid4

from aiohttp import web

from channels.alerts import AlertReceipt, alerted
from channels.contract import Host
from channels.idempotency import key_of
from channels.web.bodies import MULTIPART, essence
from channels.web.config import WebConfig
from normalizer.ticket import Inbound, Raw

_LARGE = 256 * 1024
"""Bytes from which a body is parsed in a thread: below, the hop costs more than the parsing."""


class TransportError(Exception):
    """HTTP itself refuses the request, before anything is parsed."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


async def read(request: web.Request, allowed: Collection[str], config: WebConfig) -> tuple[bytes, str]:
    """The exact body and its content type.

    Raises:
        TransportError: 415 when the content type is none of `allowed`, 413 as soon as the body is known to be
            too large (the rest is not read), 400 when the transfer breaks or cannot be decompressed.
    """
    content_type = request.headers.get("Content-Type", "")
    media_type = essence(content_type)
    if media_type not in allowed or not content_type.isascii():
        raise TransportError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "content_type_unknown",
            f"Send one of {', '.join(sorted(allowed))}.",
        )
    limit = config.max_json_bytes + (config.attachments.max_total if media_type == MULTIPART else 0)
    try:
        return await _body(request, limit), content_type
    except web.RequestPayloadError as error:
        raise TransportError(HTTPStatus.BAD_REQUEST, "body_unreadable", "The body broke off.") from error


async def _body(request: web.Request, limit: int) -> bytes:
    too_large = TransportError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"The body may have {limit} bytes at most."
    )
    if (request.content_length or 0) > limit:
        raise too_large
    if request.content.is_eof():  # it came together with its head: no need to wait for it
        body = request.content.read_nowait()
        if len(body) > limit:
            raise too_large
        return body
    chunks = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def source_id(request: web.Request) -> str:
    """What makes two requests the same submission: their Idempotency-Key, else nothing.

    Raises:
        Rejected: the key is malformed, too long, or given twice.
    """
    key = key_of(request)
    return f"post:{uuid4().hex}" if key is None else f"key:{key}"


async def submit(host: Host, raw: Raw, parse: Callable[[Raw, WebConfig], Inbound], config: WebConfig) -> AlertReceipt:
    """Parse, accept, and add to the receipt what must reach the sender at once.

    Raises:
        Rejected: with every fault; or the same source id was accepted with other content.
        TryAgain: nothing was accepted.
    """
    if len(raw.body) > _LARGE:
        inbound = await asyncio.to_thread(parse, raw, config)
    else:
        inbound = parse(raw, config)
    receipt = await host.accept(replace(raw, meta={**raw.meta, "digest": inbound.digest}))
    return alerted(receipt, inbound)
