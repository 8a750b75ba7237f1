"""Weibo's clock, `Tue May 31 17:46:55 +0800 2011`, and the keys of a talk that lasts while its gaps are short.

Pure. May not guess a zone: a time without one is no time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

_MONTHS: Final = {name: number for number, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
)}  # fmt: skip
_SHAPE: Final = re.compile(
    r"[A-Za-z]{3},? (?P<month>[A-Za-z]{3}) (?P<day>[0-9]{1,2}) (?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2}) "
    r"(?P<zone>[+-][0-9]{4}) (?P<year>[0-9]{4})"
)
_DAY: Final = 86_400
_BUCKET: Final = 2  # days


def moment_of(given: Any) -> datetime | None:
    """The moment with its offset; None when it is not written so."""
    found = _SHAPE.fullmatch(given.strip()) if isinstance(given, str) else None
    month = _MONTHS.get(found["month"].lower()) if found else None
    if found is None or month is None:
        return None
    try:
        hour, minute, second = map(int, found["clock"].split(":"))
        hours, minutes = int(found["zone"][1:3]), int(found["zone"][3:])
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if found["zone"][0] == "-" else 1)
        return datetime(int(found["year"]), month, int(found["day"]), hour, minute, second, tzinfo=timezone(offset))
    except (ValueError, OverflowError):
        return None


def talk_keys(uid: str, at: datetime) -> tuple[str, ...]:
    """What one citizen says goes on with what he said less than about two days ago: two-day buckets, this one and
    the one before."""
    bucket = int(at.astimezone(UTC).timestamp() // _DAY) // _BUCKET
    return (f"weibo:talk:{uid}:{bucket}", f"weibo:talk:{uid}:{bucket - 1}")
