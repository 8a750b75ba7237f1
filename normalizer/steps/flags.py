"""Turns what rules and model found into flags, and names the unit accused. May not hold a rule, may not drop a flag."""

from __future__ import annotations

from typing import Final

from normalizer import marks
from normalizer.accused import units_accused
from normalizer.flags import Flagged, read
from normalizer.ticket import Flag, Inbound, Note, Ticket

STEP: Final = "flags"


def find_flags(inbound: Inbound, draft: Ticket) -> Ticket:
    """Add flags, and `accused` where an official is. A wish for confidentiality also counts as the requester's."""
    flagged = read(inbound)
    if not flagged.findings and not flagged.sounds:
        return draft
    flags = tuple(dict.fromkeys((*draft.flags, *flagged.flags)))
    update: dict[str, object] = {"flags": flags, "notes": (*draft.notes, *_notes(flagged))}
    if Flag.AGAINST_OFFICIAL in flagged.flags:
        update["accused"] = units_accused(f"{draft.title}\n{draft.text}")
    if Flag.CONFIDENTIAL in flagged.flags:
        update["requester"] = draft.requester.model_copy(update={"confidential": True})
    return draft.model_copy(update=update)


def _notes(flagged: Flagged) -> list[Note]:
    by_rule = [
        Note(step=STEP, code=f"{one.rule.code}_ruled_out", detail=f"context: {one.ruled_out_by}")
        if one.ruled_out_by
        else Note(step=STEP, code=one.rule.code, detail="by the rule's words")
        for one in flagged.findings
    ]
    by_model = [
        Note(step=STEP, code=f"{marks.CODE}_{flag.value}", detail="no rule's words, but such as others used")
        for flag in flagged.sounds
    ]
    return [*by_rule, *by_model]
