"""Where a text names divisions: every occurrence with what it may mean, guarded against names of other things.

May not choose between meanings, nor between places: normalizer/places/reading.py does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from normalizer.places.data import WORDS
from normalizer.places.names import Index, Sense

_LONG: Final = 3  # characters from which on a short name is hardly anything else
_REACH: Final = 12  # characters of context that a guard looks at
_BESIDE: Final = 4  # characters before a name that may say that somebody bears it


class Mention(NamedTuple):
    """`text[start:end]` names one of `senses`."""

    start: int
    end: int
    senses: tuple[Sense, ...]

    @property
    def level(self) -> str:
        return self.senses[0].division.level


def find(text: str, index: Index, typed: int = 0) -> list[Mention]:
    """Every name of a division in `text` (a search key), from left to right, never two over one another. `typed`: how
    many characters from the start were given as a place."""
    heads = index.heads
    found: list[Mention] = []
    free = 0
    for start in [at for hit in index.pairs.finditer(text) if text[(at := hit.start()) : at + 2] in heads]:
        if start < free:
            continue
        mention = _longest(_Spot(text, start, index, typed, found[-1] if found else None))
        if mention is not None:
            found.append(mention)
            free = mention.end
    return found


class _Spot(NamedTuple):
    """A character at which a name may begin. `before`: the mention before it."""

    text: str
    start: int
    table: Index
    typed: int
    before: Mention | None


def _longest(spot: _Spot) -> Mention | None:
    text, start = spot.text, spot.start
    for length in spot.table.heads[text[start : start + 2]]:
        end = start + length
        senses = spot.table.names.get(text[start:end])
        if senses is None or end > len(text):
            continue
        allowed = tuple([sense for sense in senses if _means(spot, end, sense)])
        if allowed:
            return Mention(start, end, allowed)
    return None


def _means(spot: _Spot, end: int, sense: Sense) -> bool:
    if sense.form == "short":
        return sense.division.level in ("province", "city") or _short(spot, end, sense)
    return not _is_other(spot.text, end) and (sense.form != "island" or not spot.text.startswith("路", end))


def _is_other(text: str, end: int) -> bool:
    """Whether a full name is only the beginning of another word."""
    last = text[end - 2 : end] if text[end - 1] == "道" else text[end - 1]
    return text.startswith(WORDS.full_is_other.get(last, ()), end)


def _short(spot: _Spot, end: int, sense: Sense) -> bool:
    """Whether a short name stands for the place itself."""
    text, start, before = spot.text, spot.start, spot.before
    chained = before is not None and before.end == start
    if not chained and WORDS.called.search(text, max(0, start - _BESIDE), start):
        return False
    in_district = chained and before is not None and before.level == "district"
    if end - start >= _LONG:
        if sense.division.level == "street" and not in_district and text.endswith(WORDS.landmark_ends, start, end):
            return False
        return not WORDS.long_is_other.match(text, end, end + _REACH)
    if text[start - 1 : start] in WORDS.stretched and start and not chained:
        return False
    if sense.division.level == "district":
        return (
            WORDS.short_follows.match(text, end) is not None
            or _street_follows(text, end, spot.table, sense.division.code)
            or (_begins(text, start) and _goes_on(text, end))
        )
    return WORDS.area_follows.match(text, end) is not None and (
        in_district or _placed(text, start) or end <= spot.typed
    )


def _placed(text: str, start: int) -> bool:
    """Whether a word right before says that what follows is a place."""
    return text.endswith(("在", "位于", "地处", "住"), 0, start)


def _begins(text: str, start: int) -> bool:
    """Whether a clause begins here, or a word for an address stands before."""
    return start == 0 or not text[start - 1].isalnum() or _placed(text, start)


def _goes_on(text: str, end: int) -> bool:
    """Whether a road with a name of its own follows, or a spot and a word such as 那边."""
    return WORDS.address_follows.match(text, end) is not None or WORDS.near_follows.match(text, end) is not None


def _street_follows(text: str, end: int, index: Index, area: str) -> bool:
    """Whether a street's or town's full name follows, or the short one of a street of this district."""
    for length in index.heads.get(text[end : end + 2], ()):
        senses: Sequence[Sense] = index.names.get(text[end : end + length], ())
        for sense in senses:
            if sense.division.level != "street":
                continue
            if sense.form != "short":
                return True
            if sense.division.code.startswith(area) and WORDS.area_follows.match(text, end + length):
                return True
    return False
