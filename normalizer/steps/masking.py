"""What identifies people or opens their accounts is masked where everybody reads it; the requester's fields stay.

May not mask where nothing was recognised by its check digit, its shape or its label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

from normalizer.personal.data import Kind, mask
from normalizer.ticket import Inbound, Note, Ticket

STEP: Final = "masking"
_PLACE: Final = ("text", "detail")


def mask_people(inbound: Inbound, draft: Ticket, *, kinds: Collection[Kind]) -> Ticket:
    """Mask `kinds` in title, text, place, conversation, reasons, names of files and the notes made so far."""
    counts: Counter[str] = Counter()

    def hidden(text: str) -> str:
        masked, found = mask(text, kinds)
        counts.update(found)
        return masked

    update: dict[str, object] = {
        "title": hidden(draft.title),
        "text": hidden(draft.text),
        "conversation": tuple(turn.model_copy(update={"text": hidden(turn.text)}) for turn in draft.conversation),
        "attachments": tuple(file.model_copy(update={"name": hidden(file.name)}) for file in draft.attachments),
    }
    told = len(inbound.notes)  # our own notes hold nothing that anybody typed
    notes = tuple(note.model_copy(update={"detail": hidden(note.detail)}) for note in draft.notes[:told])
    if draft.place:
        update["place"] = draft.place.model_copy(
            update={name: hidden(words) for name in _PLACE if (words := getattr(draft.place, name))}
        )
    if draft.disposition.reason:
        update["disposition"] = draft.disposition.model_copy(update={"reason": hidden(draft.disposition.reason)})
    if not counts:
        return draft
    said = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    note = Note(step=STEP, code="masked", detail=f"masked: {said}")
    return draft.model_copy(update={**update, "notes": (*notes, *draft.notes[told:], note)})
