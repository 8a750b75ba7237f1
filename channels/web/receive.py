"""From an HTTP request to an accepted submission: the steps that the form and the API share.

May not answer: what is wrong is raised, and the caller says it in its own way.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from hashlib import sha256
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from aiohttp import web

from channels.contract import Host
from channels.web.bodies import MULTIPART, essence, refused
from channels.web.config import WebConfig
from channels.web.models import WebReceipt
from normalizer.ticket import Flag, Inbound, Raw
from normalizer.urgency import alarms, emergency_numbers

KEY_MAX: Final = 255
# A structured-field string (RFC 9651 3.3.3: printable ASCII, `\` before `"` and `\`), or the same, bare.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')
_BARE = re.compile(r"[!#-\[\]-~]+")
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
    chunks = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def source_id(request: web.Request) -> str:
    """What makes two requests the same submission: the Idempotency-Key within the scope of its caller
    (draft-ietf-httpapi-idempotency-key-header-07), else nothing.

    Raises:
        Rejected: the key is malformed, too long, or given twice.
    """
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return f"post:{uuid4().hex}"
    match = _QUOTED.fullmatch(keys[0]) or _BARE.fullmatch(keys[0])
    if len(keys) > 1 or match is None or len(keys[0]) > KEY_MAX:
        raise refused("idempotency_key_invalid", f"Idempotency-Key is one string of 1 to {KEY_MAX} ASCII characters.")
    key = re.sub(r"\\(.)", r"\1", match[1]) if match.re is _QUOTED else match[0]
    caller = request.get("caller", "")
    return "key:" + sha256(f"{caller}\0{key}".encode()).hexdigest()


async def submit(host: Host, raw: Raw, parse: Callable[[Raw, WebConfig], Inbound], config: WebConfig) -> WebReceipt:
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
    flags, numbers = warnings_of(inbound)
    return WebReceipt(
        ticket_id=receipt.ticket_id,
        number=receipt.number,
        code=receipt.code,
        status_url=receipt.status_url,
        duplicate=receipt.duplicate,
        flags=tuple(dict.fromkeys((*receipt.flags, *flags))),
        call_now=numbers,
    )


def warnings_of(inbound: Inbound) -> tuple[tuple[Flag, ...], tuple[str, ...]]:
    """The flags that must reach the sender at once, and the emergency numbers to call; none when a rule fails."""
    try:
        flags = alarms(inbound)
        return flags, emergency_numbers(inbound) if flags else ()
    except Exception:  # it is accepted: a bug in a rule must not turn the receipt into an error
        return (), ()
