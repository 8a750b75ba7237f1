"""What came with the submission is taken as said: kind and category as given, confidentiality as a flag.

May not look at the free text.
"""

from __future__ import annotations

from typing import Final

from normalizer.steps.cleaning import clean_line
from normalizer.ticket import Category, Flag, Inbound, Note, Ticket

STEP: Final = "form"
METHOD: Final = "requester"


def take_form(inbound: Inbound, draft: Ticket) -> Ticket:
    """Fill kind, category (method `requester`, confidence 1) and the flag `confidential`."""
    notes: list[Note] = []
    update: dict[str, object] = {}
    if inbound.kind is not None:
        update["kind"] = inbound.kind
        notes.append(Note(step=STEP, code="kind_given", detail=f"the submission says {inbound.kind.value}"))
    code = clean_line(inbound.category or "")
    if code:
        update["category"] = Category(code=code, confidence=1, method=METHOD)
        notes.append(Note(step=STEP, code="category_given", detail="the submission says the category"))
    if draft.requester.confidential and Flag.CONFIDENTIAL not in draft.flags:
        update["flags"] = (*draft.flags, Flag.CONFIDENTIAL)
        notes.append(Note(step=STEP, code="confidential", detail="the requester asked for confidentiality"))
    return draft.model_copy(update={**update, "notes": (*draft.notes, *notes)})
