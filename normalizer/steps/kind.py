"""What the citizen wants: as given, else as the words declare it, else help where a danger is told, else as the model
is sure of, else as words hint.

May not overrule a form or a clerk, and says nothing when none of them does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from normalizer import models
from normalizer.kinds import declared, hinted
from normalizer.simplified import simplified
from normalizer.ticket import Inbound, Kind, Note, Ticket
from normalizer.urgency import alarms

STEP: Final = "kind"


def find_kind(inbound: Inbound, draft: Ticket, *, model: Path) -> Ticket:
    """Fill `kind` where nobody gave one; stands before the step that makes a title of the text."""
    if inbound.kind is not None or not draft.text.strip():
        return draft
    if (kind := declared(draft.title, draft.text)) is not None:
        return _with(draft, kind, Note(step=STEP, code="kind_said", detail=f"the words say {kind.value}"))
    if alarms(inbound):
        return _with(draft, Kind.HELP, Note(step=STEP, code="kind_danger", detail="who tells of a danger wants help"))
    learned = models.load(model)
    best = next(iter(learned.guesses(simplified("\n".join(filter(None, (draft.title, draft.text)))), 1)), None)
    if best is None or best.confidence < learned.threshold:
        if (kind := hinted(draft.title, draft.text)) is not None:
            return _with(draft, kind, Note(step=STEP, code="kind_hinted", detail=f"words as of {kind.value}"))
        unsure = f"the likeliest is {best.label} with {best.confidence:.2f}" if best else "no words that it knows"
        return _with(draft, Kind.OTHER, Note(step=STEP, code="kind_open", detail=unsure))
    note = Note(step=STEP, code="kind_learned", detail=f"{best.label} with {best.confidence:.2f}")
    return _with(draft, Kind(best.label), note)


def _with(draft: Ticket, kind: Kind, note: Note) -> Ticket:
    return draft.model_copy(update={"kind": kind, "notes": (*draft.notes, note)})
