"""Naive Bayes as weights, to be mixed with those of a support vector machine: it learns little by heart, and so is
right on texts that are unlike those of the past. May not see a test row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SEEN_NOWHERE: Final = 0.01
"""What an n-gram counts in a class that never had it; a text's n-grams together have length 1."""


def mixed(found: NDArray[np.float64], matrix: Any, answers: Sequence[int], share: float) -> NDArray[np.float64]:
    """The weights by class, and `share` of those of naive Bayes, made to speak as loud as they on the same texts."""
    if not share:
        return found
    own = _weights(matrix, np.array(answers), len(found))
    loud = float(np.std(matrix @ found.T)) / max(float(np.std(matrix @ own.T)), 1e-9)
    return found + share * loud * own


def _weights(matrix: Any, answers: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """The logarithm of how often each class has an n-gram, against the mean of all classes."""
    counts = np.vstack([np.asarray(matrix[answers == one].sum(axis=0)).ravel() for one in range(classes)])
    counts += _SEEN_NOWHERE
    often = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
    against: NDArray[np.float64] = often - often.mean(axis=0)
    return against
