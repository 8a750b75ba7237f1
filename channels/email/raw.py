"""A mail's bytes as a Raw, whichever way they came. May not look into the mail beyond its name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Final

import structlog

from channels.email import digest
from channels.email.auth.marks import META
from channels.email.auth.verify import Verifier
from channels.email.parse import CHANNEL
from normalizer.ticket import Raw

log = structlog.get_logger(__name__)

CONTENT_TYPE: Final = "message/rfc822"
LARGE: Final = 256 * 1024
"""Bytes from which a digest is taken in a thread: the loop serves others meanwhile."""


async def raw_of(content: bytes, transport: Mapping[str, str], verifier: Verifier) -> Raw:
    """The same mail has the same source id and digest by every transport; `transport`: what that knew about it."""
    now = datetime.now(UTC)
    try:
        find = partial(digest.source_id, content)
        source_id, found = await asyncio.to_thread(find) if len(content) > LARGE else find()
    except Exception as error:
        # Our own code failed at it: that must not keep the mail out for ever. The same bytes have the same id.
        log.error("mail_digest_failed", error=type(error).__name__)
        found = sha256(content).hexdigest()
        source_id = f"bytes:{found}"
    meta = {"digest": found, **transport}
    if marks := await verifier.marks(content, transport):
        meta[META] = marks
    return Raw(
        channel=CHANNEL, source_id=source_id, received_at=now, body=content, content_type=CONTENT_TYPE, meta=meta
    )
