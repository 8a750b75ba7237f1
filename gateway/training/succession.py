"""Units come and go: one that has fallen silent is no answer any more, and its tickets are given to those that are.

A reorganisation in the middle of the past would otherwise be learned as two units for one duty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from gateway.training import fit
from gateway.training.examples import Example
from gateway.training.fit import Recipe, Weights

_EXPECTED: Final = 4.0
"""Tickets that a unit should have had since its last one, at its own rate: e^-4, one in 50, to be silent by chance."""
_RECENT: Final = 2.0
"""How much more the newest ticket counts than the oldest: e to this."""


def retired(labels: Sequence[str]) -> frozenset[str]:
    """Units that had tickets, and have had none for too long; `labels` in order of time."""
    count, last = Counter(labels), {label: at for at, label in enumerate(labels)}
    silent = len(labels) - 1
    return frozenset(
        label
        for label, many in count.items()
        if many >= 3 and many / (last[label] + 1) * (silent - last[label]) >= _EXPECTED
    )


def succeeded(examples: Sequence[Example], recipe: Recipe) -> tuple[Sequence[Example], Weights]:
    """The examples, a retired unit's tickets relabelled: by the unit that most of them would go to now, else each by
    its own words. Newer ones count more."""
    gone = retired([example.label for example in examples])
    staying = [example for example in examples if example.label not in gone]
    ages = 1 - np.arange(len(examples)) / max(len(examples), 1)
    weights = np.exp(-_RECENT * ages)
    weights /= weights.mean()
    if not gone or len({example.label for example in staying}) < 2:
        return examples, weights
    now = fit.fit(staying, recipe)
    answers = {
        at: now.labels[int(fit.score_all(now, [example.text])[0].argmax())]
        for at, example in enumerate(examples)
        if example.label in gone
    }
    heirs = {label: _heir([answers[at] for at in answers if examples[at].label == label]) for label in gone}
    moved = [
        replace(example, label=heirs[example.label] or answers[at]) if at in answers else example
        for at, example in enumerate(examples)
    ]
    return moved, weights


def _heir(answers: Sequence[str]) -> str | None:
    """The one successor, when at least half of the tickets agree."""
    label, many = Counter(answers).most_common(1)[0]
    return label if 2 * many >= len(answers) else None
