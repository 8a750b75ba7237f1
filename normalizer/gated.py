"""A regular expression that is quick to say no: pairs of characters of which one must be there are looked for first.

Pure. Finds what `re` finds with the same expression; may not change its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import add
from typing import Final

_GAP: Final = re.compile(r"\.(?:\{(\d*),(\d+)\}|\*)")
_LONGEST_PART: Final = 24  # characters that a part beside a gap may match
_QUANTIFIER: Final = re.compile(r"[*+?]\??|\{\d*,?\d*\}\??")
_OPTIONAL: Final = re.compile(r"[*?]|\{0?,")
_GROUP: Final = "(?:"


Pairs = frozenset[str]
"""Every character of a text, and every two that stand side by side."""


@lru_cache(maxsize=4)
def pairs(text: str) -> Pairs:
    """The pairs of a text. Cached: several books are read against the same text in turn."""
    return frozenset((*map(add, text, text[1:]), *text))


class Gated:
    """Alternatives of one expression, each with what must stand in the text for it to be tried."""

    def __init__(self, pattern: str) -> None:
        self.pattern: Final = pattern

    @cached_property
    def _options(self) -> tuple[_Option, ...]:
        """Made when first asked: a process that starts should not wait for some thousand expressions."""
        return tuple(map(_Option, options(self.pattern)))

    def search(self, text: str, held: Pairs) -> Span | None:
        """Where it is found first, if at all; `held`: the pairs of the text, or of a text that it is a part of."""
        first: Span | None = None
        for option in self._options:
            if option.may(held) and (hit := option.search(text)) and (first is None or hit.start < first.start):
                first = hit
        return first


@dataclass(frozen=True, slots=True)
class Span:
    """Where something was found."""

    start: int
    end: int


class _Option:
    """One alternative. Two parts with a gap between them are looked for one by one, the rarer first."""

    def __init__(self, pattern: str) -> None:
        self._pattern: Final = pattern
        self._parts: Final = _parts(pattern)
        told = [_literals(part) for part in self._parts.texts]
        self._rare_is_last: Final = len(told) == 2 and _rank(told[1]) <= _rank(told[0])
        self._sides: Final = sorted(filter(None, told), key=_rank)
        self._keys: Final = tuple(frozenset(literal[:2] for literal in side) for side in self._sides)

    def may(self, held: Pairs) -> bool:
        """Whether the pairs allow the option."""
        return not any(map(held.isdisjoint, self._keys))

    @cached_property
    def _checks(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(_any, self._sides))

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return re.compile(self._pattern)

    @cached_property
    def _two(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        first, last = self._parts.texts
        return re.compile(first), re.compile(last)

    def search(self, text: str) -> Span | None:
        """Where the option is found first."""
        if not all(check.search(text) for check in self._checks):
            return None
        if len(self._parts.texts) == 2 and self._parts.gap is not None and all(self._parts.texts):
            return self._apart(text, *self._parts.gap)
        found = self._whole.search(text)
        return Span(found.start(), found.end()) if found else None

    def _apart(self, text: str, least: int, most: int) -> Span | None:
        first, last = self._two
        if self._rare_is_last:
            for end in last.finditer(text):
                for begin in first.finditer(text, max(0, end.start() - most - _LONGEST_PART), end.start()):
                    if least <= end.start() - begin.end() <= most:
                        return Span(begin.start(), end.end())
            return None
        for begin in first.finditer(text):
            for end in last.finditer(text, begin.end() + least, begin.end() + most + _LONGEST_PART):
                if end.start() - begin.end() <= most:
                    return Span(begin.start(), end.end())
        return None


def _any(literals: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(literals))))


def _rank(side: frozenset[str]) -> tuple[bool, int, int]:
    """Low where a text seldom holds one of the literals."""
    return (not side, -min(map(len, side), default=0), len(side))


def options(pattern: str) -> list[str]:
    """The alternatives of an expression, at its top level."""
    cut, depth = [-1], 0
    for at, char in _plain(pattern):
        depth += (char == "(") - (char == ")")
        if char == "|" and not depth:
            cut.append(at)
    return [pattern[start + 1 : end] for start, end in zip(cut, [*cut[1:], len(pattern)], strict=True)]


def _plain(pattern: str) -> Iterator[tuple[int, str]]:
    """The characters that are neither escaped nor in a class, with where they stand."""
    at, in_class = 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        else:
            yield at, char
        at += 1


@dataclass(frozen=True, slots=True)
class _Parts:
    """An option without its gaps at the top level, and the gap between two parts, from how many to how many."""

    texts: tuple[str, ...]
    gap: tuple[int, int] | None


def _parts(option: str) -> _Parts:
    depth, start, gap = 0, 0, None
    texts: list[str] = []
    for at, char in _plain(option):
        depth += (char == "(") - (char == ")")
        if char == "." and not depth and at >= start and (found := _GAP.match(option, at)):
            texts.append(option[start:at])
            start = found.end()
            gap = (int(found[1] or 0), int(found[2])) if found[2] else None
    return _Parts((*texts, option[start:]), gap)


def _literals(part: str) -> frozenset[str]:
    """Strings of which every match of the part holds one; empty when that cannot be told."""
    found: set[str] = set()
    for option in options(part):
        best = _literal(option)
        if not best:
            return frozenset()
        found |= best
    return frozenset(found)


def _literal(option: str) -> frozenset[str]:
    """The best that one option tells: its longest literal run, or the literals of a group that must be there."""
    runs: list[frozenset[str]] = []
    run, at = "", 0
    while at < len(option):
        atom, at = _atom(option, at)
        quantifier = _QUANTIFIER.match(option, at)
        at = quantifier.end() if quantifier else at
        optional = quantifier is not None and _OPTIONAL.match(quantifier[0]) is not None
        if len(atom) == 1 and atom not in ".^$" and not optional:
            run += atom
            if quantifier is None:
                continue
        runs.append(frozenset({run} if run else ()))
        run = ""
        if atom.startswith(_GROUP) and not optional:
            runs.append(_literals(atom[len(_GROUP) : -1]))
    runs.append(frozenset({run} if run else ()))
    return max(runs, key=lambda told: (min(map(len, told), default=0), -len(told)))


def _atom(option: str, at: int) -> tuple[str, int]:
    """One character, escape, class or group, and where the next begins."""
    char = option[at]
    if char == "\\":
        return option[at : at + 2], at + 2
    if char == "[":
        end = option.index("]", at + 2) + 1
        return option[at:end], end
    if char == "(":
        depth = 0
        for place, one in _plain(option[at:]):
            depth += (one == "(") - (one == ")")
            if not depth:
                return option[at : at + place + 1], at + place + 1
    return char, at + 1
