"""Where it is: province, city, district, street or town, and the address below, from what the citizen wrote.

What the form or the channel gave stays and is completed. May not take an agent's words for the citizen's.
"""

from __future__ import annotations

from typing import Final

from normalizer.places.conclusion import NOTHING, conclude
from normalizer.ticket import Inbound, Note, Place, Speaker, Ticket

STEP: Final = "place"

_READ: Final = 4_000  # characters: who has not said by then where it is will not
_WORDS: Final = ("province", "city", "district", "street", "text", "detail")


def find_place(inbound: Inbound, draft: Ticket, *, scope: str) -> Ticket:
    """Fill place. `scope`: the site's own city (`gazetteer.site`), or empty; of places of one name its own is meant."""
    given = _given(inbound, draft)
    typed = "" if given is NOTHING else " ".join(dict.fromkeys(filter(None, (getattr(given, one) for one in _WORDS))))
    words = "\n".join(part for part in (typed, draft.title, draft.text, *_said(draft)) if part)[:_READ]
    concluded = conclude(words, scope, given, min(len(typed), _READ))
    if not concluded.why:
        return draft
    notes = (Note(step=STEP, code=code, detail=detail) for code, detail in concluded.why)
    return draft.model_copy(update={"place": concluded.place, "notes": (*draft.notes, *notes)})


def _given(inbound: Inbound, draft: Ticket) -> Place:
    """What the form or the channel said, cleaned; so that the step applied twice concludes the same."""
    if inbound.place is None or draft.place is None:
        return NOTHING
    said = (name for name in Place.model_fields if getattr(inbound.place, name) is not None)
    return Place(**{name: getattr(draft.place, name) for name in said})


def _said(draft: Ticket) -> list[str]:
    """What the citizen said in a conversation, where that is not the text already."""
    if draft.text:
        return []
    return [turn.text for turn in draft.conversation if turn.speaker not in (Speaker.AGENT, Speaker.SYSTEM)]
