"""What a step costs, judged alike on every machine: CPU time, and beyond the bound in proportion to the machine's pace.

Time on the wall says more about the neighbours than about the code; CPU time still doubles where they share a core.
"""

from __future__ import annotations

import time
from typing import Final

REFERENCE: Final = 0.0043
"""CPU seconds of the piece of work below on the machine on which the tests' bounds were chosen, when it was idle."""


def slowness() -> float:
    """How many times slower than that machine this one is now; never below 1, so that a bound is never narrower."""
    began = time.process_time()
    for n in range(6):
        _piece(n)
    return max(1.0, (time.process_time() - began) / 6 / REFERENCE)


def _piece(seed: int) -> int:
    """Strings, a dictionary and a loop, as in what is measured."""
    found: dict[str, int] = {}
    for n in range(20_000):
        word = f"{seed}:{n % 997}"
        found[word] = found.get(word, 0) + len(word)
    return sum(found.values())


class Effort:
    """The CPU time of this process since it was made."""

    def __init__(self) -> None:
        self._began = time.process_time()
        self._said = ""

    def __repr__(self) -> str:
        return f"<{self._said or 'an effort'}>"

    def within(self, seconds: float) -> bool:
        """Whether it is below `seconds` of the machine they were meant for; the pace is measured only if need be."""
        spent = time.process_time() - self._began
        if spent < seconds:
            return True
        factor = slowness()
        self._said = f"{spent:.2f} s on a machine {factor:.1f} times slower than the bound's"
        return spent < seconds * factor
