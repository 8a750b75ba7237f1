"""What happens again and again, as a rule: `daily 22:00-`, `weekly SA,SU`, `workdays 08:00`, `monthly 15`,
`lunar monthly 1,15`, `yearly 07`. Hours after `HH:MM-HH:MM`: 24:00 is midnight, an end below the start the next day's.

May not tell since when.
"""

from __future__ import annotations

import re
from typing import Final

from normalizer.when.clock import minutes, part_hours
from normalizer.when.grammar import CLOCK, PART
from normalizer.when.numerals import number

_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NAMES: Final = "一二三四五六日天"
_WEEKDAY: Final = r"(?:周|星期|礼拜)?[一二三四五六日天末](?![点个月年])"
_OFTEN: Final = r"(?:经常|总是|老是|常常|时常|天天|每天|每晚|都在?|一直|动不动|几乎)"
_NIGHTLY: Final = r"(?:晚上|夜里|半夜|深夜|凌晨|早上|清晨|中午|下午|傍晚|上午)"
# No rule is told without one of these.
HINTS: Final = (
    "每",
    "天天",
    "日日",
    "夜夜",
    "年年",
    "逢",
    "一到",
    "凡",
    "双休",
    "工作日",
    "平日",
    "初一",
    "周",
    "星期",
    "礼拜",
)
RECURS_BEGINS: Final = re.compile(
    r"[每逢凡一双周星礼工平农阴初年天日夜经总老常时都动几晚半深凌早清中下傍上](?=[天日晚夜早周星月年个到逢工双休拜期作时里常是不乎会一二三四五六末农历阴初十间上午晨黑在半深凌下傍直中清])"
)
OFTEN_HINTS: Final = ("常", "总是", "老是", "动不动", "几乎", "都", "一直")
NIGHT_HINTS: Final = ("晚上", "夜里", "半夜", "深夜", "凌晨", "早上", "清晨", "中午", "下午", "傍晚", "上午")


def may_recur(text: str) -> bool:
    """A cheap test: whether the pattern is worth trying."""
    if any(word in text for word in HINTS):
        return True
    return any(word in text for word in NIGHT_HINTS) and any(word in text for word in OFTEN_HINTS)


RECURS: Final = re.compile(
    rf"(?P<weekly>(?:每(?:逢|到)?个?|逢|一到|凡)(?:周|星期|礼拜)(?:的)?(?P<wd>{_WEEKDAY}(?:(?P<thru>到|至|-|—)?(?:、|和|及|，|跟|与|还有)?(?:周|星期|礼拜)?[一二三四五六日天末](?![点个月年]))*)?"
    r"|每(?:逢|到)?个?双休日|双休日|(?:周|星期|礼拜)(?P<wd2>[一二三四五六](?:到|至|-|—)(?:周|星期|礼拜)?[二三四五六日天]|[六](?:和|、)?(?:周|星期|礼拜)?[日天]|末)(?=的|都|就|总|也|经常|早|晚|上午|下午|中午|每天|会)(?!早点))"
    r"|(?P<workdays>(?:每个?)?工作日(?=的|都|早|晚|上午|下午|中午|每|从|[一二三四五六七八九十\d])|平日里?|每个?工作日)"
    rf"|(?P<lunar>(?:农历|阴历|每月|每逢|每个月|每到)*(?:的)?初一(?:、|和|，|跟|及)?(?:农历)?十五)"
    rf"|(?P<monthly>每个?月(?:的)?(?:(?P<md>3[01]|[12]\d|[1-9]|三十一?|二?十[一二三四五六七八九]?|[一二三四五六七八九])[号日](?:[和、及跟](?P<md2>3[01]|[12]\d|[1-9]|二?十[一二三四五六七八九]?|[一二三四五六七八九])[号日])?)?)"
    rf"|(?P<yearly>(?:每年|年年)(?:一?到|的)?(?P<ym>(?:1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])月)?(?P<ys>[春夏秋冬](?:天|季))?|(?:每到|一到|每逢)(?P<ys2>[春夏秋冬](?:天|季)))"
    rf"|(?P<daily>每[天日]|天天|日日|每个?(?:晚上?|夜晚?|早上|早晨|清晨|凌晨|夜里)|每[早晚夜]|夜夜|(?:每到|一到|每逢){_NIGHTLY}|{_OFTEN}(?:在|会|是|都)?(?:三更)?{_NIGHTLY}|{_NIGHTLY}(?:{CLOCK})?(?:以后|之后|多|左右)?(?:还|也)?(?:经常|总是|老是|常常|时常|都会))"
)
_HOURS: Final = re.compile(
    rf"^(?:的|从|都|在|于|就|会|是|，|到|里|\s|大概|大约|差不多|基本){{0,4}}(?:[早晚]高峰)?(?P<part>{PART})?(?:的|从|，|都|在|\s|大概|大约|差不多){{0,3}}"
    rf"(?:(?P<clock>{CLOCK})(?:多|左右|来钟|许)?(?:(?P<open>以后|之后|过后|后(?!面)|起|开始|往后)"
    rf"|(?:开始)?(?:一直)?(?:到|至|—+|–|-|~|～)\s?(?P<next>第二天|次日)?(?P<part2>{PART})?(?P<clock2>{CLOCK})?)?)?"
)


def rule_of(match: re.Match[str], text: str) -> tuple[str, int]:
    """The rule, and where the words that make it end."""
    hours, end = _hours(match, text)
    if match["weekly"]:
        days = _weekdays(match["wd"] or match["wd2"] or ("" if "双休" not in match[0] else "末"))
        base = f"weekly {days}" if days else "weekly"
    elif match["workdays"]:
        base = "workdays"
    elif match["lunar"]:
        base = "lunar monthly 1,15"
    elif match["monthly"]:
        base = " ".join(["monthly", ",".join(str(number(one)) for one in (match["md"], match["md2"]) if one)]).strip()
    elif match["yearly"]:
        base = _yearly(match)
    else:
        base = "daily"
    return " ".join(filter(None, (base, hours))), end


def _yearly(match: re.Match[str]) -> str:
    if match["ym"]:
        return f"yearly {number(match['ym'][:-1]):02d}"
    season = match["ys"] or match["ys2"]
    if not season:
        return "yearly"
    first = {"春": 3, "夏": 6, "秋": 9, "冬": 12}[season[0]]
    return "yearly " + ",".join(f"{(first - 1 + step) % 12 + 1:02d}" for step in range(3))


def _weekdays(written: str) -> str:
    plain = re.sub("周|星期|礼拜", "", written)
    if "末" in plain:
        return "SA,SU"
    places = [min(_NAMES.index(char), 6) for char in plain if char in _NAMES]
    if re.search("[到至—-]", plain) and len(places) == 2:
        places = list(range(places[0], places[1] + 1))
    return ",".join(_DAYS[place] for place in dict.fromkeys(places))


def _hours(match: re.Match[str], text: str) -> tuple[str, int]:
    inside = re.search(PART, match[0]) or (re.search("[早晚夜]$", match[0]) if match["daily"] else None)
    start = match.start() + inside.start() if inside else match.end()
    found = _HOURS.match(text[start : start + 40]) if not (inside and len(inside[0]) == 1) else None
    if inside and len(inside[0]) == 1:
        found = _HOURS.match(text[match.end() : match.end() + 40])
    end = (match.end() if inside and len(inside[0]) == 1 else start) + (found.end() if found else 0)
    part = (found["part"] if found else None) or (inside[0] if inside else None)
    if found is None or not found["clock"]:
        return (_span_of(part) if part else ""), max(end, match.end())
    begin = minutes(found["clock"], part)
    if begin is None:
        return "", match.end()
    return _of_clock(found, begin, part), max(end, match.end())


def _of_clock(found: re.Match[str], begin: int, part: str | None) -> str:
    if found["open"]:
        return f"{_clock(begin)}-"
    if not found["clock2"]:
        return f"{_clock(begin)}-{_clock(part_hours(found['part2'])[1] * 60)}" if found["part2"] else _clock(begin)
    end = minutes(found["clock2"], found["part2"] or (None if found["next"] else part))
    if end is None:
        return f"{_clock(begin)}-"
    if not found["part2"] and not found["next"] and end <= begin and end + 720 > begin and end < 720 <= begin < 1440:
        end += 720
    return f"{_clock(begin)}-{_clock(end, last=True)}"


def _span_of(part: str) -> str:
    first, last = part_hours(part)
    return f"{_clock(first * 60)}-{_clock(last * 60, last=True)}"


def _clock(value: int, *, last: bool = False) -> str:
    hour, minute = divmod(value, 60)
    if hour > 24 or (hour == 24 and (minute or not last)):
        hour -= 24
    return f"{hour:02d}:{minute:02d}"
