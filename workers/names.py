"""Names of units found in a text: from left to right, the longest name at a spot.

Pure. One look at each character, so that hundreds of names cost no more than ten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workers.region import SHORTEST_NAME, Unit


@dataclass(frozen=True, slots=True)
class Found:
    """A name in a text, and whom it may mean: one name can be that of several units."""

    start: int
    end: int
    units: tuple[Unit, ...]


class Names:
    """An index of names. Case does not matter."""

    def __init__(self, named: Iterable[tuple[str, Unit]], *, elsewhere: Iterable[str] = ()) -> None:
        """`elsewhere`: longer words that hold one of the names and mean something else."""
        meant: dict[str, dict[str, Unit]] = defaultdict(dict)
        for word in elsewhere:
            meant[word.casefold()] = {}
        for name, unit in named:
            meant[name.casefold()][unit.id] = unit
        self._meant = {name: tuple(units.values()) for name, units in meant.items()}
        self._by_start: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._meant, key=len, reverse=True):
            self._by_start[name[:SHORTEST_NAME]].append(name)

    def find(self, text: str) -> Iterator[Found]:
        """Every name in `text`; none inside another."""
        text = text.casefold()
        at = 0
        while at <= len(text) - SHORTEST_NAME:
            names = self._by_start.get(text[at : at + SHORTEST_NAME], ())
            name = next((name for name in names if text.startswith(name, at)), None)
            if name is None:
                at += 1
                continue
            if units := self._meant[name]:
                yield Found(at, at + len(name), units)
            at += len(name)
