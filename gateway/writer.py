"""The spool's one writer: changes that arrive together share one transaction and one fsync (group commit).

May not know what a change does; a change that raises fails alone, an error of SQLite fails the whole group.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from normalizer.errors import TryAgain

T = TypeVar("T")
GROUP: Final = 512
RETRY_AFTER: Final = 5.0


class Refused(Exception):
    """Base of what a change may raise to fail alone, before it has written anything."""


@dataclass(frozen=True, slots=True)
class _Change:
    apply: Callable[[sqlite3.Connection], Any]
    done: asyncio.Future[Any]


class Writer:
    """Takes changes from any task, commits them in a thread, and wakes the callers when they are on disk."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._waiting: list[_Change] = []
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "spool-writer")

    def submit(self, change: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Queue a change; its future resolves after the fsync.

        The future raises TryAgain when the disk is full or busy, or what the change itself raised (a Refused).
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Change(change, future))
        self._wake.set()
        return future

    async def insist(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """`submit`, again and again while the disk is full or busy: for changes nobody outside waits for."""
        while True:
            try:
                return await self.submit(change)
            except TryAgain as error:
                await asyncio.sleep(error.after)

    async def run(self) -> None:
        """Commit group after group. Raises sqlite3.Error when the database is broken: exit and be restarted."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            if not self._waiting:
                self._wake.clear()
            try:
                results = await asyncio.shield(loop.run_in_executor(self._thread, self._commit, group))
            except Exception as error:
                _fail(group, TryAgain(RETRY_AFTER, "the spool cannot be written"))
                if not _passing(error):
                    raise
            else:
                for change, result in zip(group, results, strict=True):
                    _resolve(change.done, result)

    def _commit(self, group: list[_Change]) -> list[Any]:
        results: list[Any] = []
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for change in group:
                try:
                    results.append(change.apply(self._db))
                except Refused as refusal:
                    results.append(refusal)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return results


def _passing(error: Exception) -> bool:
    """Full and busy pass by themselves; anything else means that this process must not go on."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _fail(group: list[_Change], error: Exception) -> None:
    for change in group:
        _resolve(change.done, error)


def _resolve(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
