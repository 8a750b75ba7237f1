"""Names of units, and words of rules, found in a text in one go.

Pure. Both look only at words whose first two characters stand in the text: hundreds cost little more than ten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import add
from typing import Final

SHORTEST: Final = 2  # characters of a name: one is a word of the language


@dataclass(frozen=True, slots=True)
class Found:
    """A name in a text, and whom it may mean: one name can be that of several units."""

    start: int
    end: int
    units: tuple[str, ...]


class Names:
    """An index of names. Case does not matter."""

    def __init__(self, named: Iterable[tuple[str, str]], *, elsewhere: Iterable[str] = ()) -> None:
        """`elsewhere`: longer words that hold one of the names and mean something else."""
        meant: dict[str, dict[str, None]] = defaultdict(dict)
        for word in elsewhere:
            meant[word.casefold()] = {}
        for name, unit in named:
            meant[name.casefold()][unit] = None
        self._meant = {name: tuple(units) for name, units in meant.items()}
        self._by_start = _by_start(sorted(meant, key=len, reverse=True))

    def find(self, text: str) -> Iterator[Found]:
        """Every name in `text`, from left to right, the longest at a spot, none inside another."""
        text = text.casefold()
        spots = sorted(at for start in _pairs(text) & self._by_start.keys() for at in _spots(text, start))
        free = 0
        for at in spots:
            longest = (name for name in self._by_start[text[at : at + SHORTEST]] if text.startswith(name, at))
            if at < free or (name := next(longest, None)) is None:
                continue
            free = at + len(name)
            if units := self._meant[name]:
                yield Found(at, free, units)


class Vocabulary:
    """Words that somebody asks for. They are in lower case already."""

    def __init__(self, words: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(words))
        self._short = [word for word in wanted if len(word) < SHORTEST]
        self._by_start = _by_start(word for word in wanted if len(word) >= SHORTEST)

    def held_by(self, text: str) -> frozenset[str]:
        """Those that `text` holds, wherever they stand."""
        likely = (word for start in _pairs(text) & self._by_start.keys() for word in self._by_start[start])
        return frozenset(word for word in (*self._short, *likely) if word in text)


def _by_start(words: Iterable[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for word in words:
        found[word[:SHORTEST]].append(word)
    return dict(found)


def _pairs(text: str) -> set[str]:
    """Every two characters that stand beside each other."""
    return set(map(add, text, text[1:]))


def _spots(text: str, start: str) -> Iterator[int]:
    at = text.find(start)
    while at >= 0:
        yield at
        at = text.find(start, at + 1)
