"""How much more frequent each answer has become: a bias for what is given to whom nowadays.

May not look into a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.training.examples import Example

_SPAN: Final = 800.0
"""Examples after which one counts e times less in what is frequent now."""
_NOW: Final = 0.05
_EVER: Final = 0.5


def leaning(examples: Sequence[Example], labels: Sequence[str]) -> NDArray[np.float64]:
    """The logarithm of each answer's share lately over its share ever; nothing where examples have no place in time."""
    timed = [example.label for example in examples if example.order]
    if not timed:
        return np.zeros(len(labels))
    now, ever = dict.fromkeys(labels, _NOW), Counter(timed)
    for age, label in enumerate(reversed(timed)):
        now[label] += float(np.exp(-age / _SPAN))
    lately = np.array([now[label] for label in labels])
    always = np.array([ever[label] + _EVER for label in labels])
    leaned: NDArray[np.float64] = np.log(lately / lately.sum()) - np.log(always / always.sum())
    return leaned
