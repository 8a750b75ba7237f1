"""What divisions are called: full names, short ones, offices, islands; as one look-up table for a site's city.

May not look at a text. Everything is kept by its search key (simplified characters).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, Literal

from normalizer.places import gazetteer
from normalizer.places.data import WORDS
from normalizer.places.gazetteer import Division
from normalizer.simplified import simplified

# `full`: the whole name; `office`: its office or former name; `island`: by the island that it is; `short`: the name
# without its last word.
Form = Literal["full", "office", "island", "short"]

_ETHNIC: Final = f"(?:(?:{'|'.join(WORDS.ethnic)})族?){{1,4}}"
_WIDE_LAST: Final = re.compile(f"(?:特别行政区|(?:{_ETHNIC})?自治[区州]|地区|盟|省|市)$")
_AREA_LAST: Final = re.compile(f"(?:(?:{_ETHNIC})?自治[县旗]|林区|特区|新区|区|县|市|旗)$")
_STREET_LAST: Final = re.compile(
    f"(?:街道办事处|街道|办事处|地区|(?:{_ETHNIC})族乡|民族乡|[镇乡]|苏木|(?:经济)?(?:技术)?开发区|管理区|园区|农场|林场|牧场|管委会)$"
)
_TAIL: Final = re.compile(r"[（(].*$")
_SHORTEST: Final = 2
_SIDES: Final = ("东", "西", "南", "北", "中")  # 和平南 is the road, more often than the street named after it
_ZONES: Final = ("经济开发区", "开发区", "农场", "管委会")


@dataclass(frozen=True, slots=True)
class Sense:
    """What a name may mean."""

    division: Division
    form: Form


Names = dict[str, tuple[Sense, ...]]
Heads = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Index:
    """Names by search key. `heads`: the first two characters of each -> the lengths that occur, the longest first;
    `pairs`: finds where two characters may be one of them. `scope`: the beginning of the codes of the site's own city,
    empty when none is known."""

    scope: str
    names: Mapping[str, tuple[Sense, ...]]
    heads: Mapping[str, tuple[int, ...]]
    pairs: re.Pattern[str]


@lru_cache(maxsize=64)
def index(scope: str) -> Index:
    """The table for a city: the country's names in full, the city's own in every form."""
    country = _country()
    if not scope:
        return country
    own = _senses(_own(gazetteer.areas_in(scope)))
    names = {key: tuple(dict.fromkeys((*country.names.get(key, ()), *senses))) for key, senses in own.items()}
    heads = {
        head: tuple(sorted({*lengths, *country.heads.get(head, ())}, reverse=True))
        for head, lengths in _heads(names).items()
    }
    heads = {**country.heads, **heads}
    return Index(scope, {**country.names, **names}, heads, _pairs(heads))


def short(division: Division) -> str:
    """The name without the word that says what kind of division it is; the whole name when little would be left."""
    if division.level == "street":
        return _street_stem(division)
    last = _AREA_LAST if division.level == "district" else _WIDE_LAST
    stem = last.sub("", division.name)
    return stem if len(stem) >= _SHORTEST else division.name


@cache
def _country() -> Index:
    wide = gazetteer.wide()
    # Two characters (城区, 和县) are words of the language more often than names.
    areas = (one for one in gazetteer.areas() if len(one.name) > _SHORTEST)
    full = [(one.name, Sense(one, "full")) for one in (*wide, *areas)]
    names = _senses((*full, *((short(one), Sense(one, "short")) for one in wide)))
    heads = _heads(names)
    return Index("", names, heads, _pairs(heads))


def _senses(named: Iterable[tuple[str, Sense]]) -> Names:
    found: dict[str, dict[Sense, None]] = {}
    for name, sense in named:
        found.setdefault(simplified(name), {})[sense] = None
    return {name: tuple(senses) for name, senses in found.items()}


def _heads(names: Names) -> Heads:
    lengths: dict[str, set[int]] = {}
    for name in names:
        lengths.setdefault(name[:2], set()).add(len(name))
    return {head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()}


def _pairs(heads: Heads) -> re.Pattern[str]:
    first, second = ("".join(dict.fromkeys(head[at] for head in heads)) for at in (0, 1))
    return re.compile(f"[{re.escape(first)}](?=[{re.escape(second)}])")


def _own(areas: Iterable[Division]) -> Iterator[tuple[str, Sense]]:
    streets: list[Division] = []
    for one in areas:
        yield one.name, Sense(one, "full")
        if one.former:
            yield one.former, Sense(one, "office")
        if (stem := short(one)) != one.name:
            yield stem, Sense(one, "short")
        streets += gazetteer.streets(one.code)
    taken = {one.name for one in streets}
    for street in streets:
        yield from _street_names(street, taken)


def _street_names(street: Division, taken: set[str]) -> Iterator[tuple[str, Sense]]:
    """A town that became a street, or the other way round, keeps both names, unless another has one of them."""
    yield street.name, Sense(street, "full")
    stem = _street_stem(street)
    if stem == street.name or len(stem) < _SHORTEST:
        return
    if not stem.endswith(_SIDES) or len(stem) == _SHORTEST:
        yield stem, Sense(street, "short")
    yield stem + "岛", Sense(street, "island")
    if street.name.endswith(("街道", "镇", "乡", "地区")):
        kinds = ("街道", "镇", "乡", "地区")
        yield from ((stem + last, Sense(street, "office")) for last in kinds if stem + last not in taken)
        if street.name.endswith("街道") or stem + "街道" not in taken:
            yield from (
                (stem + last, Sense(street, "office")) for last in ("街道办", "办事处", "街办", "办", "街道办事处")
            )
    else:
        yield from ((stem + last, Sense(street, "office")) for last in _ZONES if stem + last != street.name)


def _street_stem(street: Division) -> str:
    """Without brackets, the city's or district's name before it, and the last word."""
    name = _TAIL.sub("", street.name)
    stem = _STREET_LAST.sub("", name)
    if not name.endswith(("街道", "镇", "乡")):
        above = (gazetteer.city_of(street.code), gazetteer.area(street.code[:6]))
        for title in (title for one in above if one for title in (one.name, short(one))):
            if stem.startswith(title) and len(stem) - len(title) >= _SHORTEST:
                stem = stem[len(title) :]
    return stem
