"""How sure it is that two matters are one: features of the pair, weighed.

Pure and the same in both directions. May not know tickets: who wrote and when is given.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np

from normalizer.matter.named import compare, is_name
from normalizer.matter.reading import Matter
from normalizer.matter.words import MOST, Words, kinds, load
from normalizer.simplified import simplified

QUOTED: Final = 0.98
"""One text quotes the other's number, or both quote the same."""
CONTRADICTED: Final = 0.3
"""At most, when a detail contradicts."""
SIGNED: Final = 0.9
"""At least, of one letter that several send about a place."""
_SAME_WORDS: Final = 0.95
"""So much of what one says beside names and numbers is in the other: then it is one letter."""
_COPIED: Final = 0.7
"""From so much of the characters on, one text is made from the other."""
_COPIED_MOST: Final = 600
"""Characters of a text that is looked at for that: the comparison is quadratic."""
_NAME_MOST: Final = 8
"""Characters that are exchanged when a name is."""
_PLACE: Final = re.compile(
    "([\u4e00-\u9fff]{2,6}?)(?:路|街|巷|大道|小区|社区|花园|家园|公寓|大厦|广场|城|苑|府|村|镇|学校|小学|中学|医院|市场|公园|站)"
)
_RARE: Final = 10
"""The weight from which a run that ends a name is taken for a name."""
_BRIEF: Final = (40, 100)
"""Different runs: a text of fewer is brief, one of more is not, between them by degrees. Brief texts are weighed
otherwise: one name and one word for the matter are all that they have in common."""
_AREAS: Final = frozenset("区县")
_LOOSE: Final = frozenset("市层楼队弄标村区县")
"""Details of which another value says nothing, or is counted apart."""
_UNKNOWN: Final = 0.4
"""How far titles agree in their kind of matter when one names none."""
_PLAIN: Final = (
    "title_found", "both_titles_found", "rarest", "names", "kinds_found", "kinds_differ", "kinds", "other_names",
    "other_area", "same_details", "other_details", "other_codes", "same_codes", "days", "same_citizen",
    "same_sites", "same_way", "other_sites", "other_way", "same_spot", "nowhere", "about", "both_about", "about_rarest",
    "alone",
)  # fmt: skip
FEATURES: Final = (*_PLAIN, "brief", *(f"brief_{name}" for name in _PLAIN))
IN_BUILDING: Final = frozenset(
    {"lift", "sewage", "fire_safety", "fit_out", "water_supply", "heating", "gas", "quality"}
)
"""Kinds of matter that one building of an estate has and another has not."""


@dataclass(frozen=True, slots=True)
class Weights:
    """`score` = the logistic function of bias + features · weights; from `threshold` on, two matters are one."""

    bias: float
    features: tuple[float, ...]
    threshold: float


@cache
def shipped() -> Weights:
    """Those in the wheel."""
    found = tomllib.loads(files("normalizer").joinpath("data/matter_model.toml").read_text("utf-8"))
    by_name = found["features"]
    return Weights(found["bias"], tuple(by_name[name] for name in FEATURES), found["threshold"])


def score(one: Matter, other: Matter, *, days: float, same_citizen: bool) -> float:
    """Between 0 and 1. `days`: between the two."""
    weights = shipped()
    values = features(one, other, days=days, same_citizen=same_citizen)
    sum_ = weights.bias + sum(value * weight for value, weight in zip(values, weights.features, strict=True))
    sure = 1 / (1 + math.exp(-max(-30.0, min(30.0, sum_))))
    if _signed(one, other):
        sure = max(sure, SIGNED)
    return min(sure, CONTRADICTED) if sure >= CONTRADICTED and contradict(one, other) else sure


def _signed(one: Matter, other: Matter) -> bool:
    """One letter that several send: the words of the one are in the other, and so are the names and numbers that say
    where or which, of which there are some. An enquiry has none."""
    if _of_rest(one, other)[0] < _SAME_WORDS or one.numbers.spots != other.numbers.spots:
        return False
    agree = all(name.stands_in(other.key) for name in one.names) and all(n.stands_in(one.key) for n in other.names)
    return agree and bool(one.names or one.numbers.spots)


def contradict(one: Matter, other: Matter) -> bool:
    """Whether a detail says that they are two, however alike the words: another house of a street, another phase of an
    estate, another area, another car, another day of an outage, another name of one sort and none in common; or the
    same words with another place put in."""
    if any(map(_others, one.numbers.always, other.numbers.always)):
        return True
    mine, yours = one.numbers, other.numbers
    if mine.outage and yours.outage and _others(mine.days, yours.days):
        return True
    if _others(mine.buildings, yours.buildings) and not one.named.isdisjoint(other.named & _in_building()):
        return True
    found = compare(one.names, one.key, other.names, other.key)
    if not found.homes and _others(mine.lines, yours.lines):
        return True
    return (not found.sites and (found.differ or found.ways_differ)) or _put_in(one.text, other.text)


def _others(mine: frozenset[str], yours: frozenset[str]) -> bool:
    """Both name some, and none is the same."""
    return bool(mine and yours and mine.isdisjoint(yours))


@cache
def _in_building() -> frozenset[int]:
    return frozenset(number for number, kind in enumerate(kinds()) if kind in IN_BUILDING)


def _put_in(one: str, other: str) -> bool:
    """Nearly the same text, with another name where the one has a place."""
    if max(len(one), len(other)) > _COPIED_MOST:
        return False
    match = SequenceMatcher(None, one, other, autojunk=False)
    if match.real_quick_ratio() < _COPIED or match.quick_ratio() < _COPIED or match.ratio() < _COPIED:
        return False
    changed = (
        (one[i1 : i2 + 2], other[j1 : j2 + 2])
        for tag, i1, i2, j1, j2 in match.get_opcodes()
        if tag == "replace" and 1 < i2 - i1 <= _NAME_MOST and 1 < j2 - j1 <= _NAME_MOST
    )
    return any(_is_place(mine, other) and _is_place(yours, one) for mine, yours in changed)


def _is_place(words: str, other: str) -> bool:
    """The name of a place that the other text does not have."""
    found = _PLACE.match(words)
    return found is not None and is_name(simplified(found[1][-2:])) and found[0] not in other


def features(one: Matter, other: Matter, *, days: float, same_citizen: bool) -> tuple[float, ...]:
    """In the order of FEATURES."""
    least, most = _BRIEF
    brief = min(1.0, max(0.0, (most - min(len(one.runs), len(other.runs))) / (most - least)))
    plain = (
        *_of_words(one, other),
        math.log1p(days),
        float(same_citizen),
        *_of_names(one, other),
        *_of_rest(one, other),
    )
    return (*plain, brief, *(brief * value for value in plain))


def _of_words(one: Matter, other: Matter) -> tuple[float, ...]:
    """Words and details in common."""
    words = load()
    _, mine, yours = np.intersect1d(one.runs, other.runs, assume_unique=True, return_indices=True)
    shared = one.weights[mine]
    found = (
        _share(shared[one.head[mine]].sum(), one.weights[one.head].sum()),
        _share(shared[other.head[yours]].sum(), other.weights[other.head].sum()),
    )
    in_common = (_mass(words, one.named_first, other.named), _mass(words, other.named_first, one.named))
    first = one.named_first, other.named_first
    return (
        max(found),
        min(found),
        float(np.sort(shared)[-5:].sum()) / 50,
        math.log1p(float(shared[one.place[mine]].sum())),
        min(in_common),
        float(all(first) and first[0].isdisjoint(first[1])),
        words.mass(one.named & other.named) / 10,
        math.log1p(min(_missing(one, mine), _missing(other, yours))),
        *_details(one, other),
        float(_others(one.codes, other.codes) and one.numbers.spots.isdisjoint(other.numbers.spots)),
        float(not one.codes.isdisjoint(other.codes)),
    )


def _of_names(one: Matter, other: Matter) -> tuple[float, ...]:
    """Names and numbers that say where or which, in common and not."""
    found = compare(one.names, one.key, other.names, other.key)
    spot = not one.numbers.spots.isdisjoint(other.numbers.spots)
    return (
        min(2.0, found.sites),
        float(found.ways),
        float(found.differ),
        float(found.ways_differ),
        float(spot),
        float(not (found.sites or found.ways or spot)),
    )


def _of_rest(one: Matter, other: Matter) -> tuple[float, ...]:
    """What both say beside names and numbers: how much of each, and whether it is nothing."""
    shared = np.intersect1d(one.runs[one.about], other.runs[other.about], assume_unique=True)
    weight = float(load().weights[shared].sum())
    parts = [_share(weight, float(matter.weights[matter.about].sum())) for matter in (one, other)]
    rarest = float(np.sort(load().weights[shared])[-3:].sum()) / (3 * MOST)
    return max(parts), min(parts), rarest, float(not weight and one.named.isdisjoint(other.named))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _mass(words: Words, first: frozenset[int], named: frozenset[int]) -> float:
    """How much of the kinds in one's title the other names at all."""
    return words.mass(first & named) / words.mass(first) if first else _UNKNOWN


def _missing(matter: Matter, shared: np.ndarray[tuple[int], np.dtype[np.intp]]) -> int:
    """Names in its title that the other does not have."""
    names = matter.place & matter.head & (matter.weights >= _RARE)
    return int(names.sum() - names[shared].sum())


def _details(one: Matter, other: Matter) -> tuple[float, float, float]:
    """Another area code; how many details agree; how many do not."""
    mine, yours = one.numbers.details, other.numbers.details
    both = mine.keys() & yours.keys()
    differ = {unit for unit in both if mine[unit].isdisjoint(yours[unit])}
    return float(not differ.isdisjoint(_AREAS)), float(len(both - differ)), float(len(differ - _LOOSE))


def quoted(one: Matter, number: str | None, other: Matter, its_number: str | None) -> bool:
    """Whether a ticket number joins them: that of the one in the other's text, or a third in both."""
    mine = one.quoted | {number} if number else one.quoted
    yours = other.quoted | {its_number} if its_number else other.quoted
    return not mine.isdisjoint(yours)
