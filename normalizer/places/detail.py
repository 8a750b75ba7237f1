"""What is below a street: roads with house numbers, estates, villages, stops, crossings, landmarks, by what addresses
look like. May not find a name that the text does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from normalizer.places.data import DATA, either


def _by_first(lengths: dict[str, int]) -> dict[str, tuple[tuple[str, int], ...]]:
    words = sorted(lengths.items(), key=lambda one: len(one[0]), reverse=True)
    return {first: tuple(one for one in words if one[0][0] == first) for first in {word[0] for word in lengths}}


_WORDS: Final[dict[str, str]] = DATA["detail"]
_KINDS: Final = ("crossing", "stop", "estate", "landmark", "village", "water", "road")
_LONGEST_NAME: Final = 8  # characters; where a longer run of letters begins, no name is known to begin
_SHORTEST_NAME: Final = 2
_NOT_AFTER: Final = {
    last: f"(?![{_WORDS[words].replace(' ', '')}])"
    for lasts, words in (("路", "no_road_after"), ("街", "no_street_after"), ("河溪湖", "no_water_after"))
    for last in lasts
}
_LAST: Final = re.compile(
    "|".join(
        re.escape(word) + _NOT_AFTER.get(word, "")
        for word in sorted((word for kind in _KINDS for word in _WORDS[kind].split()), key=len, reverse=True)
    )
)
_KIND_OF: Final = {word: kind for kind in reversed(_KINDS) for word in _WORDS[kind].split()}
# By first character, the longest first: words behind which a name begins, and words that only look so (below zero).
_LEADS: Final = _by_first(
    {word: len(word) for word in _WORDS["starts"].split()} | {word: -len(word) for word in _WORDS["kept"].split()}
)
_DATE: Final = "年月日点时分"
for _char in _DATE:
    _LEADS.setdefault(_char, ())
_NO_NAME: Final = frozenset(_WORDS["no_name"].split())
_NOT_LAST: Final = frozenset(_WORDS["not_last"].split())
_COUNT: Final = "[0-9A-Za-z一二三四五六七八九十]{1,4}"
_NUMBER: Final = re.compile(
    r"(?:[东西南北中]段)?(?:[0-9]{1,5}弄)?(?:[0-9]{1,5}(?:[-—之][0-9]{1,4})?号(?:院|楼|店铺|铺面|商铺)?)?"
    rf"(?:{_COUNT}(?:{either(_WORDS['building'])}))*"
)
_AND: Final = re.compile("[与和、及]")
_CROSSING: Final = re.compile(either(_WORDS["crossing"]) + "|口")
_STRENGTH: Final = {"crossing": 5, "stop": 4, "estate": 4, "landmark": 3, "village": 3, "water": 3, "road": 2}
_GOES_ON: Final = ("stop", "crossing", "landmark", "estate")  # of a name before it, such as a market's bus stop
_NUMBERED: Final = 3  # added for a house number


class Detail(NamedTuple):
    """`text[start:end]` is an address or a part of one; `strength` ranks it among others."""

    start: int
    end: int
    kind: str
    strength: int


def details(key: str, divisions: Sequence[tuple[int, int]] = ()) -> list[Detail]:
    """Every address in `key` (a search key), in its order. `divisions`: where divisions are named; no address reaches
    over one."""
    return _joined(key, list(_parts(key, divisions)))


def _parts(key: str, divisions: Sequence[tuple[int, int]]) -> Iterator[Detail]:
    free = last = 0
    walls = iter(sorted(divisions))
    wall: tuple[int, int] | None = next(walls, None)
    for hit in _LAST.finditer(key):
        while wall is not None and wall[1] <= hit.start():
            free = max(free, wall[1])
            wall = next(walls, None)
        if wall is not None and wall[0] < hit.end():
            continue  # the word is part of a division's name
        kind = _KIND_OF[hit[0]]
        goes_on = 0 < hit.start() == last and kind in _GOES_ON
        start = hit.start() if goes_on else _start_of_name(key, free, hit.start())
        number = _NUMBER.match(key, hit.end())
        end = number.end() if number else hit.end()
        if start is None or (not goes_on and _is_none(key[start : hit.start()], kind, end > hit.end())):
            continue
        numbered = _NUMBERED if end > hit.end() and kind in ("road", "estate", "village") else 0
        yield Detail(start, end, kind, _STRENGTH[kind] + numbered)
        free = last = end


def _is_none(name: str, kind: str, numbered: bool) -> bool:
    """Whether the words before are no name (this road, a road under repair)."""
    return name in _NO_NAME or (kind == "road" and not numbered and name[-1] in _NOT_LAST)


def _start_of_name(key: str, free: int, end: int) -> int | None:
    """Where the name that ends at `end` begins: behind a mark, a word that leads to a place, what was found before."""
    start = max(free, end - _LONGEST_NAME - 1, 0)
    known = start == free
    at = start
    while at < end:
        step = 1
        if (char := key[at]) in _LEADS or not char.isalnum():
            lead = _lead(key, at, end)
            if lead > 0:
                start, known = at + lead, True
            step = abs(lead) or 1
        at += step
    return start if known and end - start >= _SHORTEST_NAME else None


def _lead(key: str, at: int, end: int) -> int:
    """How long the mark or word at `at` is behind which a name begins; below zero for a word that is to be kept."""
    char = key[at]
    if not char.isalnum() or (char in _DATE and at and key[at - 1].isdecimal()):
        return 1
    for word, length in _LEADS.get(char, ()):
        if key.startswith(word, at, end):
            return length
    return 0


def _joined(key: str, parts: list[Detail]) -> list[Detail]:
    """Parts that stand together are one address; two roads that meet are a crossing."""
    joined: list[Detail] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last is not None and part.start == last.end:
            strength = max(last.strength, part.strength) + 1
            joined[-1] = Detail(last.start, part.end, part.kind, strength)
        elif last is not None and _meet(key, last, part):
            end = mark.end() if (mark := _CROSSING.match(key, part.end)) else part.end
            joined[-1] = Detail(last.start, end, "crossing", _STRENGTH["crossing"])
        else:
            joined.append(part)
    return joined


def _meet(key: str, one: Detail, other: Detail) -> bool:
    between = key[one.end : other.start]
    return one.kind == "road" and other.kind in ("road", "crossing") and _AND.fullmatch(between) is not None
