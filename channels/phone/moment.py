"""When it happened, if the citizen simply said so: 昨天晚上十点半, yesterday evening. Else nothing.

Pure. May not guess: what happens every day, what began and goes on, and the time to call back are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Final

from pydantic import Field

from channels.phone.numerals import understood
from channels.phone.roles import Line
from channels.phone.rules import Data, Words, anyone, load
from normalizer.ticket import Span, Speaker

_TURNS: Final = 40  # citizens' turns looked at
_SAID: Final = 1_000  # characters of a turn looked at
_Hour = Annotated[int, Field(ge=0, le=24)]


class _Part(Words):
    start: _Hour
    end: _Hour


class _Book(Data):
    days: dict[str, int]
    part: tuple[_Part, ...]
    now: Words
    not_once: Words


_BOOK: Final = load("moment", _Book)
_DAY: Final = anyone(sorted(_BOOK.days, key=len, reverse=True))
_PARTS: Final = tuple((part, part.compiled()) for part in _BOOK.part)
_NOW: Final = _BOOK.now.compiled()
_NOT_ONCE: Final = _BOOK.not_once.compiled()
_CLAUSE: Final = re.compile(r"[^，,。.；;！!？?\n]+")
# After `understood`: 10点半, 9点30分, 2点一刻 stays 2点1刻, 22:30, 9 pm, 9:30 am.
_CLOCK: Final = re.compile(
    r"(?P<english>\d{1,2})(?::(?P<past>\d\d))? ?(?P<half_day>[ap])\.?m\b"
    r"|(?P<hour>\d{1,2})(?:点(?:钟|整)?(?:(?P<half>半)|(?P<quarter>[13])刻|(?P<minute>\d{1,2})分?)?|[:：](?P<colon>\d\d))",
    re.IGNORECASE,
)
_REACH: Final = 24  # characters behind the day in which the hour stands
_AGO: Final = re.compile(r"(?P<count>\d{1,3})个?(?P<unit>天|小时|分钟)(?:之?前)|(?P<half>半)个?小时之?前")


def occurred(lines: Iterable[Line], started_at: datetime | None, zone: tzinfo | None = None) -> Span | None:
    """The first moment or span that a citizen names, in the past of the call.

    Args:
        started_at: when the call began; without it a day cannot be counted back.
        zone: where the clock stands that people mean; without it, the offset of `started_at`.
    """
    if started_at is None or started_at.utcoffset() is None:
        return None
    try:
        call = started_at.astimezone(zone) if zone else started_at
        spoken = [line.text[:_SAID] for line in lines if line.role is Speaker.CITIZEN][:_TURNS]
        for text in spoken:
            for clause in _CLAUSE.finditer(text):
                found = None if _NOT_ONCE.search(clause[0]) else _of_clause(clause[0], call)
                if found:
                    return found
    except OverflowError:  # a call in the year 1
        return None
    return None


def _of_clause(clause: str, call: datetime) -> Span | None:
    day = _DAY.search(clause)
    if day:
        midnight = call.replace(hour=0, minute=0, second=0, microsecond=0)
        return _of_day(clause[day.start() :], midnight - timedelta(days=_BOOK.days[day[0].lower()]), call)
    if _NOW.search(clause):
        return Span(start=call)
    ago = _AGO.search(understood(clause))
    if not ago:
        return None
    if ago["half"]:
        return Span(start=call - timedelta(minutes=30))
    count = int(ago["count"])
    if ago["unit"] == "天":
        midnight = call.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=count)
        return Span(start=midnight, end=midnight + timedelta(days=1))
    return Span(start=call - timedelta(**{"hours" if ago["unit"] == "小时" else "minutes": count}))


def _of_day(words: str, midnight: datetime, call: datetime) -> Span | None:
    near = understood(words)[:_REACH]
    part = next((part for part, pattern in _PARTS if pattern.search(near)), None)
    clock = _clock(near, part)
    if clock is not None:
        moment = midnight + clock
        return Span(start=moment) if moment <= call else None
    start = midnight + timedelta(hours=part.start if part else 0)
    end = min(call, midnight + timedelta(hours=part.end if part else 24))
    return Span(start=start, end=end) if start < end else None


def _clock(words: str, part: _Part | None) -> timedelta | None:
    found = _CLOCK.search(words)
    if not found:
        return None
    hour = int(found["hour"] or found["english"])
    minute = int(found["minute"] or found["colon"] or found["past"] or 0)
    minute = 30 if found["half"] else 15 * int(found["quarter"]) if found["quarter"] else minute
    if hour > 24 or minute > 59:
        return None
    afternoon = (found["half_day"] or "").lower() == "p" or (part is not None and part.start >= 11)
    if hour < 12 and afternoon and not (part is not None and part.start == 11 and hour == 11):
        hour += 12
    elif hour == 12 and part is not None and part.start >= 18:
        hour = 24  # 晚上十二点 is the midnight that ends the day
    return timedelta(hours=hour, minutes=minute)
