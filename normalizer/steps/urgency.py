"""Turns what rules and model found into tier, reasons and flags. May not hold a rule itself."""

from __future__ import annotations

from typing import Final

from normalizer import marks
from normalizer.ticket import Flag, Inbound, Note, Ticket, Tier, Urgency
from normalizer.urgency import assess

STEP: Final = "urgency"
_ORDER: Final = (Tier.IMMEDIATE, Tier.HOURS_2, Tier.HOURS_24, Tier.DAYS_7, Tier.DAYS_15)


def judge_urgency(inbound: Inbound, draft: Ticket) -> Ticket:
    """Fill urgency and add flags; reads what came in, as `normalizer.alarms` did for the receipt. What an earlier step
    found more urgent stays so: rules and models only add."""
    assessed = assess(inbound)
    hits = [finding.rule for finding in assessed.findings if finding.ruled_out_by is None]
    tiers, reasons = [rule.tier for rule in hits if rule.tier], [rule.code for rule in hits]
    added = [flag for rule in hits for flag in rule.flags]
    if draft.urgency.reasons:
        tiers.append(draft.urgency.tier)
        reasons[:0] = draft.urgency.reasons
    if Flag.EMERGENCY in (*inbound.flags, *draft.flags):
        tiers.append(Tier.IMMEDIATE)
        reasons.append("flagged_by_channel" if Flag.EMERGENCY in inbound.flags else "flagged")
    if assessed.sounds is not None:
        tiers.append(assessed.sounds)
        reasons.append(f"{marks.CODE}_{assessed.sounds.value}")
    if assessed.sounds is Tier.IMMEDIATE:
        added.append(Flag.EMERGENCY)
    tier = min(tiers, key=_ORDER.index, default=Tier.DAYS_7)
    flags = dict.fromkeys((*draft.flags, *added))
    notes = [
        Note(step=STEP, code=f"{finding.rule.code}_ruled_out", detail=f"context: {finding.ruled_out_by}")
        if finding.ruled_out_by
        else Note(step=STEP, code=finding.rule.code, detail=f"tier {finding.rule.tier} by the rule's words")
        for finding in assessed.findings
    ]
    if assessed.sounds is not None:
        code = f"{marks.CODE}_{assessed.sounds.value}"
        notes.append(Note(step=STEP, code=code, detail="no rule's words, but such as others used"))
    return draft.model_copy(
        update={
            "urgency": Urgency(tier=tier, reasons=tuple(dict.fromkeys(reasons))),
            "flags": tuple(flags),
            "notes": (*draft.notes, *notes),
        }
    )
