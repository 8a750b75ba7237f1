"""Members of a document that somebody else wrote: each function takes any JSON value and gives one type.

May not raise, and may not guess: what is not of the type wanted is as good as absent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, cast

Record = Mapping[str, object]

NUMBER_MAX_CHARACTERS: Final = 40
# ISO 8601-1 5.5.2: a duration of time only; calls last no days, and services write none.
_DURATION: Final = re.compile(
    r"PT(?:([0-9]{1,9}(?:\.[0-9]{1,12})?)H)?(?:([0-9]{1,9}(?:\.[0-9]{1,12})?)M)?(?:([0-9]{1,9}(?:\.[0-9]{1,12})?)S)?"
)

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,4}")
_NAMED_LANGUAGES: Final = {"chinese": "zh", "mandarin": "zh", "cantonese": "yue", "english": "en"}


def as_record(value: object) -> Record:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_records(value: object) -> list[Record]:
    """The objects of the list; whatever else it holds is left out."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def first_record(value: object) -> Record:
    """The first object of the list (services put the best of their readings first), or an empty one."""
    if isinstance(value, list):
        for entry in value:
            if isinstance(entry, dict):
                return entry
    return {}


def as_list(value: object) -> list[object]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """The string without blanks around it, or ""."""
    return value.strip() if isinstance(value, str) else ""


def as_label(value: object) -> str:
    """A name or a number that tells one thing from another, as text; "" when it is neither."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    number = as_number(value)
    return "" if number is None else f"{number:.15g}"


def as_number(value: object) -> float | None:
    """A finite number, also when it is written as a string."""
    # The hottest line of an hour's call: the kinds are told apart once, the likely one first.
    kind = type(value)
    if kind is float:
        number = cast(float, value)
    elif kind is int or (kind is str and len(cast(str, value)) <= NUMBER_MAX_CHARACTERS):
        try:
            number = float(cast(str, value))
        except (ValueError, OverflowError):
            return None
    else:
        return None
    return number if math.isfinite(number) else None


def as_share(value: object) -> float | None:
    """A number from 0 to 1, as confidences are."""
    number = as_number(value)
    return number if number is not None and 0 <= number <= 1 else None


def scaled(value: object, unit: float) -> float | None:
    """Seconds, from a number of which `unit` make one second."""
    number = as_number(value)
    return None if number is None else number / unit


def as_duration(value: object) -> float | None:
    """Seconds of an ISO 8601 duration (`PT1M2.5S`)."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def as_language(value: object) -> str | None:
    """A BCP 47 tag, also of the names that Whisper gives; None for `auto` and other words that are no tag."""
    word = as_text(value)
    if word.lower() in _NAMED_LANGUAGES:
        return _NAMED_LANGUAGES[word.lower()]
    return word if _LANGUAGE.fullmatch(word) else None


def first(record: Record, *names: str) -> object:
    """The first of these members that is there and not null: services spell one thing several ways."""
    for name in names:
        value = record.get(name)
        if value is not None:
            return value
    return None


def without_query(url: str) -> str:
    """A recording's address without its query: there the storage services put the key that opens it."""
    return url.partition("?")[0].partition("#")[0]
