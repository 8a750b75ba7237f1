"""A regular expression that is quick to say no: pairs of characters of which one must be there are looked for first.

Pure. Finds what `re` finds with the same expression; may not change its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import add
from typing import Final

from normalizer.anatomy import beginning, literals, options, parts

_LONGEST_PART: Final = 24  # characters that a part beside a gap may match

Pairs = frozenset[str]
"""Every two characters that stand side by side in a text."""


@lru_cache(maxsize=4)
def pairs(text: str) -> Pairs:
    """The pairs of a text. Cached: several books are read against the same text in turn."""
    return frozenset(map(add, text, text[1:]))


class Gated:
    """Alternatives of one expression, each with what must stand in the text for it to be tried."""

    def __init__(self, pattern: str) -> None:
        self.pattern: Final = pattern

    @cached_property
    def _options(self) -> _Options:
        """Made when first asked: a process that starts should not wait for some thousand expressions."""
        return _Options(map(_Option, options(self.pattern)))

    def search(self, text: str, held: Pairs) -> Span | None:
        """Where it is found first, if at all; `held`: the pairs of the text, or of a text that it is a part of."""
        first: Span | None = None
        for option in self._options.allowed(held):
            if (hit := option.search(text)) and (first is None or hit.start < first.start):
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
        self._parts: Final = parts(pattern)
        told = [literals(part) for part in self._parts.texts]
        self._rare_is_last: Final = len(told) == 2 and _rank(told[1]) <= _rank(told[0])
        self._sides: Final = sorted(filter(None, told), key=_rank)
        told_by_pairs = (side for side in self._sides if min(map(len, side)) > 1)
        self._keys: Final = tuple(frozenset(literal[:2] for literal in side) for side in told_by_pairs)

    @property
    def rarest(self) -> frozenset[str]:
        """The pairs of which one must be there, of the side that a text seldom holds; empty when none must."""
        return self._keys[0] if self._keys else frozenset()

    def may(self, held: Pairs) -> bool:
        """Whether the pairs allow the option."""
        return not any(map(held.isdisjoint, self._keys))

    @cached_property
    def _checks(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(_any, self._sides))

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return _quick(self._pattern)

    @cached_property
    def _two(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        first, last = self._parts.texts
        return _quick(first), _quick(last)

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


class _Options:
    """The alternatives by the pair that their rarest side needs: most texts hold that of none."""

    def __init__(self, every: Iterable[_Option]) -> None:
        self._always: Final[list[_Option]] = []
        self._by_pair: Final[dict[str, list[_Option]]] = {}
        for option in every:
            for pair in option.rarest:
                self._by_pair.setdefault(pair, []).append(option)
            if not option.rarest:
                self._always.append(option)
        self._pairs: Final = frozenset(self._by_pair)

    def allowed(self, held: Pairs) -> list[_Option]:
        """Those that the pairs allow; one may be there twice."""
        told = self._pairs & held
        if not told:
            return self._always
        return [*self._always, *(option for pair in told for option in self._by_pair[pair] if option.may(held))]


def _quick(pattern: str) -> re.Pattern[str]:
    """The expression behind a look at the next character, which is cheaper than a hundred alternatives."""
    first = beginning(pattern)
    return re.compile(f"(?={first})(?:{pattern})" if first else pattern)


def _any(literals: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(literals))))


def _rank(side: frozenset[str]) -> tuple[bool, int, int]:
    """Low where a text seldom holds one of the literals."""
    return (not side, -min(map(len, side), default=0), len(side))
