"""When it happened, by a text's own words, seen from its receipt: one reading, chosen among all that it tells.

Works in local time without a zone. May not guess: nothing told is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Final

from normalizer.when import dates, english
from normalizer.when.calendar import DAY
from normalizer.when.clock import minutes, part_hours
from normalizer.when.dates import Days, midnight
from normalizer.when.grammar import AFTER, AMOUNT, BEFORE, BEGINS, JUST, LASTING, MOMENT, SINCE, SPAN_END, TO
from normalizer.when.numerals import number
from normalizer.when.recurrence import RECURS, RECURS_BEGINS, may_recur, rule_of

_LONGEST: Final = 2_000  # characters looked at: what happened is told first
_CUE: Final = 10  # characters beside an amount of time that say that it lasts
# One cheap test: no text tells time without one of these.
_HINT: Final = re.compile(r"[年月日号点时天周昨今晚晨早夜初暑寒前近来拜双晌儿补这期刚才每节庆旦午秋明夕三\d]")
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_QUOTED: Final = re.compile(r"[《〔“「][^《》〔〕“”「」]{0,80}[》〕”」]")
_LONGEST_NAME: Final = 14  # a longer quotation is somebody's words, not a name
_QUOTES: Final = "《〔“「"

# Words that make a date something else than the matter's own.
_NEVER_BEFORE: Final = re.compile(
    r"(?:出生|生日|生于|出生于|建于|成立于|有效期|截止|截至|期限|限期|限于|营业|开放|开门|上班|办公|服务|作息|工作|放学|上学|时间[是为：:]|应于|须于|将于|预计|计划|承诺|答应|保证|规定|约定|版本|根据|依据|按照|凭|最迟|最晚|不晚于|务必|期待|希望|争取|能否|可否|请问|请在|请于|会在|要在|打算|准备)[^，,。；;！!？?]{0,8}$"
)
_NEVER_AFTER: Final = re.compile(
    r"^[^，,。；;！!？?]{0,3}(?:出生|生人|修订|颁布|施行|实施的|发布的|年检|到期|截止|之内|以内|内(?!涝))|^(?:的)?(?:版|届|级|款(?!项))"
    r"|^[^，,。；;！!？?]{0,5}(?:要不要|是否|会不会|能不能|可不可以|能否|可否|放不放|休不休|上不上班|开不开门)"
)
_HOURS_AFTER: Final = re.compile(r"^[^，,。；;！!？?]{0,3}(?:营业|开门|关门|打烊|上班|下班|放学|开放)")
# Opening hours that are asked for.
_ASKED_AFTER: Final = re.compile(
    r"^[^，,。；;！!？?]{0,4}(?:休息|上班|放假|开门|营业|办公|办理|办业务|值班|开放|有人|能办)[^，,。；;！!]{0,6}(?:[吗么嘛？?]|不(?=$|[，,。？?]))"
)
_EACH_TIME: Final = re.compile(r"(?:每次|每回|每趟|需要?|要|得)[^，,。]{0,3}$")
_UP_TO: Final = re.compile(r"(?:到|至|截止)$")
_DEADLINE_AFTER: Final = re.compile(
    r"^(?:之前|以前|前|底前|内)[^，,。；;！!？?没未不]{0,6}(?:完|交|办|答复|缴|报名|通|修|整改|恢复|解决|给|必须|到|搬|清|拆|付|发)"
)
_HISTORY: Final = re.compile(
    r"^[^，,。；;！!？?]{0,8}(?:投诉|反映|来电|拨打|打(?:过|了)?(?:12345|市长|热线|电话)|报修|报警|回复|答复|受理|购买|[买购租签]|交房|入住|搬|结婚|上牌|登记|申请|缴纳|预付|交了|承诺|答应|通知|说|办理|办的|办了|入职|开业|建成|装修完|退休|毕业|入学|报名)"
)


_NEAR: Final = re.compile("近(?!期|来)[^，,。]{1,4}(?:天|周|月|年|星期)")
_BOUNDED: Final = frozenset({"holiday", "span", "week", "month", "season"})


@dataclass(frozen=True, slots=True)
class Reading:
    """`start` included, `end` excluded, both local; `recurrence` a rule; `precision` names how it was told."""

    precision: str
    start: datetime | None = None
    end: datetime | None = None
    recurrence: str | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """One reading at its place in the text; the lower `rank`, the sooner it is believed."""

    reading: Reading
    at: int
    stop: int
    rank: int
    dated: bool = True


def read(text: str, now: datetime) -> Reading | None:
    """What `text` (simplified characters) says of when it happened; `now`: its receipt, local time without a zone."""
    text = text[:_LONGEST]
    if not _HAN.search(text) and (said := english.in_chinese(text)):
        text = said
    if not _HINT.search(text):
        return None
    if any(quote in text for quote in _QUOTES):
        text = _QUOTED.sub(_without_names, text)
    told = sorted(_timed(_finer(list(_told(text, now)))), key=lambda one: (one.rank, one.at))
    recurring = _recurring(text)
    if recurring is not None:
        rule, start, stop = recurring
        if rule == "daily" and told:
            best = told[0].reading
            if best.precision == "span" and not told[0].dated and best.start and best.end:
                return Reading("recurring", recurrence=f"daily {best.start:%H:%M}-{best.end:%H:%M}")
            if best.precision in _BOUNDED or (best.precision == "since" and _NEAR.search(text)):
                return best  # 国庆期间天天…, 近一周天天…: the days are said
        since = (one for one in told if one.reading.precision == "since" and (one.stop <= start or stop <= one.at))
        return Reading("recurring", start=next((one.reading.start for one in since), None), recurrence=rule)
    return told[0].reading if told else None


def _without_names(quoted: re.Match[str]) -> str:
    """What stands in quotation marks is blanked out when it is a title or a name."""
    is_name = quoted[0][0] in "《〔" or len(quoted[0]) <= _LONGEST_NAME
    return " " * len(quoted[0]) if is_name else quoted[0]


def _timed(told: list[_Told]) -> list[_Told]:
    """A part of a day with a clock time of it in the next words (八号早上，窗口八点半还没开) is that time."""
    timed = list(told)
    for place, (one, following) in enumerate(pairwise(told)):
        start, clock = one.reading.start, following.reading.start
        if (
            following.dated
            or one.reading.precision != "daypart"
            or following.at - one.stop > _CUE
            or not (start and clock)
        ):
            continue
        moment = datetime.combine(start.date(), clock.time())
        if one.reading.end and start <= moment < one.reading.end and following.reading.precision == "minute":
            timed[place] = replace(one, reading=Reading("minute", moment))
    return timed


def _finer(told: list[_Told]) -> list[_Told]:
    """Without those that the next one, right behind, says more exactly (跨年夜12月31日23点50分)."""
    return [
        one
        for one, following in zip_longest(told, told[1:])
        if not (following and 0 <= following.at - one.stop <= 1 and _holds(one.reading, following.reading))
    ]


def _holds(wide: Reading, narrow: Reading) -> bool:
    if not (wide.start and wide.end and narrow.start):
        return False
    return wide.start <= narrow.start < wide.end


def _recurring(text: str) -> tuple[str, int, int] | None:
    """The rule, and where the words that make it stand."""
    if not may_recur(text):
        return None
    for begins in RECURS_BEGINS.finditer(text):
        match = RECURS.match(text, begins.start())
        if match is None:
            continue
        clause = text[max(0, match.start() - 10) : match.start()]
        if _NEVER_BEFORE.search(clause):
            continue
        rule, end = rule_of(match, text)
        if rule in {"monthly", "yearly", "weekly"} or _NEVER_AFTER.search(text[end : end + 8]):
            continue
        return rule, match.start(), end
    return None


def _told(text: str, now: datetime) -> Iterator[_Told]:
    position = 0
    while position < len(text):
        begins = BEGINS.search(text, position)
        if begins is None:
            break
        match = MOMENT.match(text, begins.start())
        if match is None:
            position = begins.end()
            continue
        position = match.end()
        try:
            one = _moment(text, match, now)
        except (ValueError, OverflowError):  # no such day, or one that the calendar does not reach
            continue
        if one is not None:
            position = max(position, one.stop)
            yield one
    if (just := JUST.search(text)) is not None:
        yield _Told(Reading("now", now - timedelta(minutes=30), now), just.start(), just.end(), 3)
    yield from _lasting(text, now)


def _lasting(text: str, now: datetime) -> Iterator[_Told]:
    for amount in AMOUNT.finditer(text):
        match = LASTING.search(text, max(0, amount.start() - _CUE), amount.end() + _CUE)
        if match is None or match.end() < amount.end():
            continue
        count = match["n"] or match["n2"] or match["n3"] or match["n4"] or match["n5"]
        unit = match["unit"] or match["unit2"] or match["unit3"] or match["unit4"] or match["unit5"]
        if (count, unit) == ("半", "天"):  # a long while
            continue
        try:
            found = dates.ago(count, unit, bool(match["half"]), now)
        except (ValueError, OverflowError):
            continue
        if found is None or _EACH_TIME.search(text[max(0, match.start() - 8) : match.start()]):
            continue
        if not _is_something_else(text, match.start(), match.end()):
            yield _Told(Reading("since", found[0]), match.start(), match.end(), 2)


def _moment(text: str, match: re.Match[str], now: datetime) -> _Told | None:
    told = dates.of_match(match, now)
    part = match["part"] or match["part2"] or match["short"]
    clock = match["clock"] or match["clock2"] or match["clock3"]
    if told is None and not clock:
        return None
    if told is None and not _has_no_date(match):
        return None
    days = _with_clock(told, part, clock, bool(match["loose"]), now)
    if days is None:
        return None
    rank = 2 if told is None or told.precision == "year" else 1
    dated = told is not None
    one = _Told(Reading(days.precision, days.start, days.end), match.start(), match.end(), rank, dated)
    one = _extended(text, one, match, part, now)
    if clock and _HOURS_AFTER.search(text[one.stop : one.stop + 10]):
        return None
    if (match["rel"] or "").startswith("今") and _UP_TO.search(text[: one.at]):
        return None
    if _is_something_else(text, one.at, one.stop) or (one.reading.start is not None and one.reading.start > now):
        return None
    if _HISTORY.search(text[one.stop : one.stop + 14]):
        one = replace(one, rank=one.rank + 3)
    return one


def _has_no_date(match: re.Match[str]) -> bool:
    return bool(match["clock3"] or match["clock2"])


def _is_something_else(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 14) : start], text[end : end + 14]
    return bool(
        _NEVER_BEFORE.search(before)
        or _NEVER_AFTER.search(after)
        or _DEADLINE_AFTER.search(after)
        or _ASKED_AFTER.search(after)
    )


def _with_clock(told: Days | None, part: str | None, clock: str | None, loose: bool, now: datetime) -> Days | None:
    """The day narrowed to its part, or to a clock time of it."""
    if told is None:
        day = midnight(now.date())
    elif told.precision in {"day", "about"}:
        day = told.start
    elif told.precision == "minute" or not (part or clock):
        return told
    else:
        return told
    if clock:
        after = minutes(clock, part)
        if after is None:
            return told
        start = day + timedelta(minutes=after)
        if told is None and start > now:
            start -= DAY
        return Days(start, start + timedelta(hours=1), "hour") if loose else Days(start, None, "minute")
    if part and told is not None:
        first, last = part_hours(part)
        return Days(day + timedelta(hours=first), day + timedelta(hours=last), "daypart")
    return told


def _extended(text: str, one: _Told, match: re.Match[str], part: str | None, now: datetime) -> _Told:
    """With what follows: to another moment, and ever since, before it."""
    if (to := TO.match(text, one.stop)) is not None:
        joined = _to(text, one, to.end(), part, now)
        if joined is not None:
            return joined
    if text[one.stop - 1] != "的" and SINCE.match(text, one.stop) is not None:  # 2019年的工程款至今…: the year's
        return replace(one, reading=Reading("since", one.reading.start), stop=one.stop)
    named = match["holiday"] or match["month"] or match["year"]
    if named and not match["hd"]:
        due = not match["holiday"] and _DEADLINE_AFTER.search(text[one.stop : one.stop + 14])
        if (
            not due
            and (before := BEFORE.match(text, one.stop)) is not None
            and (until := _until(match, now)) is not None
        ):
            return replace(one, reading=Reading("before", None, until), stop=before.end())
        if match["holiday"] and (after := AFTER.match(text, one.stop)) is not None:
            return replace(one, reading=Reading("since", one.reading.end), stop=after.end())
    return one


def _until(match: re.Match[str], now: datetime) -> datetime | None:
    """Before a holiday is before the festival itself, which may be later than its first day off."""
    found = dates.of_match(match, now)
    if found is None or not match["holiday"]:
        return found.start if found else None
    return midnight(dates.festival(match["holiday"], found))


def _to(text: str, one: _Told, position: int, part: str | None, now: datetime) -> _Told | None:
    """The span from `one` to the moment at `position`."""
    start = one.reading.start
    if start is None:
        return None
    second = MOMENT.match(text, position)
    if second is not None and not second["day"] and (told := dates.of_match(second, now)) is not None:
        days = _with_clock(told, second["part"] or second["short"], second["clock"], False, now)
        end = (days.end or days.start) if days else None
        if end is not None and end > start:
            return replace(one, reading=Reading("span", start, end), stop=second.end())
    match = SPAN_END.match(text, position)
    if match is None:
        return None
    if match["to_now"]:
        return replace(one, reading=Reading("since", start), stop=match.end())
    until = _end_of(match, one, part)
    return None if until is None else replace(one, reading=Reading("span", start, until), stop=match.end())


def _end_of(match: re.Match[str], one: _Told, part: str | None) -> datetime | None:
    start = one.reading.start
    assert start is not None
    day = midnight(start.date())
    if match["day"]:
        try:
            end = day.replace(day=number(match["day"])) + DAY
        except ValueError:
            return None
    elif match["wd"]:
        place = min("一二三四五六日天".index(match["wd"][-1]), 6)
        end = day + ((place - day.weekday()) % 7) * DAY + DAY
    elif match["clock"]:
        own = match["part"]
        after = minutes(match["clock"], own or part)
        if after is None:
            return None
        end = day + timedelta(minutes=after) + (DAY if match["next"] else timedelta())
        if end <= start:
            end += timedelta(hours=12) if not own and end + timedelta(hours=12) > start else DAY
    else:
        end = day + DAY + timedelta(hours=part_hours(match["part2"])[1])
    return end if end > start else None
