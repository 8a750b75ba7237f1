"""The spool: one SQLite row per submission, on disk before anyone is told "received"; and the numbers it gives out.

Every method that takes `db` runs inside the writer's transaction (gateway/writer.py) and may not open one itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from gateway.migrations import migrate
from gateway.writer import Refused
from normalizer import identity
from normalizer.ticket import Raw

FILE: Final = "spool.sqlite3"


class SpoolBusy(RuntimeError):
    """Another running gateway owns this spool."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """What the spool answered: the number of the row, and whether the row was there before."""

    number: str
    duplicate: bool


class Conflict(Refused):
    """The source id was accepted before with other content, and the channel vouches for both digests."""


def connect(directory: Path) -> sqlite3.Connection:
    """A connection to the spool of `directory`; usable from any one thread at a time."""
    db = sqlite3.connect(directory / FILE, isolation_level=None, check_same_thread=False, timeout=10)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    return db


class Spool:
    """Writes rows. One owner at a time, by a lock that dies with the process."""

    def __init__(self, directory: Path, timezone: str) -> None:
        """Open or create the spool.

        Raises:
            SpoolBusy: a running gateway owns it.
            SpoolTooNew: a newer version of the software wrote it.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self._lock = _lock(directory)
        self._zone = ZoneInfo(timezone)
        self.db = connect(directory)
        migrate(self.db)
        self.db.execute("INSERT OR IGNORE INTO fact VALUES ('uuid', ?)", (uuid.uuid4().hex,))

    def close(self) -> None:
        """Close the database and give up the lock."""
        self.db.close()
        os.close(self._lock)

    def fact(self, name: str) -> str | None:
        """A remembered fact: `uuid`, `gateway` (id, 0..99), `run_id` (of the server last seen)."""
        row = self.db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def remember(self, db: sqlite3.Connection, name: str, value: str) -> None:
        """Keep a fact."""
        db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def insert(self, db: sqlite3.Connection, raw: Raw, digest: str, blob: str | None) -> Spooled:
        """Add a submission, or find the row it already has.

        Equal ticket id and digest is the same submission. Another digest is a conflict when the channel vouches for
        its digests (`raw.meta["digest"]`); else it gets a row of its own and the queue decides.
        """
        ticket_id = identity.ticket_id(raw.channel, raw.source_id)
        rows = db.execute("SELECT digest, number FROM submission WHERE ticket_id = ?", (ticket_id,)).fetchall()
        for known, number in rows:
            if known == digest:
                return Spooled(number, duplicate=True)
        if rows and "digest" in raw.meta:
            raise Conflict
        number = self.next_number(db, raw.received_at)
        db.execute(
            "INSERT INTO submission (ticket_id, digest, channel, source_id, received_at, content_type, meta, body,"
            " blob, size, number) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (ticket_id, digest, raw.channel, raw.source_id, raw.received_at.isoformat(), raw.content_type,
             json.dumps(dict(raw.meta)), b"" if blob else raw.body, blob, len(raw.body), number),
        )  # fmt: skip
        return Spooled(number, duplicate=False)

    def next_number(self, db: sqlite3.Connection, received_at: datetime) -> str:
        """The next number of that day in the site's time zone, taken in the row's own transaction."""
        day = received_at.astimezone(self._zone).date()
        gateway = db.execute("SELECT value FROM fact WHERE name = 'gateway'").fetchone()
        (sequence,) = db.execute(
            "INSERT INTO sequence VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last",
            (day.isoformat(), gateway[0]),
        ).fetchone()
        return identity.number(day, int(gateway[0]), sequence)

    def renumber(self, db: sqlite3.Connection, seq: int) -> str:
        """Give a row a new number, because another ticket holds the one it had."""
        (received_at,) = db.execute("SELECT received_at FROM submission WHERE seq = ?", (seq,)).fetchone()
        number = self.next_number(db, datetime.fromisoformat(received_at))
        db.execute("UPDATE submission SET number = ? WHERE seq = ?", (number, seq))
        return number

    def begin(self, db: sqlite3.Connection, seqs: Sequence[int]) -> None:
        """Commit that these rows are about to be tried together; a crash now makes each of them a suspect."""
        db.executemany("UPDATE submission SET attempts = max(attempts, 1) WHERE seq = ?", [(s,) for s in seqs])

    def begin_alone(self, db: sqlite3.Connection, seq: int) -> None:
        """Commit one more attempt of a suspect, which is tried alone."""
        db.execute("UPDATE submission SET attempts = attempts + 1 WHERE seq = ?", (seq,))

    def attempts(self, db: sqlite3.Connection, seq: int) -> int:
        """How many trials of a row were begun and not finished; 0 too when the row reached an end meanwhile."""
        row = db.execute("SELECT attempts FROM submission WHERE seq = ?", (seq,)).fetchone()
        return int(row[0]) if row else 0

    def clear(self, db: sqlite3.Connection, seqs: Iterable[int]) -> None:
        """These rows were not to blame: they stand as if never tried."""
        db.executemany("UPDATE submission SET attempts = 0 WHERE seq = ?", [(s,) for s in seqs])

    def finish(self, db: sqlite3.Connection, rows: Sequence[tuple[int, str, str | None, str | None]]) -> int:
        """Rows (seq, state, code, detail) reached one of their three ends: queued, set aside, parked. Returns the
        bytes of their bodies, which are unqueued no longer."""
        now = time.time()
        db.executemany(
            "UPDATE submission SET state = ?, code = ?, detail = ?, ended_at = ?, attempts = 0 WHERE seq = ?",
            [(state, code, detail, now, seq) for seq, state, code, detail in rows],
        )
        return sum(db.execute("SELECT size FROM submission WHERE seq = ?", (row[0],)).fetchone()[0] for row in rows)

    def suspects(self) -> list[int]:
        """Rows whose trial was cut short, oldest first."""
        rows = self.db.execute("SELECT seq FROM submission WHERE state = 'received' AND attempts > 0 ORDER BY seq")
        return [seq for (seq,) in rows]


def _lock(directory: Path) -> int:
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SpoolBusy(f"{directory} belongs to a running gateway") from None
    return descriptor
