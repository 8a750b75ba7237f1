"""The side index of a delivered file: which event ids it holds, and up to which byte that is known.
A cache that can be rebuilt from the file; may not be used without the file's lock, except by `repeats`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_WAIT: Final = 5.0  # seconds for SQLite's own locks; only the last reader's close ever holds them
_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    file TEXT NOT NULL, known INTEGER NOT NULL, repeats INTEGER NOT NULL
);
INSERT OR IGNORE INTO state VALUES (1, '', 0, 0);
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Position:
    """The ids in the first `known` bytes of `file` (device:inode) are in the index."""

    file: str
    known: int


class SeenIndex:
    """The index beside `path`. WAL with synchronous=NORMAL: kill -9 takes nothing; a power cut may take the
    last commits, which the file (synced before each commit) gives back. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._path = _index_path(path)
        self._connection = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None)
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
            self._inode = self._path.stat().st_ino
        except BaseException:
            self._connection.close()
            raise

    def is_in_place(self) -> bool:
        """Whether the index on disk is still the one opened (an operator may have removed it)."""
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def position(self) -> Position:
        """How far the file was read."""
        return Position(*self._connection.execute("SELECT file, known FROM state").fetchone())

    def __contains__(self, event_id: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM seen WHERE id = ?", (event_id,)).fetchone()
        return found is not None

    def add(self, event_ids: Iterable[str], position: Position) -> None:
        """Remember ids and, in the same transaction, how far the file is known now."""
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = ((event_id,) for event_id in event_ids)
            connection.executemany("INSERT OR IGNORE INTO seen VALUES (?)", rows)
            connection.execute("UPDATE state SET file = ?, known = ?", (position.file, position.known))

    def count_repeat(self) -> None:
        """One more event was dropped because its id is known."""
        self._connection.execute("UPDATE state SET repeats = repeats + 1")

    def close(self) -> None:
        """May be called again."""
        self._connection.close()


def discard(path: Path) -> None:
    """Remove the index beside `path` with its log; the next one is rebuilt from the file."""
    index = str(_index_path(path))
    for suffix in ("", "-wal", "-shm"):
        Path(index + suffix).unlink(missing_ok=True)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the index itself is broken, so that only rebuilding it helps."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def repeats(path: Path) -> int:
    """How many repeated events the file destination at `path` dropped so far; 0 before its first delivery.

    Raises:
        sqlite3.Error: the index cannot be read.
    """
    if not _index_path(path).exists():
        return 0
    with closing(sqlite3.connect(_index_path(path), timeout=_WAIT)) as connection:
        (count,) = connection.execute("SELECT coalesce(max(repeats), 0) FROM state").fetchone()
    return int(count)


def _index_path(path: Path) -> Path:
    return path.with_name(path.name + ".index")
