"""A linear model over hashed n-grams: sublinear counts, idf, length 1, a weight per n-gram and class, and a confidence
that was calibrated on texts it had not seen. May not read files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from normalizer.models.ngrams import WIDTH, hashes

_FAMILIAR: Final = 0.3  # known part of a text below which nothing is guessed; of the texts of a line it is above 0.5
_SURE: Final = 30.0  # a logit beyond which nothing changes


@dataclass(frozen=True, slots=True)
class Guess:
    """A class and how sure it is: of so many guesses with this confidence, that share is right."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """`slots`: hash → row (-1: an n-gram that training never saw, which must not weigh in the length). `weights`: int8,
    a row per n-gram; `scale` and `bias` a class. `temperature` makes shares of the scores; `trust` of the best class,
    its lead over the next and its height make its confidence. `threshold`: the confidence below which nothing should
    be concluded. `unread`: characters that it does not look at. `about`: how it was trained, for its card."""

    labels: tuple[str, ...]
    slots: NDArray[np.int32]
    idf: NDArray[np.float32]
    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    trust: NDArray[np.float32]
    temperature: float
    lead: float
    height: float
    threshold: float
    unread: str
    about: Mapping[str, Any]

    def guesses(self, text: str, most: int = 3) -> tuple[Guess, ...]:
        """The likeliest classes, the likeliest first; empty when hardly an n-gram of the text is known: the few that
        are would speak for all of it."""
        rows = self._rows(text)
        known = rows[rows >= 0]
        if not len(known) or len(known) < _FAMILIAR * len(rows):
            return ()
        found = self._scores(known).tolist()
        order = sorted(range(len(found)), key=found.__getitem__, reverse=True)
        best = found[order[0]]
        first = self.confidence(order[0], best - found[order[1]], best)
        shares = [math.exp(self.temperature * (found[at] - best)) for at in order[1:]]
        left = (1 - first) / sum(shares) if shares[0] else 0.0
        rest = (min(first, share * left) for share in shares[: most - 1])
        return tuple(Guess(self.labels[at], sure) for at, sure in zip(order, (first, *rest), strict=False))

    def confidence(self, best: int, lead: float, height: float) -> float:
        """How often the best class is right when it leads like this, is as high as this, and is this class."""
        logit = self.lead * lead + self.height * height + float(self.trust[best])
        return 1 / (1 + math.exp(-max(min(logit, _SURE), -_SURE)))

    def scores(self, text: str) -> NDArray[np.float32] | None:
        """The score of every class; None when no n-gram is known."""
        rows = self._rows(text)
        known = rows[rows >= 0]
        return self._scores(known) if len(known) else None

    def known(self, text: str) -> float:
        """The part of the text's n-grams that training saw, about: some hashes share a slot."""
        rows = self._rows(text)
        return np.count_nonzero(rows >= 0) / len(rows) if len(rows) else 0.0

    def vector(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The known n-grams' rows and their weights in the text, of length 1."""
        rows = self._rows(text)
        return weighed(rows[rows >= 0], self.idf)

    def _rows(self, text: str) -> NDArray[np.int32]:
        """The row of every n-gram as it comes; -1 where training never saw it."""
        bits = len(self.slots).bit_length() - 1
        return self.slots.take(hashes(text, self.unread) >> np.uint32(WIDTH - bits))

    def _scores(self, known: NDArray[np.int32]) -> NDArray[np.float32]:
        rows, values = weighed(known, self.idf)
        found: NDArray[np.float32] = (values @ self.weights.take(rows, axis=0)) * self.scale + self.bias
        return found


def weighed(rows: NDArray[np.int32], idf: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Each row once, with 1 + log(count) times idf, the whole of length 1. Training uses the same lines."""
    if not len(rows):
        return rows, np.zeros(0, dtype=np.float32)
    every = np.sort(rows)
    last = np.ones(len(every), dtype=np.bool_)
    np.not_equal(every[1:], every[:-1], out=last[:-1])
    ends = np.flatnonzero(last)
    found = every.take(ends)
    counts = ends.astype(np.float32)
    counts[0] += 1
    counts[1:] -= ends[:-1]
    values = (1 + np.log(counts)) * idf.take(found)
    return found, values / math.sqrt(values @ values)
