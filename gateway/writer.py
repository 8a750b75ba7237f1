"""The spool's one writer: changes that arrive together share one transaction and one fsync (group commit).

May not know what a change does. A change that answers with an exception fails alone; one that raises fails the group.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Final, TypeVar

from gateway.spool_file import is_busy, is_full
from normalizer.errors import TryAgain

T = TypeVar("T")
R = TypeVar("R")
GROUP: Final = 512
GATHER: Final = 0.001
"""Seconds that a writer with company waits for more of it: fewer, larger groups cost less than they delay."""
RETRY_AFTER: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Change:
    apply: Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
    item: Any
    done: asyncio.Future[Any]


class Writer:
    """Takes changes from any task, commits them in a thread, and wakes the callers when they are on disk."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._waiting: list[_Change] = []
        self._wake = asyncio.Event()
        self.failing = False
        """Whether the last group could not be written: the disk was full, or the database busy."""
        self._thread = ThreadPoolExecutor(1, "spool-writer")

    def join(
        self, apply: Callable[[sqlite3.Connection, Sequence[T]], Sequence[R | Exception]], item: T
    ) -> asyncio.Future[R]:
        """Queue a change of one item; neighbours with an equal `apply` are applied in one call, which answers item by
        item. Few statements a group: each gives the interpreter away and has to win it back from the event loop.

        The future resolves after the fsync. It raises TryAgain when the disk is full or busy, or the item's answer
        when that is an exception.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Change(apply, item, future))
        self._wake.set()
        return future

    def submit(self, change: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """`join` for a change that has nothing in common with others."""
        return self.join(partial(_alone, change), None)

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
        group: list[_Change] = []
        while True:
            await self._wake.wait()
            if len(group) > 1:
                await asyncio.sleep(GATHER)
            group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            if not self._waiting:
                self._wake.clear()
            try:
                results = await asyncio.shield(loop.run_in_executor(self._thread, self._commit, group))
            except Exception as error:
                _fail(group, TryAgain(RETRY_AFTER, "the spool cannot be written"))
                if not (is_full(error) or is_busy(error)):
                    raise  # this process must not go on
                self.failing = True
            else:
                self.failing = False
                for change, result in zip(group, results, strict=True):
                    _resolve(change.done, result)

    def _commit(self, group: list[_Change]) -> list[Any]:
        results: list[Any] = []
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for apply, changes in groupby(group, key=lambda change: change.apply):
                results += apply(self._db, [change.item for change in changes])
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return results


def _alone(change: Callable[[sqlite3.Connection], T], db: sqlite3.Connection, _: Sequence[None]) -> Sequence[T]:
    return [change(db)]


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
