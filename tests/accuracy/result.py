"""What a task of `make accuracy` hands in: figures, intervals, a baseline, confusions. May not hold a row's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DATA: Final = ROOT.parent / "shared/data/text"
LABELS: Final = ROOT / "tests/labels"
SETS: Final = {"first": LABELS, "second": LABELS / "second"}
"""Written cases: the first have been looked at since, the second only been measured on."""
SEED: Final = 20_261_123


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value in 0…1, with its 95 % interval; `target`: what the project asks of it."""

    metric: str
    value: float
    low: float
    high: float
    target: float | None = None
    baseline: float | None = None
    baseline_low: float | None = None
    baseline_high: float | None = None

    @property
    def met(self) -> str:
        """In a word."""
        return "" if self.target is None else "met" if self.value >= self.target else "**missed**"


@dataclass(frozen=True, slots=True)
class Result:
    """One task. `baseline`: what the second column is; `confusions`: (right, given, how often), most frequent first;
    `milliseconds`: a ticket, median; `more`: sentences and lists that belong to it, as Markdown."""

    name: str
    data: str
    split: str
    figures: tuple[Figure, ...]
    baseline: str = ""
    milliseconds: float | None = None
    confusions: tuple[tuple[str, str, int], ...] = ()
    more: tuple[str, ...] = ()


Measure = Callable[[], Iterator[Result]]
