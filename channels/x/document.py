"""JSON from outside without trusting it: each member is what we need, or it is not there. May not know posts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from normalizer.errors import Rejected

Document = Mapping[str, Any]
_ID: Final = re.compile(r"[0-9]{1,19}")


def read(body: bytes) -> Any:
    """The JSON value. Raises Rejected: `not_json`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected("not_json", "This is no JSON.") from None


def mapping(value: object) -> Document:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def members(value: object) -> list[Document]:
    """The objects of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object) -> str | None:
    """A text that is not blank; halves of surrogate pairs, which no encoding knows, are replaced."""
    if not isinstance(value, str) or not value.strip():
        return None
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def identity(value: object) -> str | None:
    """An id as decimal digits, whether it came as text or as a number."""
    found = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def identities(value: object) -> tuple[str, ...]:
    """The ids in a list."""
    return tuple(found for one in value if (found := identity(one))) if isinstance(value, list) else ()


def degrees(value: object, most: int) -> float | None:
    """A coordinate from -`most` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -most <= value <= most else None


def moment(value: object) -> datetime | None:
    """RFC 3339 (API v2), or as API v1.1 writes it: `Wed Oct 10 20:19:24 +0000 2018`."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    for reading in (datetime.fromisoformat, _old):
        try:
            found = reading(value)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def _old(value: str) -> datetime:
    """The parts as RFC 5322 orders them, so that months are read whatever the locale is."""
    weekday, month, day, clock, zone, year = value.split()
    return parsedate_to_datetime(f"{weekday}, {day} {month} {year} {clock} {zone}")
