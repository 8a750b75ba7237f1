"""Parts of the day and clock times of it. May not know a date."""

from __future__ import annotations

import re
from typing import Final

from normalizer.when.numerals import number

_PARTS: Final = {
    "凌晨": (0, 6),
    "早": (6, 9),
    "晨": (6, 9),
    "上午": (8, 12),
    "午间": (11, 13),
    "中午": (11, 13),
    "正午": (11, 13),
    "下午": (13, 18),
    "傍晚": (17, 19),
    "晚": (18, 24),
    "夜": (18, 24),
    "夜里": (22, 30),
    "夜间": (22, 30),
    "后半夜": (24, 30),
    "半夜": (23, 29),
    "深夜": (22, 28),
    "午夜": (23, 26),
    "后晌": (13, 18),
    "晌午": (11, 13),
    "头晌": (8, 12),
    "前晌": (8, 12),
}
_WRITTEN: Final = re.compile(r"(?P<hour>\d{1,2}|[^:：点时]+)(?:[:：](?P<exact>\d\d)(?:[:：]\d\d)?|[点时](?P<rest>.*))")
_QUARTERS: Final = {"半": 30, "一刻": 15, "三刻": 45, "钟": 0, "整": 0, "": 0}


def part_hours(part: str) -> tuple[int, int]:
    """First and last hour; beyond 24 it is the next day."""
    if part in _PARTS:
        return _PARTS[part]
    for name in ("凌晨", "后半夜", "半夜", "午", "晚", "早", "晨", "夜"):
        if name in part:
            return _PARTS.get(name, (11, 13))
    return (0, 24)


def minutes(clock: str, part: str | None) -> int | None:
    """Minutes after the midnight with which the day begins; beyond 1440 for 晚上12点 and after. None: no time."""
    match = _WRITTEN.fullmatch(clock)
    if match is None:
        return None
    try:
        hour, minute = number(match["hour"]), _minute(match)
    except (ValueError, KeyError):
        return None
    if hour > 24 or minute > 59:
        return None
    return _shifted(hour, part) * 60 + minute


def _minute(match: re.Match[str]) -> int:
    if match["exact"]:
        return int(match["exact"])
    rest = match["rest"].removeprefix("过").removesuffix("分")
    if rest in _QUARTERS:
        return _QUARTERS[rest]
    return number(rest.removeprefix("零") or "零")


def _shifted(hour: int, part: str | None) -> int:
    if not part or hour > 12:
        return hour
    first, last = part_hours(part)
    if first == 0:
        return hour % 12
    if first >= 17:  # evening and night
        return hour + 12 if 5 <= hour <= 11 or (last <= 19) else hour + 12 if hour == 12 else hour + 24
    if first in (11, 13):
        return hour + 12 if hour < (11 if first == 11 else 12) else hour
    return hour
