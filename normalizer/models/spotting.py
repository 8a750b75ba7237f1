"""How much the likeliest part of a text speaks for each class of a linear model: windows, scored in one pass.

What one clause tells must not be lost in a page. May not decide what a height is for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from normalizer.models.linear import Linear
from normalizer.models.ngrams import WIDTH, by_length, hashes

WINDOW: Final = 96
"""Characters of a window: what is said of one thing, with when it was and whether it still is."""
STEP: Final = 24
"""Characters from one window to the next."""

Rows = NDArray[np.float32]


def heights(model: Linear, text: str) -> Rows:
    """Of every class the score in the window where it is highest; minus infinity where no n-gram is known.

    As `Linear.scores`, but an n-gram counts each time it occurs: in so few characters hardly any occurs twice.
    """
    rows = model.slots.take(hashes(text, model.unread) >> np.uint32(WIDTH - (len(model.slots).bit_length() - 1)))
    if not len(rows):
        return np.full(len(model.labels), -np.inf, dtype=np.float32)
    idf = np.where(rows >= 0, model.idf.take(rows), np.float32(0))
    said = np.empty((len(rows), len(model.labels) + 1), dtype=np.float32)
    np.multiply(model.weights.take(rows, axis=0), idf[:, None], out=said[:, :-1])
    np.multiply(idf, idf, out=said[:, -1])
    windows = _windows(said)
    windows = windows[windows[:, -1] > 0]
    if not len(windows):
        return np.full(len(model.labels), -np.inf, dtype=np.float32)
    best: Rows = (windows[:, :-1] / np.sqrt(windows[:, -1:])).max(axis=0)
    return best * model.scale + model.bias


def _windows(values: Rows) -> Rows:
    """The sums of all n-grams that begin in each window, a row a window."""
    parts = by_length(values)
    size = len(parts[0])
    summed = np.zeros((size + 1, values.shape[1]), dtype=np.float32)
    for part in parts:
        summed[1 : len(part) + 1] += part
    np.cumsum(summed, axis=0, out=summed)
    begins = np.arange(0, max(1, size - WINDOW + STEP), STEP)
    whole: Rows = summed[np.minimum(begins + WINDOW, size)] - summed[begins]
    return whole
