"""The common English expressions of time, said in the words that the grammar knows. May not read anything else."""

from __future__ import annotations

import re
from typing import Final

_COUNT: Final = {
    "a": "1",
    "an": "1",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "ten": "10",
    "half an": "半",
    "half a": "半",
}
_UNITS: Final = {"minute": "分钟", "hour": "小时", "day": "天", "week": "周", "month": "个月", "year": "年"}
_DAYS: Final = {"mon": "一", "tue": "二", "wed": "三", "thu": "四", "fri": "五", "sat": "六", "sun": "日"}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PARTS: Final = {"morning": "早上", "afternoon": "下午", "evening": "晚上", "night": "晚上", "noon": "中午"}
_WEEKDAY: Final = r"(?P<{0}>mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?s?"
_MONTH: Final = r"(?P<{0}>jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
_CLOCK: Final = r"(?:\s*(?:at|around|about|,)?\s*(?P<hour>\d{1,2})(?::(?P<min>\d\d))?\s*(?P<ap>[ap])\.?m\.?)?"
_DATE: Final = re.compile(
    r"\b(?:(?P<since>since|from)\s+)?"
    rf"(?:(?P<every>every|each)\s+(?:single\s+)?(?:(?P<unit>day|night|evening|morning|weekend)|{_WEEKDAY.format('ewd')})"
    r"|(?P<rel>yesterday|last night|tonight|today|this morning|this afternoon|this evening"
    r"|last week|last month|last year|last weekend)(?:\s+(?P<part>morning|afternoon|evening|night))?"
    r"|(?P<n>half an?|an?|one|two|three|four|five|six|ten|\d{1,3})\s+(?P<what>minute|hour|day|week|month|year)s?\s+ago"
    rf"|(?P<last>last\s+|on\s+|this\s+)?{_WEEKDAY.format('wd')}(?:\s+(?P<part2>morning|afternoon|evening|night))?"
    rf"|(?:on\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+{_MONTH.format('m1')}(?:,?\s+(?P<y1>20\d\d))?"
    rf"|(?:on\s+)?{_MONTH.format('m2')}\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<y2>20\d\d))?)"
    rf"(?:\s+(?P<after>after|from))?{_CLOCK}",
    re.IGNORECASE,
)
_RELATIVE: Final = {
    "yesterday": "昨天",
    "last night": "昨天晚上",
    "tonight": "今天晚上",
    "today": "今天",
    "this morning": "今天早上",
    "this afternoon": "今天下午",
    "this evening": "今天晚上",
    "last week": "上周",
    "last month": "上个月",
    "last year": "去年",
    "last weekend": "上周末",
}
_EVERY: Final = {"day": "每天", "night": "每天晚上", "evening": "每天晚上", "morning": "每天早上", "weekend": "每周末"}


def in_chinese(text: str) -> str | None:
    """The first expression of time, in Chinese words; None when there is none."""
    match = _DATE.search(text)
    if match is None:
        return None
    clock = ""
    if match["hour"]:
        hour = int(match["hour"]) % 12 + (12 if match["ap"].lower() == "p" else 0)
        clock = f"{hour}:{match['min'] or '00'}"
    said = _day(match)
    if clock:
        said = re.sub("早上|下午|晚上", "", said) if not match["every"] else said
    return said + clock + ("以后" if match["after"] and clock else "开始" if match["since"] else "")


def _day(match: re.Match[str]) -> str:
    if match["every"]:
        return _EVERY[match["unit"].lower()] if match["unit"] else "每周" + _DAYS[match["ewd"].lower()[:3]]
    if match["rel"]:
        return _RELATIVE[match["rel"].lower()] + _PARTS.get((match["part"] or "").lower(), "")
    if match["n"]:
        count = match["n"].lower()
        return _COUNT.get(count, count) + _UNITS[match["what"].lower()] + "前"
    if match["wd"]:
        part = _PARTS.get((match["part2"] or "").lower(), "")
        return (
            ("上周" if (match["last"] or "").lower().startswith("last") else "周")
            + _DAYS[match["wd"].lower()[:3]]
            + part
        )
    month, year = (match["m1"] or match["m2"]).lower()[:3], match["y1"] or match["y2"]
    return (f"{year}年" if year else "") + f"{_MONTHS.index(month) + 1}月{match['day'] or match['day2']}日"
