"""Names of places and firms in a text, by what they end on: which two texts share, and which contradict each other.

May not look a name up: a name is what stands before such an ending and is rare.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from normalizer.matter.words import code_points, hashes, load

_DATA: Final[dict[str, Any]] = tomllib.loads(files("normalizer").joinpath("data/matter_names.toml").read_text("utf-8"))
_COMMON: Final = frozenset(_DATA["common"]["stems"].split())
SORTS: Final = tuple(sort for sort in _DATA if sort != "common")
WAYS: Final = frozenset(SORTS.index(sort) for sort in ("road", "lane"))
"""Much lies on one road: such names say less than the others."""
_HOMES: Final = frozenset(SORTS.index(sort) for sort in ("site", "village"))
_RARE: Final = 7
"""The weight from which the two characters before an ending are taken for a name."""
_STEM: Final = 2
_SIDES: Final = frozenset("东西南北中上下大小新老前后内外一二三四五六七八九十")
"""What alone makes another name of the same one: 东湖 and 西湖, 新桥 and 老桥."""
_NOT_FIRST: Final = frozenset("在去的我你他她了把被让给是这那某该")
_NOT_LAST: Final = frozenset("开办找叫等出在到去从和与是的我于对把被将由给让及或这那该本个了每经")
_ORDINAL: Final = re.compile("[第市县区][一二三四五六七八九十]")


def _ending() -> re.Pattern[str]:
    parts, first = [], set[str]()
    for number, sort in enumerate(SORTS):
        words = _DATA[sort]
        ends = "|".join(sorted(words["ends"].split(), key=len, reverse=True))
        first.update(word[0] for word in words["ends"].split())
        after = "".join(f"(?<!{one})" for one in words.get("not_after", "").split())
        before = f"(?!{'|'.join(words['not_before'].split())})" if "not_before" in words else ""
        only = f"(?={words['only_before']})" if "only_before" in words else ""
        parts.append(f"(?P<s{number}>{after}(?:{ends}){before}{only})")
    # Roads last, so that the longer ending is found first; a look at one character spares most of the alternatives.
    return re.compile(f"(?=[{''.join(sorted(first))}])(?:{'|'.join(reversed(parts))})")


_ENDING: Final = _ending()
_HAN: Final = re.compile("[\u3400-\u9fff]{2,3}$")


@dataclass(frozen=True, slots=True)
class Name:
    """`stem`: the two characters before the ending. `side`: the one before those if it tells like names apart."""

    sort: int
    stem: str
    side: str
    start: int
    end: int

    def stands_in(self, text: str) -> bool:
        """Whether the text has it, with its ending or without."""
        at = text.find(self.stem)
        while at >= 0:
            before = text[at - 1] if at else ""
            if not (self.side and before in _SIDES and before != self.side):
                return True
            at = text.find(self.stem, at + 1)
        return False


def names(text: str) -> tuple[Name, ...]:
    """Every name in `text`, which is a search key, once each and in order."""
    found: dict[tuple[int, str, str], Name] = {}
    for name in _names(text):
        found.setdefault((name.sort, name.stem, name.side), name)
    return tuple(found.values())


def _names(text: str) -> Iterator[Name]:
    last: tuple[int, str | None] = (0, None)
    for hit in _ENDING.finditer(text):
        if last == (hit.start(), hit.lastgroup):
            continue  # 花苑小区 is one name
        last = hit.end(), hit.lastgroup
        before = _HAN.search(text, max(0, hit.start() - _STEM - 1), hit.start())
        if before is not None and is_name(before[0][-_STEM:]):
            side = before[0][:-_STEM]
            sort = int((hit.lastgroup or "s0")[1:])
            yield Name(sort, before[0][-_STEM:], side if side in _SIDES else "", hit.start() - _STEM, hit.end())


def is_name(stem: str) -> bool:
    """Whether these two characters, before an ending, are a name and not a common word."""
    if _ORDINAL.fullmatch(stem):
        return True
    if stem in _COMMON or stem[0] in _NOT_FIRST or stem[-1] in _NOT_LAST:
        return False
    codes = code_points(stem)
    return int(load().weights[hashes([codes[:1], codes[1:]])[0]]) >= _RARE


@dataclass(frozen=True, slots=True)
class Compared:
    """`sites`: how many names sharper than a road both texts have. `ways`: whether both have a road. `homes`: whether
    both have an estate or a village. `differ`: whether there is a sort of which each has others; `ways_differ`: among
    roads."""

    sites: int
    ways: bool
    homes: bool
    differ: bool
    ways_differ: bool


def compare(one: tuple[Name, ...], text: str, other: tuple[Name, ...], its_text: str) -> Compared:
    """The names of two texts. The same both ways."""
    shared = [name for name in one if name.stands_in(its_text)], [name for name in other if name.stands_in(text)]
    met = {name.sort for names in shared for name in names}
    differ = ({name.sort for name in one} & {name.sort for name in other}) - met
    sites = max(len({(name.stem, name.side) for name in names if name.sort not in WAYS}) for names in shared)
    return Compared(
        sites, not met.isdisjoint(WAYS), not met.isdisjoint(_HOMES), not differ <= WAYS, not differ.isdisjoint(WAYS)
    )
