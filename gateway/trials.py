"""What becomes of a spooled row: each trial is on disk before it begins, and each of the three ends after it.

Every function that takes `db` runs inside the writer's transaction; none may look into a row.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

End = tuple[int, str, str | None, str | None]
"""seq, state (queued, set_aside, parked), code, detail."""
_THESE: Final = "seq IN (SELECT value FROM json_each(?))"


def begin(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """These rows are about to be tried together; a crash now makes each of them a suspect."""
    db.execute(f"UPDATE submission SET attempts = max(attempts, 1) WHERE {_THESE}", (json.dumps(seqs),))


def begin_alone(db: sqlite3.Connection, seq: int) -> None:
    """One more attempt of a suspect, which is tried alone."""
    db.execute("UPDATE submission SET attempts = attempts + 1 WHERE seq = ?", (seq,))


def absolve(db: sqlite3.Connection, seq: int) -> None:
    """A suspect got as far as the server, which is away: until it is back, no end of ours is the row's fault."""
    db.execute("UPDATE submission SET attempts = 1 WHERE seq = ?", (seq,))


def attempts(db: sqlite3.Connection, seq: int) -> int:
    """How many trials of a row were begun and not finished; 0 too when the row reached an end meanwhile."""
    row = db.execute("SELECT attempts FROM submission WHERE seq = ?", (seq,)).fetchone()
    return int(row[0]) if row else 0


def clear(db: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """These rows were not to blame: they stand as if never tried."""
    db.execute(f"UPDATE submission SET attempts = 0 WHERE {_THESE}", (json.dumps(list(seqs)),))


def finish(db: sqlite3.Connection, ends: Sequence[End]) -> int:
    """Rows reached one of their three ends. Returns the bytes of their bodies, which are unqueued no longer."""
    alike: dict[tuple[str, str | None, str | None], list[int]] = defaultdict(list)
    for seq, state, code, detail in ends:
        alike[state, code, detail].append(seq)
    now = time.time()
    for (state, code, detail), seqs in alike.items():
        db.execute(
            f"UPDATE submission SET state = ?, code = ?, detail = ?, ended_at = ?, attempts = 0 WHERE {_THESE}",
            (state, code, detail, now, json.dumps(seqs)),
        )
    every = json.dumps([seq for seq, *_ in ends])
    size: int = db.execute(f"SELECT coalesce(sum(size), 0) FROM submission WHERE {_THESE}", (every,)).fetchone()[0]
    return size


def suspects(db: sqlite3.Connection) -> list[int]:
    """Rows whose trial was cut short, oldest first."""
    rows = db.execute("SELECT seq FROM submission WHERE state = 'received' AND attempts > 0 ORDER BY seq")
    return [seq for (seq,) in rows]
