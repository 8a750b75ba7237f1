"""Looking at the spool's rows, and the few repairs of an operator or the upkeep: count, list, replay, reoffer, purge.

May not accept or number anything (gateway/spool.py does).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from normalizer.ticket import Raw

COLUMNS: Final = (
    "seq, ticket_id, digest, channel, source_id, received_at, content_type, meta, body, blob, size, number, state,"
    " attempts, code, detail, ended_at"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One spooled submission as it stands. `ended_at` is in unix seconds; `blob` names the body when it is large."""

    seq: int
    ticket_id: str
    digest: str
    channel: str
    source_id: str
    received_at: str
    content_type: str
    meta: str
    body: bytes
    blob: str | None
    size: int
    number: str
    state: str
    attempts: int
    code: str | None
    detail: str | None
    ended_at: float | None

    def raw(self, body: bytes | None = None) -> Raw:
        """The submission as it arrived; `body` when it was kept as a blob."""
        return Raw(
            channel=self.channel,
            source_id=self.source_id,
            received_at=datetime.fromisoformat(self.received_at),
            body=self.body if body is None else body,
            content_type=self.content_type,
            meta=json.loads(self.meta),
        )


def fresh(db: sqlite3.Connection, *, limit: int, max_bytes: int, without: Sequence[int] = ()) -> list[Row]:
    """The oldest rows that nobody tried yet, but for those in `without`; at least one, at most `limit` rows or about
    `max_bytes` of bodies."""
    cursor = db.execute(
        f"SELECT {COLUMNS} FROM submission WHERE state = 'received' AND attempts = 0"
        " AND seq NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?",
        (json.dumps(without), limit),
    )
    rows: list[Row] = []
    for values in cursor:
        rows.append(Row(*values))
        max_bytes -= len(rows[-1].body)
        if max_bytes <= 0:
            break
    cursor.close()
    return rows


def one(db: sqlite3.Connection, seq: int) -> Row | None:
    """The row `seq`, None when it is gone."""
    values = db.execute(f"SELECT {COLUMNS} FROM submission WHERE seq = ?", (seq,)).fetchone()
    return Row(*values) if values else None


def blobs(db: sqlite3.Connection) -> list[str]:
    """The blobs that rows name as their bodies."""
    return [name for (name,) in db.execute("SELECT DISTINCT blob FROM submission WHERE blob IS NOT NULL")]


def kept(db: sqlite3.Connection, states: Sequence[str]) -> Iterator[Row]:
    """Rows in `states` (`parked`, `set_aside`), oldest first."""
    for values in db.execute(
        f"SELECT {COLUMNS} FROM submission WHERE seq IN (SELECT seq FROM submission"
        " WHERE state IN ('set_aside', 'parked') AND state IN (SELECT value FROM json_each(?))) ORDER BY seq",
        (json.dumps(states),),
    ):
        yield Row(*values)


def replay(db: sqlite3.Connection, seqs: Sequence[int]) -> int:
    """Offer parked or set-aside rows again, under the numbers they have; returns how many there were."""
    marks = ", ".join("?" * len(seqs))
    return db.execute(
        "UPDATE submission SET state = 'received', attempts = 0, code = NULL, detail = NULL, ended_at = NULL"
        f" WHERE state IN ('parked', 'set_aside') AND seq IN ({marks})",
        list(seqs),
    ).rowcount


def reoffer(db: sqlite3.Connection, since: float) -> int:
    """Queued rows that ended at or after `since` (unix seconds) are offered again, which is harmless; returns how
    many. Used after a failover or a restore, when Redis may have forgotten the last of them."""
    return db.execute(
        "UPDATE submission SET state = 'received', attempts = 0 WHERE state = 'queued' AND ended_at >= ?",
        (since,),
    ).rowcount


def purge(db: sqlite3.Connection, before: float) -> int:
    """Forget queued rows that ended before `before` (unix seconds), counting them so that the sums still add up."""
    gone = db.execute("DELETE FROM submission WHERE state = 'queued' AND ended_at < ?", (before,)).rowcount
    db.execute("UPDATE purged SET rows = rows + ?", (gone,))
    return gone


def counts(db: sqlite3.Connection) -> Mapping[str, int]:
    """Rows by state, derived from the rows: received = queued + set aside + parked + in flight (+ unqueued bytes and
    the age in seconds of the oldest unqueued row)."""
    states = dict.fromkeys(("queued", "set_aside", "parked"), 0)
    # The states are written out: for a bound value SQLite does not take the partial index, and reads every body.
    kept = db.execute("SELECT state, count(*) FROM submission WHERE state IN ('set_aside', 'parked') GROUP BY state")
    states.update(kept.fetchall())
    in_flight, size, oldest = db.execute(
        "SELECT count(*), coalesce(sum(size), 0), min(received_at) FROM submission WHERE state = 'received'"
    ).fetchone()
    purged = db.execute("SELECT rows FROM purged").fetchone()[0]
    total = db.execute("SELECT count(*) FROM submission").fetchone()[0]
    age = time.time() - datetime.fromisoformat(oldest).timestamp() if oldest else 0.0
    states["queued"] = total + purged - in_flight - states["set_aside"] - states["parked"]
    return {
        **states,
        "received": total + purged,
        "in_flight": in_flight,
        "bytes": size,
        "age": round(max(age, 0)),
    }
