"""Figures and their intervals: shares, macro-F1, bootstrap, time a text. May not know a task."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.accuracy.result import SEED, Figure

RESAMPLES: Final = 1000
Metric = Callable[[Sequence[str], Sequence[str]], tuple[float, float, float]]


def macro_f1(right: Sequence[str], given: Sequence[str]) -> tuple[float, float, float]:
    """The mean of the F1 of every class that is right somewhere, with its bootstrap interval."""
    labels = sorted(set(right))
    column = {label: at for at, label in enumerate(labels)}
    wide = len(labels) + 1  # the last: an answer that is no right one anywhere
    cells = np.array([column[y] * wide + column.get(p, wide - 1) for y, p in zip(right, given, strict=True)])

    def mean(chosen: NDArray[np.int64]) -> float:
        table = np.bincount(chosen, minlength=wide * wide).reshape(wide, wide).astype(float)
        both = table.sum(axis=0) + table.sum(axis=1)
        scores = 2 * np.diag(table) / np.maximum(both, 1)
        return float(scores[:-1].mean())

    return mean(cells), *_interval(lambda picked: mean(cells[picked]), len(cells))


def share(hits: Sequence[bool]) -> tuple[float, float, float]:
    """The part that is true, with its bootstrap interval; 0 of nothing."""
    if not hits:
        return 0.0, 0.0, 0.0
    values = np.array(hits, dtype=float)
    return float(values.mean()), *_interval(lambda picked: float(values[picked].mean()), len(values))


def figure(
    metric: str,
    value: tuple[float, float, float],
    baseline: tuple[float, float, float] | None = None,
    target: float | None = None,
) -> Figure:
    """A measured value beside the baseline's."""
    return Figure(metric, *value, target, *(baseline or (None, None, None)))


def confusions(right: Iterable[str], given: Iterable[str], most: int = 8) -> tuple[tuple[str, str, int], ...]:
    """What is taken for what, the most frequent first."""
    pairs = Counter((y, p) for y, p in zip(right, given, strict=True) if y != p)
    return tuple((y, p, many) for (y, p), many in sorted(pairs.items(), key=lambda one: (-one[1], one[0]))[:most])


def milliseconds(work: Callable[[str], object], texts: Sequence[str]) -> float:
    """The median time of one text, each once."""
    spent = []
    for text in texts:
        start = time.perf_counter_ns()
        work(text)
        spent.append(time.perf_counter_ns() - start)
    return float(np.median(spent)) / 1e6


def _interval(value: Callable[[NDArray[np.int64]], float], many: int) -> tuple[float, float]:
    chance = np.random.default_rng(SEED)
    values = [value(chance.integers(0, many, many)) for _ in range(RESAMPLES)]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
