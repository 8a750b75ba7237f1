"""The sequence of the day behind every number: taken in the transaction of the rows that get the numbers.

May not be asked outside the writer's transaction: two askers would be given the same number.
"""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from zoneinfo import ZoneInfo

from normalizer import identity


class Numbers:
    """The next numbers of each day, for one transaction."""

    def __init__(self, db: sqlite3.Connection, zone: ZoneInfo) -> None:
        self._db = db
        self._zone = zone
        self._last: dict[date, int] = {}
        (self._gateway,) = db.execute("SELECT value FROM fact WHERE name = 'gateway'").fetchone()

    def next(self, received_at: datetime) -> str:
        """The next number of that day in the site's time zone."""
        day = received_at.astimezone(self._zone).date()
        if day not in self._last:
            row = self._db.execute(
                "SELECT last FROM sequence WHERE day = ? AND gateway = ?", (day.isoformat(), self._gateway)
            ).fetchone()
            self._last[day] = row[0] if row else 0
        self._last[day] += 1
        return identity.number(day, int(self._gateway), self._last[day])

    def keep(self) -> None:
        """Write down how far each day has come; in the same transaction as the rows."""
        rows = [(day.isoformat(), self._gateway, last) for day, last in self._last.items()]
        self._db.executemany("INSERT OR REPLACE INTO sequence VALUES (?, ?, ?)", rows)
