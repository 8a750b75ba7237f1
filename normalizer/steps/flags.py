"""Turns what the flag rules found into flags, and names the unit accused. May not hold a rule, may not drop a flag."""

from __future__ import annotations

from typing import Final

from normalizer.accused import units_accused
from normalizer.flags import marks
from normalizer.rulebook import Finding
from normalizer.ticket import Flag, Inbound, Note, Ticket

STEP: Final = "flags"


def find_flags(inbound: Inbound, draft: Ticket) -> Ticket:
    """Add flags, and `accused` where an official is. A wish for confidentiality also counts as the requester's."""
    findings = marks(inbound)
    added = tuple(flag for finding in findings if finding.ruled_out_by is None for flag in finding.rule.flags)
    if not findings:
        return draft
    flags = tuple(dict.fromkeys((*draft.flags, *added)))
    update: dict[str, object] = {"flags": flags, "notes": (*draft.notes, *_notes(findings))}
    if Flag.AGAINST_OFFICIAL in added:
        update["accused"] = units_accused(f"{draft.title}\n{draft.text}")
    if Flag.CONFIDENTIAL in added:
        update["requester"] = draft.requester.model_copy(update={"confidential": True})
    return draft.model_copy(update=update)


def _notes(findings: tuple[Finding, ...]) -> list[Note]:
    return [
        Note(step=STEP, code=f"{one.rule.code}_ruled_out", detail=f"context: {one.ruled_out_by}")
        if one.ruled_out_by
        else Note(step=STEP, code=one.rule.code, detail="by the rule's words")
        for one in findings
    ]
