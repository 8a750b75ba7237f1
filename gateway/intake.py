"""The heart: accept(raw) puts a submission on disk with its number, and only then returns the receipt.

We acknowledge after it is on disk, never before. May not parse: a bug in a parser must not reach the acknowledgement.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ByteSize, ConfigDict

from gateway.spool import Conflict, Entry, Spool, Spooled
from gateway.writer import Writer
from normalizer import identity
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Raw, Receipt
from workers.blobs import Blobs

INLINE: Final = 64 * 1024
BUSY: Final = 2.0
FULL: Final = 30.0


class IntakeConfig(BaseModel):
    """Limits of what is taken in. Sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_inflight_bytes: ByteSize = ByteSize(256 * 1024 * 1024)


class SpoolConfig(BaseModel):
    """Limits of the spool. Sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: ByteSize = ByteSize(8 * 1024**3)
    min_free_disk: ByteSize = ByteSize(256 * 1024**2)
    keep_days: int = 7


class Intake:
    """Accepts submissions for every channel of one gateway."""

    def __init__(
        self,
        spool: Spool,
        writer: Writer,
        blobs: Blobs,
        *,
        intake: IntakeConfig,
        limits: SpoolConfig,
        secret: bytes,
        public_url: str,
        spooled: Callable[[], None],
    ) -> None:
        """`spooled` is called after each new row (the pump's bell); `secret` is the site's."""
        self._spool = spool
        self._writer = writer
        self._blobs = blobs
        self._intake = intake
        self._limits = limits
        self._secret = secret
        self._public_url = public_url.rstrip("/")
        self._spooled = spooled
        self._in_flight: dict[tuple[str, str], asyncio.Future[Spooled]] = {}
        self._bytes_in_flight = 0
        self.unqueued_bytes = 0
        self.open = False

    async def accept(self, raw: Raw) -> Receipt:
        """Put `raw` on disk and return its receipt; a redelivery gets the receipt of the first delivery.

        Raises:
            TryAgain: not taken: no gateway id yet, disk or spool full, too much in flight, or shutting down.
            Rejected: code `conflict`: this source id was accepted before with other content.
        """
        digest = raw.meta.get("digest") or sha256(raw.body).hexdigest()
        entry = Entry(raw, identity.ticket_id(raw.channel, raw.source_id), digest)
        key = (entry.ticket_id, digest)
        landing = self._in_flight.get(key)
        joined = landing is not None
        if landing is None:
            self._check(len(raw.body))
            landing = self._in_flight[key] = self._store(entry)
            self._bytes_in_flight += len(raw.body)
            landing.add_done_callback(partial(self._landed, key, len(raw.body)))
        try:
            spooled = await asyncio.shield(landing)
        except Conflict:
            raise Rejected("conflict", "The same key was used before with other content.") from None
        return self._receipt(entry.ticket_id, spooled.number, duplicate=joined or spooled.duplicate)

    def _store(self, entry: Entry) -> asyncio.Future[Spooled]:
        if len(entry.raw.body) > INLINE:
            return asyncio.ensure_future(self._store_large(entry))
        return self._writer.join(self._spool.insert, entry)

    async def _store_large(self, entry: Entry) -> Spooled:
        """The body as a blob, on disk before the row that names it."""
        try:
            ref = await asyncio.to_thread(self._blobs.put, entry.raw.body, datetime.now(UTC).date())
        except OSError as error:
            raise TryAgain(FULL, "the blob store cannot be written") from error
        return await self._writer.join(self._spool.insert, replace(entry, blob=ref.blob))

    def _landed(self, key: tuple[str, str], size: int, landing: asyncio.Future[Spooled]) -> None:
        del self._in_flight[key]
        self._bytes_in_flight -= size
        # Asked for the exception even when every caller has gone: then nobody else looks at it.
        if not landing.cancelled() and landing.exception() is None and not landing.result().duplicate:
            self.unqueued_bytes += size
            self._spooled()

    def _check(self, size: int) -> None:
        if not self.open:
            raise TryAgain(BUSY, "not open yet, or closing")
        if self._bytes_in_flight + size > self._intake.max_inflight_bytes:
            raise TryAgain(BUSY, "too much in flight")
        if self.unqueued_bytes + size > self._limits.max_bytes:
            raise TryAgain(FULL, "the spool is full")
        if free_disk(self._spool.directory) < self._limits.min_free_disk + size:
            raise TryAgain(FULL, "the disk is almost full")

    def _receipt(self, ticket_id: str, number: str, *, duplicate: bool) -> Receipt:
        return Receipt(
            ticket_id=ticket_id,
            number=number,
            code=identity.receipt_code(ticket_id, self._secret),
            status_url=f"{self._public_url}/t/{number}",
            duplicate=duplicate,
        )

    def can_accept(self) -> bool:
        """Whether accept would succeed now for a small submission."""
        try:
            self._check(1)
        except TryAgain:
            return False
        return True


def free_disk(directory: Path) -> int:
    """Bytes an ordinary user may still write where `directory` lies."""
    facts = os.statvfs(directory)
    return facts.f_bavail * facts.f_frsize
