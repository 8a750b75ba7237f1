"""Blobs that are old enough to go: once a day, by whole days, never what a row of this spool still names.

May not touch a row, nor hold up the event loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import structlog

from gateway import ledger, spool_file
from workers.blobs import Blobs

log = structlog.get_logger()


def _today() -> date:
    return datetime.now(UTC).date()  # blobs are stored under days of UTC


class Expiry:
    """The retention of one gateway's blobs. A day on which it failed is tried again at the next turn."""

    def __init__(self, blobs: Blobs, spool: Path, keep_days: int, *, today: Callable[[], date] = _today) -> None:
        """`spool`: the spool's directory. `keep_days`: 0 = for ever."""
        self._blobs = blobs
        self._spool = spool
        self._keep = keep_days
        self._today = today
        self._done: date | None = None

    async def turn(self) -> None:
        """Once a day: remove what has expired."""
        today = self._today()
        if not self._keep or self._done == today:
            return
        try:
            days = await asyncio.to_thread(self._expire, today - timedelta(days=self._keep))
        except (OSError, sqlite3.Error) as error:
            log.warning("blobs_not_expired", error=type(error).__name__)
            return
        self._done = today
        if days:
            log.info("blobs_expired", count=days)

    def _expire(self, before: date) -> int:
        if not any(day < before for day in self._blobs.days()):
            return 0  # the rows need not be read
        with closing(spool_file.connect(self._spool)) as db:
            # Queued rows too, while they are kept: they may be offered again.
            return self._blobs.expire(before, ledger.blobs(db))
