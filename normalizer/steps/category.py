"""What the matter is: as the requester says, else as the model is sure of, in the site's taxonomy.

May not overrule a form or a clerk, and says nothing when it is not sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from normalizer import models
from normalizer.models import Guess
from normalizer.simplified import simplified
from normalizer.taxonomy import taxonomies
from normalizer.ticket import Category, Inbound, Note, Ticket

STEP: Final = "category"
METHOD: Final = "linear"
_MOST: Final = 3
_LEVELS: Final = "/"
"""Between the levels of a class of a site's own model."""


def find_category(inbound: Inbound, draft: Ticket, *, model: Path, taxonomy: str) -> Ticket:
    """Fill `category` where nobody gave one; a note names the likeliest classes either way. Stands
    before the step that makes a title of the text."""
    if draft.category is not None or not draft.text.strip():
        return draft
    learned = models.load(model)
    text = simplified(f"{draft.title}\n{draft.text}")
    guesses = learned.guesses(text, len(learned.labels))
    if not guesses:
        return _noted(draft, "category_open", "no words that the model knows")
    told = ", ".join(f"{guess.label} {guess.confidence:.2f}" for guess in guesses[:_MOST])
    path, sure = _as_deep_as_sure(guesses, learned.threshold)
    if not path:
        return _noted(draft, "category_open", f"not sure: {told}")
    label = taxonomies()[taxonomy].read(_LEVELS.join(path), text)
    if label is None:
        return _noted(draft, "category_open", f"{told}; without a class in {taxonomy}")
    path = path if label == _LEVELS.join(path) else (label,)
    found = Category(code=label, path=path, confidence=round(sure, 4), method=METHOD)
    return _noted(draft.model_copy(update={"category": found}), "category_learned", told)


def _as_deep_as_sure(guesses: Sequence[Guess], threshold: float) -> tuple[tuple[str, ...], float]:
    """The likeliest class as far down its levels as it is sure; nothing when not even the first level is."""
    paths = [tuple(guess.label.split(_LEVELS)) for guess in guesses]
    for depth in range(len(paths[0]), 0, -1):
        path = paths[0][:depth]
        below = (guess.confidence for guess, one in zip(guesses, paths, strict=True) if one[:depth] == path)
        if (sure := min(sum(below), 1.0)) >= threshold:
            return path, sure
    return (), 0.0


def _noted(draft: Ticket, code: str, detail: str) -> Ticket:
    return draft.model_copy(update={"notes": (*draft.notes, Note(step=STEP, code=code, detail=detail))})
