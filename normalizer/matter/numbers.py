"""Numbers that tell places, cars, bus lines and days apart: 88号 is not 66号, nor 9月3日 10月21日.

May not compare whole matters: normalizer/matter/likeness.py does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = {sign: number for number, sign in enumerate("零一二三四五六七八九")}
_DETAIL: Final = re.compile(
    "([a-z]?[0-9]{1,5}(?:[-－][0-9]{1,5}){0,3}|[一二三四五六七八九十百]{1,5}|[a-z])"
    "(号楼|号线|号院|路公交|路车|[号栋座幢期区县市室户房路街横巷组村线楼层队弄标])"
)
_SAME_UNIT: Final = {"号楼": "栋", "座": "栋", "幢": "栋", "房": "室", "户": "室", "路车": "路公交"}
_NUMERAL: Final = "[0-9]{1,4}|[一二三四五六七八九十]{1,3}"
_HOUSE: Final = re.compile(f"(?:路|街|巷|道|村|坊|里|段|弄|条|胡同)第?({_NUMERAL})(?:-[0-9]+)?号(?!线)")
_PHASE: Final = re.compile("([0-9]{1,2}|[一二三四五六七八九十]{1,3})期(?!间|限|待|望)")
_AREA: Final = re.compile("([a-z][0-9]+)(?:区|县)")
_PART: Final = re.compile("(?<![0-9a-z])([a-z]|[一二三四五六七八九十]{1,2})区(?!域|别|分|间|块|县)")
_PLATE: Final = re.compile("([\u4e00-\u9fff][a-z])[ ·•・.-]?([a-z0-9]{5,6})(?![a-z0-9])")
_LINE: Final = re.compile(
    "([a-z]?[0-9]{1,3})路(?!口|段|灯)|(?:公交|巴士) ?([a-z]?[0-9]{1,3})(?![0-9年月日号点元个])"
    "|([a-z]?[0-9]{1,2}|[一二三四五六七八九十]{1,3})号线"
)
_BUILDING: Final = re.compile(
    "([a-z]?[0-9]{1,4}|[一二三四五六七八九十]{1,3}|(?<![a-z])[a-z])(?:栋|幢|座|号楼)"
    r"|(?:building|block|tower|bldg\.?) ?#?([0-9]{1,3}|[a-z])\b"
)
_DAY: Final = re.compile(
    "([0-9]{1,2}|[一二三四五六七八九十]{1,3})月([0-9]{1,2}|[一二三四五六七八九十]{1,3})[日号]?(?![0-9个])"
)
_OUTAGE: Final = re.compile("[停断][水电气]|[没无]有?[水电](?![梯器动表卡])|断网|跳闸")


@dataclass(frozen=True, slots=True)
class Numbers:
    """`always`: of each sort that tells two matters apart wherever both name one (houses of a street, phases and parts
    of an estate, area codes, plates), those named. The others tell apart in what concerns them only: `lines`,
    `buildings`, `days`. `outage`: something was cut off, which passes and may come again. `details`: by unit, for the
    score."""

    always: tuple[frozenset[str], ...]
    lines: frozenset[str]
    buildings: frozenset[str]
    days: frozenset[str]
    outage: bool
    details: dict[str, frozenset[str]]

    @property
    def spots(self) -> frozenset[str]:
        """Those that alone say where or which: houses, plates, lines, buildings."""
        house, *_, plate = self.always
        found = (("house", house), ("plate", plate), ("line", self.lines), ("building", self.buildings))
        return frozenset(f"{sort}:{one}" for sort, values in found for one in values)


def numbers(text: str) -> Numbers:
    """Those of a text in small letters."""
    plates = frozenset("".join(parts) for parts in _PLATE.findall(text))
    return Numbers(
        always=(*(frozenset(map(in_digits, sort.findall(text))) for sort in (_HOUSE, _PHASE, _AREA, _PART)), plates),
        lines=_of(_LINE, text),
        buildings=_of(_BUILDING, text),
        days=frozenset(f"{in_digits(month)}-{in_digits(day)}" for month, day in _DAY.findall(text)),
        outage=_OUTAGE.search(text) is not None,
        details=_details(text),
    )


def _of(sort: re.Pattern[str], text: str) -> frozenset[str]:
    return frozenset(in_digits("".join(parts)) for parts in sort.findall(text))


def _details(text: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for value, unit in _DETAIL.findall(text):
        found.setdefault(_SAME_UNIT.get(unit, unit), set()).add(in_digits(value))
    return {unit: frozenset(values) for unit, values in found.items()}


def in_digits(value: str) -> str:
    """三 and 3 are one, so are 十二 and 12; longer ones stay as they are written."""
    tens, ten, ones = value.partition("十")
    if not ten:
        return str(_DIGITS.get(value, value))
    if len(tens) > 1 or len(ones) > 1:
        return value
    return str(_DIGITS.get(tens, 1) * 10 + _DIGITS.get(ones, 0))
