"""How much the likeliest part of a text speaks for one class of a linear model: windows, scored in one pass.

A danger told in one clause must not be lost in a page. May not decide what a height is for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from normalizer.models.linear import Linear
from normalizer.models.ngrams import WIDTH, by_length, hashes

WINDOW: Final = 64
"""Characters of a window: two or three clauses."""
STEP: Final = 16
"""Characters from one window to the next."""

Sums = NDArray[np.float32]


def height(model: Linear, text: str, label: str) -> float:
    """The score of `label` in the window where it is highest; minus infinity where no n-gram is known.

    As `Linear.scores`, but an n-gram counts each time it occurs: in so few characters hardly any occurs twice.
    """
    found = hashes(text)
    rows = model.slots.take(found >> np.uint32(WIDTH - (len(model.slots).bit_length() - 1)))
    known = rows >= 0
    idf = np.where(known, model.idf.take(rows), np.float32(0))
    column = model.labels.index(label)
    weights = model.weights[:, column].take(rows) * idf
    spoken, length = _windows(weights), _windows(idf * idf)
    heard = length > 0
    if not heard.any():
        return -np.inf
    return float((spoken[heard] / np.sqrt(length[heard])).max() * model.scale[column] + model.bias[column])


def _windows(values: Sums) -> Sums:
    """The sums of all n-grams that begin in each window."""
    parts = by_length(values)
    size = len(parts[0]) if parts else 0
    at = np.zeros(size + 1, dtype=np.float32)
    for part in parts:
        at[1 : len(part) + 1] += part
    summed = np.cumsum(at)
    begins = np.arange(0, max(1, size - WINDOW + STEP), STEP)
    whole: Sums = summed[np.minimum(begins + WINDOW, size)] - summed[begins]
    return whole
