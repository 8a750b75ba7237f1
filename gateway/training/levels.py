"""How sure a model is of each level of its answer, where answers have levels: all that lies below one speaks for it.

May not see a test row; what a ticket is told by the same sums is normalizer/steps/category.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from numpy import exp

from gateway.training.examples import LEVELS


def sureties(scores: Mapping[str, float], first: float, temperature: float, right: str) -> Iterator[tuple[float, bool]]:
    """Of the best answer, level by level from the widest: how sure it is, and whether it is right. `first`: how sure the
    whole answer is."""
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
