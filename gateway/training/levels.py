"""How sure a model is of each level of its answer, where answers have levels: all that lies below one speaks for it.

May not see a test row; what a ticket is told by the same sums is normalizer/steps/category.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy import exp

from gateway.training.examples import LEVELS

_FEWEST: Final = 40  # answers on which a threshold may rest
_STEPS: Final = 2000


def sureties(scores: Mapping[str, float], first: float, temperature: float, right: str) -> Iterator[tuple[float, bool]]:
    """Of the best answer, level by level from the widest: how sure it is, and whether it is right. `first`: how sure
    the whole answer is."""
    best = max(scores, key=scores.__getitem__)
    path, truth = best.split(LEVELS), right.split(LEVELS)
    shares = {label: float(exp(temperature * (score - scores[best]))) for label, score in scores.items()}
    rest = sum(shares.values()) - shares[best]
    left = (1 - first) / rest if rest else 0.0
    for depth in range(1, len(path) + 1):
        others = (
            min(first, share * left)
            for label, share in shares.items()
            if label != best and label.split(LEVELS)[:depth] == path[:depth]
        )
        yield first + sum(others), truth[:depth] == path[:depth]


def threshold(told: Sequence[Sequence[tuple[float, bool]]], goal: float) -> tuple[float, float, float]:
    """The lowest from which on `goal` of what is told is right, each answer told as deep as it is sure; the part that
    is told, and the share of that which is right. Where that is never so, 1: nothing is told."""
    deepest = max(map(len, told))
    sure = np.array([[*(one for one, _ in levels), *[-1.0] * (deepest - len(levels))] for levels in told])
    hit = np.array([[*(right for _, right in levels), *[False] * (deepest - len(levels))] for levels in told])
    every = np.unique(sure[sure >= 0])
    tried = every if len(every) <= _STEPS else np.quantile(every, np.linspace(0, 1, _STEPS), method="lower")
    for least in tried:
        depth = (sure >= least).sum(axis=1)
        (some,) = np.nonzero(depth)
        right = float(hit[some, depth[some] - 1].mean())
        if len(some) < _FEWEST:
            break
        if right >= goal:
            return float(least), len(some) / len(told), right
    return 1.0, 0.0, 0.0
