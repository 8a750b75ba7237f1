"""How much the likeliest part of a text speaks for each class of a linear model: windows, scored in one pass.

What one clause tells must not be lost in a page. May not decide what a height is for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from normalizer.models.linear import Linear
from normalizer.models.ngrams import WIDTH, hashes, lengths

WINDOW: Final = 96
"""Characters of a window: what is said of one thing, with when it was and whether it still is."""
STEP: Final = 24
"""Characters from one window to the next."""

_BLOCKS: Final = WINDOW // STEP

Rows = NDArray[np.float32]


def heights(model: Linear, text: str) -> Rows:
    """Of every class the score in the window where it is highest; minus infinity where no n-gram is known.

    As `Linear.scores`, but an n-gram counts each time it occurs: in so few characters hardly any occurs twice.
    """
    rows = model.slots.take(hashes(text, model.unread) >> np.uint32(WIDTH - (len(model.slots).bit_length() - 1)))
    if not len(rows):
        return np.full(len(model.labels), -np.inf, dtype=np.float32)
    idf = np.where(rows >= 0, model.idf.take(rows), np.float32(0))
    windows = _windows(np.column_stack((model.weights.take(rows, axis=0) * idf[:, None], idf * idf)))
    windows = windows[windows[:, -1] > 0]
    if not len(windows):
        return np.full(len(model.labels), -np.inf, dtype=np.float32)
    best: Rows = (windows[:, :-1] / np.sqrt(windows[:, -1:])).max(axis=0)
    return best * model.scale + model.bias


def _windows(values: Rows) -> Rows:
    """The sums of all n-grams that begin in each window, a row a window."""
    sizes, columns = lengths(len(values)), values.shape[1]
    many = -(-sizes[0] // STEP)
    padded = np.zeros((len(sizes), many * STEP, columns), dtype=np.float32)
    start = 0
    for part, size in zip(padded, sizes, strict=True):
        part[:size] = values[start : start + size]
        start += size
    blocks = (padded.reshape(-1, STEP * columns) @ _adding(columns)).reshape(len(sizes), many, columns).sum(axis=0)
    windows = max(1, many - _BLOCKS + 1)
    whole: Rows = np.add.reduce([blocks[at : at + windows] for at in range(min(_BLOCKS, many))])
    return whole


@lru_cache(maxsize=4)
def _adding(columns: int) -> Rows:
    """A matrix that adds the rows of a block: one product is many times faster than a sum over an axis."""
    return np.tile(np.eye(columns, dtype=np.float32), (STEP, 1))
