"""A matched date as a span of days, seen from the day of receipt: the latest one not after it.

May not look at the words around a match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from normalizer.when.calendar import DAY, calendar
from normalizer.when.grammar import FIXED_DAYS, HOLIDAYS, LUNAR_DAYS, SEASONS
from normalizer.when.numerals import number

_WEEKDAYS: Final = "一二三四五六日天"
_VACATIONS: Final = {"暑": ((7, 1), (8, 31)), "寒": ((1, 15), (2, 20))}
_ISO: Final = re.compile(r"[-/.]")
_MINUTES: Final = {"分钟": 1, "刻钟": 15, "小时": 60, "钟头": 60}
_DAYS: Final = {"天": 1, "周": 7, "星期": 7, "礼拜": 7}


@dataclass(frozen=True, slots=True)
class Days:
    """`start` included, `end` excluded; `exact`: a moment, not a whole day. `open`: it goes on."""

    start: datetime
    end: datetime | None
    precision: str


def midnight(day: date) -> datetime:
    """The beginning of the day."""
    return datetime.combine(day, time())


def days(first: date, last: date, precision: str) -> Days:
    """From `first` to `last`, both included."""
    return Days(midnight(first), midnight(last + DAY), precision)


def month_back(day: date, months: int) -> date:
    """The same day so many months before, or the last of that month. Raises ValueError: before the calendar."""
    count = day.year * 12 + day.month - 1 - months
    year, month = divmod(count, 12)
    for last in range(day.day, 0, -1):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise ValueError("no such month")


def of_match(match: re.Match[str], now: datetime) -> Days | None:
    """What the date part of a match says, or None: no date part, or no such day."""
    for name, reader in _READERS.items():
        if match[name]:
            try:
                return reader(match, now)
            except (ValueError, OverflowError):
                return None
    return None


def year_of(written: str | None, now: date) -> int | None:
    """2018年, 18年, 二〇一八年, 去年."""
    if not written:
        return None
    back = {"今年": 0, "去年": 1, "上一年": 1, "前年": 2, "大前年": 3, "这个": 0, "这": 0}.get(written)
    if back is not None:
        return now.year - back
    value = number(written[:-1].replace("九", "9") if written[:-1].isdigit() else written[:-1])
    return value + 2000 if value < 100 else value


def _latest(candidates: list[date], now: date) -> date:
    """Raises ValueError: there is no such day."""
    return max((one for one in candidates if one <= now), default=min(candidates))


def _iso(match: re.Match[str], now: datetime) -> Days:
    day = date(*map(int, _ISO.split(match["iso"])))
    return days(day, day, "day")


def _month_day(match: re.Match[str], now: datetime) -> Days:
    month, day = int(match["mm"]), int(match["dd"])
    first = _latest([date(now.year - back, month, day) for back in range(2)], now.date())
    return days(first, first, "day")


def _lunar(match: re.Match[str], now: datetime) -> Days | None:
    named = match["lm"] or (match["lm2"] or "正月")[:-1]
    month = {"正": 1, "腊": 12, "冬": 11}.get(named) or number(named)
    wanted = year_of(match["ly"], now.date())
    day = number(match["ld"]) if match["ld"] else None
    for year in [wanted - (1 if month > 10 else 0)] if wanted else range(now.year, now.year - 3, -1):
        first = calendar().from_lunar(year, month, day or 1)
        if first is not None and (wanted or first <= now.date()):
            last = first if day else calendar().from_lunar(year, month, 30) or first
            return days(first, last, "day" if day else "month")
    return None


def _holiday(match: re.Match[str], now: datetime) -> Days | None:
    name, part = match["holiday"], match["hd"] or ""
    wanted = year_of(match["hy"], now.date())
    for year in [wanted] if wanted else range(now.year + 1, now.year - 3, -1):
        found = _holiday_of(name, year)
        ahead = 7 * DAY if part.startswith("前一") else DAY * 0
        if found is None or (not wanted and midnight(found[0] - ahead) > now):
            continue
        if name[:2] == "十一" and name[2:] in {"当天", "那天"}:
            part = "当天"
        if name in LUNAR_DAYS or name in FIXED_DAYS or (not part and (match["part"] or match["clock"])):
            part = "当天"
        return _within(found, part, name, year, now)
    return None


def _holiday_of(name: str, year: int) -> tuple[date, date] | None:
    if name in FIXED_DAYS:
        return date(year, *FIXED_DAYS[name]), date(year, *FIXED_DAYS[name])
    if name in HOLIDAYS:
        return calendar().days_off(year, HOLIDAYS[name])
    month, day = LUNAR_DAYS[name]
    first = calendar().from_lunar(year - 1 if month == 12 else year, month, day)
    return (first, first) if first else None


def _statutory(name: str, year: int, off: tuple[date, date]) -> date:
    """The festival itself."""
    lunar = {"spring": (1, 1), "duanwu": (5, 5), "mid_autumn": (8, 15)}.get(HOLIDAYS.get(name, ""))
    if lunar:
        return calendar().from_lunar(year, *lunar) or off[0]
    fixed = {"national": (10, 1), "labour": (5, 1), "new_year": (1, 1)}.get(HOLIDAYS.get(name, ""))
    return date(year, *fixed) if fixed else off[0]


def festival(name: str, off: Days) -> date:
    """The day of the festival in the days off around it."""
    year = off.end.year if off.end else off.start.year
    return _statutory(name, year, (off.start.date(), off.start.date()))


def _within(off: tuple[date, date], part: str, name: str, year: int, now: datetime) -> Days:
    first, last = off
    nth = re.match("第([一二三四五六七八])天", part)
    if nth:
        first = last = first + (number(nth[1]) - 1) * DAY
    elif part == "最后一天":
        first = last
    elif part in {"当天", "那天"}:
        first = last = _statutory(name, year, off)
    elif part == "前一天":
        first = last = first - DAY
    elif part.startswith("前一"):
        return days(first - 7 * DAY, first - DAY, "span")
    elif part == "后一天":
        first = last = last + DAY
    elif "工作日" in part or "上班" in part:
        first = last = calendar().workday(last + DAY, 1)
    elif part in {"调休", "补班"}:
        near = [day for day in calendar().make_up_days(now.date()) if abs((day - first).days) < 15]
        first = last = near[0] if near else first
    else:
        return days(first, last, "holiday")
    return days(first, last, "day")


def _month(match: re.Match[str], now: datetime) -> Days:
    written, today = match["month"], now.date()
    year = year_of(match["my"], today)
    back = {"上上个月": 2, "上上月": 2, "上个月": 1, "上月": 1, "这个月": 0, "本月": 0, "当月": 0}.get(written)
    day = number(match["md"]) if match["md"] else None
    if back is not None:
        first = month_back(today.replace(day=1), back)
    else:
        month = number(written.removesuffix("份").removesuffix("月"))
        years = [year] if year else [today.year, today.year - 1, today.year - 2, today.year - 3, today.year - 4]
        whole = [date(one, month, 1) for one in years]
        first = _latest([one.replace(day=day) for one in whole if _has(one, day)] if day else whole, today)
    if day:
        found = first.replace(day=day)
        return days(found, found, "day")
    last = month_back(first, -1) - DAY
    third = {"上": (1, 10), "初": (1, 10), "中": (11, 20), "下": (21, 31), "底": (21, 31), "末": (21, 31)}
    if match["third"] and match["third"][0] in third:
        low, high = third[match["third"][0]]
        return days(first.replace(day=low), min(last, first + (high - 1) * DAY), "span")
    return days(first, last, "month")


def _has(first: date, day: int | None) -> bool:
    try:
        first.replace(day=day or 1)
    except ValueError:
        return False
    return True


def _season(match: re.Match[str], now: datetime) -> Days:
    year = year_of(match["sy"], now.date()) or now.year
    named = match["season"] or match["vac"]
    if named[0] in _VACATIONS:
        (month, day), (last_month, last_day) = _VACATIONS[named[0]]
        if not match["sy"] and date(year, month, day) > now.date():
            year -= 1
        return days(date(year, month, day), date(year, last_month, last_day), "span")
    first = date(year, SEASONS[named[0]], 1)
    if midnight(first) > now:
        first = first.replace(year=year - 1)
    return days(first, month_back(first, -3) - DAY, "season")


def _year(match: re.Match[str], now: datetime) -> Days:
    year = year_of(match["year"], now.date()) or now.year
    half = match["half"] or ""
    first, last = {
        "上半年": (1, 6),
        "下半年": (7, 12),
        "年初": (1, 2),
        "初": (1, 2),
        "年底": (11, 12),
        "底": (11, 12),
    }.get(half, (5, 8) if half else (1, 12))
    return days(date(year, first, 1), month_back(date(year, last, 1), -1) - DAY, "span" if half else "year")


def _relative(match: re.Match[str], now: datetime) -> Days:
    back = {"大前天": 3, "前天": 2, "前": 2, "前儿": 2, "前儿个": 2, "昨天": 1, "昨日": 1, "昨儿": 1, "昨": 1}.get(
        match["rel"], 0
    )
    day = now.date() - back * DAY
    return days(day, day, "day")


def _week(match: re.Match[str], now: datetime) -> Days:
    written, weekday, today = match["week"], match["wd"], now.date()
    back = written.count("上")
    monday = today - today.weekday() * DAY - 7 * back * DAY
    if not weekday:
        return days(monday, monday + 6 * DAY, "week")
    if weekday == "末":
        if not back and monday + 5 * DAY > today:
            monday -= 7 * DAY
        return days(monday + 5 * DAY, monday + 6 * DAY, "span")
    day = monday + min(_WEEKDAYS.index(weekday), 6) * DAY
    if not back and day > today:
        day -= 7 * DAY
    return days(day, day, "day")


def ago(count: str, unit: str, half: bool, now: datetime) -> tuple[datetime, str] | None:
    """So long before `now`; the precision that such words have."""
    if count == "几":
        return None
    amount = 0.5 if count == "半" else number(count) + (0.5 if half else 0)
    if unit in _MINUTES:
        return now - timedelta(minutes=amount * _MINUTES[unit]), "minute"
    if unit in _DAYS:
        return midnight(now.date()) - amount * _DAYS[unit] * DAY, "day" if unit == "天" else "about"
    months = amount * (12 if unit == "年" else 1)
    if months == 0.5:
        return midnight(now.date() - 15 * DAY), "about"
    back = midnight(month_back(now.date(), int(months))) - (15 * DAY if months % 1 else timedelta())
    return back, "year" if unit == "年" and amount >= 1 and not half else "about"


def _ago(match: re.Match[str], now: datetime) -> Days | None:
    found = ago(match["ago"], match["unit"], bool(match["half2"]), now)
    if found is None:
        return None
    start, precision = found
    if precision == "minute":
        return Days(start, None, "minute")
    if precision == "year":
        return days(date(start.year, 1, 1), date(start.year, 12, 31), "year")
    return Days(start, start + DAY, precision)


def _workday(match: re.Match[str], now: datetime) -> Days | None:
    today = now.date()
    if match["workday"].endswith("工作日"):
        day = calendar().workday(today - DAY, -1)
        return days(day, day, "day")
    made_up = calendar().make_up_days(today)
    return days(made_up[0], made_up[0], "day") if made_up else None


def _made_up(match: re.Match[str], now: datetime) -> Days | None:
    """The weekend day that was worked: the latest, near the holiday that is named, before or after it."""
    made_up = calendar().make_up_days(now.date())
    if match["mw"]:
        made_up = [day for day in made_up if day.weekday() == (5 if match["mw"] == "六" else 6)]
    named = {"过年": "春节", "过完年": "春节"}.get(match["mh"] or "", match["mh"] or "")
    if named in HOLIDAYS:
        side = "后" if match["mh"] == "过完年" else match["side"]
        made_up = _beside(made_up, HOLIDAYS[named], side, now.year) or made_up
    if not made_up:
        return None
    last = made_up[0]
    return days(last - DAY, last, "span") if match["two"] else days(last, last, "day")


def _beside(made_up: list[date], holiday: str, side: str | None, year: int) -> list[date]:
    """Those within two weeks of the holiday, this year's or else the last one's, the nearest first."""
    for off in filter(None, (calendar().days_off(one, holiday) for one in (year, year - 1))):
        away = {day: (off[0] - day).days if day < off[0] else (off[1] - day).days for day in made_up}
        near = [
            day for day, by in away.items() if abs(by) < 15 and (by > 0 if side == "前" else by < 0 if side else True)
        ]
        if near:
            return sorted(near, key=lambda day: abs(away[day]))
    return []


def _day(match: re.Match[str], now: datetime) -> Days:
    wanted, today = number(match["day"][:-1]), now.date()
    months = [month_back(today.replace(day=1), back) for back in range(3)]
    day = _latest([one.replace(day=wanted) for one in months if _has(one, wanted)], today)
    return days(day, day, "day")


_READERS: Final[dict[str, Callable[[re.Match[str], datetime], Days | None]]] = {
    "iso": _iso,
    "mm": _month_day,
    "lunar": _lunar,
    "madeup": _made_up,
    "holiday": _holiday,
    "month": _month,
    "season": _season,
    "vac": _season,
    "year": _year,
    "rel": _relative,
    "week": _week,
    "ago": _ago,
    "workday": _workday,
    "day": _day,
}
