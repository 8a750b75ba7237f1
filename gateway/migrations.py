"""The spool's schema, version by version (`PRAGMA user_version`).

May only be appended to: data of every older version opens in this one.
"""

from __future__ import annotations

import sqlite3
from typing import Final


class SpoolTooNew(RuntimeError):
    """The spool was written by a newer version; nothing was touched."""


MIGRATIONS: Final = (
    """
    CREATE TABLE submission (
      seq INTEGER PRIMARY KEY,
      ticket_id TEXT NOT NULL,
      digest TEXT NOT NULL,
      channel TEXT NOT NULL,
      source_id TEXT NOT NULL,
      received_at TEXT NOT NULL,
      content_type TEXT NOT NULL,
      meta TEXT NOT NULL,
      body BLOB NOT NULL,
      blob TEXT,
      size INTEGER NOT NULL,
      number TEXT NOT NULL,
      state TEXT NOT NULL DEFAULT 'received',
      attempts INTEGER NOT NULL DEFAULT 0,
      code TEXT,
      detail TEXT,
      ended_at REAL
    );
    CREATE INDEX submission_ticket ON submission (ticket_id);
    CREATE INDEX submission_received ON submission (seq) WHERE state = 'received';
    CREATE INDEX submission_kept ON submission (state) WHERE state IN ('set_aside', 'parked');
    CREATE TABLE sequence (day TEXT NOT NULL, gateway TEXT NOT NULL, last INTEGER NOT NULL,
      PRIMARY KEY (day, gateway)) WITHOUT ROWID;
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE purged (rows INTEGER NOT NULL);
    INSERT INTO purged VALUES (0);
    """,
    # Purging and offering again must not read every body of a week in the transaction that accepts wait for.
    "CREATE INDEX submission_queued ON submission (ended_at) WHERE state = 'queued'",
)


def refuse_newer(db: sqlite3.Connection) -> int:
    """The database's version.

    Raises:
        SpoolTooNew: it is beyond ours.
    """
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    if found > len(MIGRATIONS):
        raise SpoolTooNew(f"the spool has version {found}, this software knows up to {len(MIGRATIONS)}")
    return found


def migrate(db: sqlite3.Connection) -> None:
    """Bring the database to this version, each step in one transaction.

    Raises:
        SpoolTooNew: `user_version` is beyond ours.
    """
    found = refuse_newer(db)
    for version, script in enumerate(MIGRATIONS[found:], start=found + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {version}; COMMIT;")
