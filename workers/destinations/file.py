"""Destination `file`: one CloudEvent a line, on disk before it counts as delivered, every event id once, for
any number of processes on this host. Blocks the loop for one write and sync; may not write to a network disk.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from workers.destinations import file_index
from workers.destinations.contract import Delivered, Event, Outcome, Refused, TryLater
from workers.destinations.file_index import Position, SeenIndex
from workers.durable import sync_directory

LOCK_TIMEOUT: Final = 10.0  # seconds to wait for another process's write
INDEX_TIMEOUT: Final = 5.0  # seconds of one call given to reading lines the index does not know
_BATCH: Final = 1000  # lines indexed in one transaction
_MODE: Final = 0o640  # tickets are personal data


class FileConfig(BaseModel):
    """A block `destinations.<name>` of type `file`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["file"] = "file"
    path: Path | None = Field(
        default=None, description="Relative to the data directory; left out: delivered.jsonl there"
    )


class FileDestination:
    """Appends events to `path`; beside it lie `<path>.lock` and `<path>.index`.

    An operator may move the file away at any time: the next event starts a new one, and ids of the old one
    are still known, as long as the index stays.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._lock: int | None = None
        self._file: int | None = None
        self._index: SeenIndex | None = None

    async def deliver(self, event: Event) -> Outcome:
        """Append `event` unless its id is there already. Reasons of TryLater: busy, indexing, index_damaged,
        index_unavailable, disk_full, not_writable, write_failed."""
        if b"\n" in event.document:
            return Refused("not_one_line")
        try:
            lock = await self._acquire()
            if lock is None:
                return TryLater("busy", 1.0, tried=False)
            try:
                return self._deliver_locked(event)
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)
        except OSError as error:
            return TryLater(_os_reason(error), None)

    async def close(self) -> None:
        self._close_index()
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None

    async def _acquire(self) -> int | None:
        """The locked lock file; None = another process kept it for LOCK_TIMEOUT. Nothing may be awaited
        between this and the unlocking: tasks of one process share the lock."""
        deadline = time.monotonic() + LOCK_TIMEOUT
        pause = 0.001
        while True:
            lock = self._open_lock()
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return None
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.02)
                continue
            if _is_at(self._lock_path, lock):
                return lock
            os.close(lock)  # somebody removed the lock file; others already use a new one
            self._lock = None

    def _open_lock(self) -> int:
        if self._lock is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, _MODE)
        return self._lock

    def _deliver_locked(self, event: Event) -> Outcome:
        try:
            index = self._open_index()
            file = self._open_file(index)
            if not _catch_up(file, index):
                return TryLater("indexing", 1.0, tried=False)
            if event.id in index:
                index.count_repeat()
                return Delivered(repeat=True)
        except sqlite3.Error as error:
            return self._index_fault(error)
        size = _append(file, event.document + b"\n")
        with suppress(sqlite3.Error):  # the line is on disk, so it is delivered: the next call indexes it
            index.add([event.id], Position(_identity(file), size))
        return Delivered()

    def _index_fault(self, error: sqlite3.Error) -> TryLater:
        self._close_index()
        if file_index.is_damage(error):
            file_index.discard(self._path)
            return TryLater("index_damaged", 0.0, tried=False)
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        return TryLater("disk_full" if full else "index_unavailable", None)

    def _open_index(self) -> SeenIndex:
        if self._index is not None and not self._index.is_in_place():
            self._close_index()
        if self._index is None:
            self._index = SeenIndex(self._path)
        return self._index

    def _close_index(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def _open_file(self, index: SeenIndex) -> int:
        if self._file is not None and not _is_at(self._path, self._file):
            if index.position().file == _identity(self._file):
                _catch_up(self._file, index)  # moved away: its last lines are read while we still hold it
            os.close(self._file)
            self._file = None
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)
            sync_directory(self._path.parent)
        return self._file


def _catch_up(file: int, index: SeenIndex) -> bool:
    """Index the lines the index does not know, and cut a torn last one (its writer never said "delivered").
    False = more is left than INDEX_TIMEOUT allows; what was read is kept."""
    identity, size = _identity(file), os.fstat(file).st_size
    position = index.position()
    if position == Position(identity, size):
        return True
    known = position.known if position.file == identity and _is_line_start(file, position.known, size) else 0
    os.fsync(file)  # a line must be on disk before anyone is told "we have it already"
    deadline = time.monotonic() + INDEX_TIMEOUT
    batch: list[str] = []
    with open(os.dup(file), "rb") as lines:
        lines.seek(known)
        for line in lines:
            if not line.endswith(b"\n"):
                os.ftruncate(file, known)
                break
            known += len(line)
            batch.extend(_ids(line))
            if len(batch) == _BATCH:
                index.add(batch, Position(identity, known))
                batch.clear()
                if time.monotonic() > deadline:
                    return False
    index.add(batch, Position(identity, known))
    return True


def _is_line_start(file: int, offset: int, size: int) -> bool:
    """False = the file was cut short or replaced behind our back: it must be read from its start."""
    return offset == 0 or (offset <= size and os.pread(file, 1, offset - 1) == b"\n")


def _ids(line: bytes) -> list[str]:
    """The event id of a line; none when the line is not an event (somebody else's, which is left alone)."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return []
    event_id = event.get("id") if isinstance(event, dict) else None
    return [event_id] if isinstance(event_id, str) else []


def _append(file: int, line: bytes) -> int:
    """Write and sync `line`; the file's new size. On any error nothing of the line stays."""
    size = os.fstat(file).st_size
    try:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    except OSError:
        with suppress(OSError):  # then the torn line is cut by the next catch-up
            os.ftruncate(file, size)
        raise
    return size + len(line)


def _identity(file: int) -> str:
    stat = os.fstat(file)
    return f"{stat.st_dev}:{stat.st_ino}"


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False


def _os_reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "not_writable"
    return "write_failed"
