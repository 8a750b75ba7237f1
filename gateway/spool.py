"""The spool: one SQLite row per submission, on disk before anyone is told "received"; and the numbers it gives out.

Every method that takes `db` runs inside the writer's transaction (gateway/writer.py) and may not open one itself.
What becomes of a row later is gateway/trials.py's.
"""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from gateway.migrations import migrate
from gateway.numbering import Numbers
from gateway.spool_file import connect, own
from normalizer.ticket import Raw

COLUMNS: Final = (
    "ticket_id", "digest", "channel", "source_id", "received_at", "content_type", "meta", "body", "blob", "size",
    "number",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission to be spooled. `blob` names its body when that is kept outside the row."""

    raw: Raw
    ticket_id: str
    digest: str
    blob: str | None = None


@dataclass(frozen=True, slots=True)
class Spooled:
    """What the spool answered: the number of the row, and whether the row was there before."""

    number: str
    duplicate: bool


class Conflict(Exception):
    """The source id was accepted before with other content, and the channel vouches for both digests."""


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
        self._lock = own(directory)
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

    def insert(self, db: sqlite3.Connection, entries: Sequence[Entry]) -> list[Spooled | Conflict]:
        """Add submissions, or find the rows they already have; answers in the same order.

        Equal ticket id and digest is the same submission. Another digest is a conflict when the channel vouches for
        its digests (`raw.meta["digest"]`); else it gets a row of its own and the queue decides.
        """
        numbers = Numbers(db, self._zone)
        known = _known(db, entries)
        answers: list[Spooled | Conflict] = []
        rows: list[object] = []
        for entry in entries:
            same = known.setdefault(entry.ticket_id, {})
            if entry.digest in same:
                answers.append(Spooled(same[entry.digest], duplicate=True))
            elif same and "digest" in entry.raw.meta:
                answers.append(Conflict())
            else:
                number = same[entry.digest] = numbers.next(entry.raw.received_at)
                rows += _values(entry, number)
                answers.append(Spooled(number, duplicate=False))
        if rows:
            place = f"({', '.join('?' * len(COLUMNS))})"
            places = ", ".join([place] * (len(rows) // len(COLUMNS)))
            db.execute(f"INSERT INTO submission ({', '.join(COLUMNS)}) VALUES {places}", rows)
            numbers.keep()
        return answers

    def renumber(self, db: sqlite3.Connection, seq: int) -> str:
        """Give a row a new number, because another ticket holds the one it had."""
        (received_at,) = db.execute("SELECT received_at FROM submission WHERE seq = ?", (seq,)).fetchone()
        numbers = Numbers(db, self._zone)
        number = numbers.next(datetime.fromisoformat(received_at))
        numbers.keep()
        db.execute("UPDATE submission SET number = ? WHERE seq = ?", (number, seq))
        return number


def _known(db: sqlite3.Connection, entries: Sequence[Entry]) -> dict[str, dict[str, str]]:
    """Ticket id -> digest -> number of the rows that are there."""
    found: dict[str, dict[str, str]] = {}
    for ticket_id, digest, number in db.execute(
        "SELECT ticket_id, digest, number FROM submission WHERE ticket_id IN (SELECT value FROM json_each(?))",
        (json.dumps([entry.ticket_id for entry in entries]),),
    ):
        found.setdefault(ticket_id, {})[digest] = number
    return found


def _values(entry: Entry, number: str) -> tuple[object, ...]:
    raw = entry.raw
    return (
        entry.ticket_id, entry.digest, raw.channel, raw.source_id, raw.received_at.isoformat(), raw.content_type,
        json.dumps(dict(raw.meta)), b"" if entry.blob else raw.body, entry.blob, len(raw.body), number,
    )  # fmt: skip
