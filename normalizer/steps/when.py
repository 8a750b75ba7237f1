"""When it happened, where the source did not say: a moment, a span, or a recurrence, seen from the receipt.

May not overrule the source, nor fill in what the text leaves open.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from normalizer.simplified import simplified
from normalizer.ticket import Inbound, Note, Span, Ticket
from normalizer.when import Reading, read

STEP: Final = "when"
_TOLD: Final = {
    "now": "just before the receipt",
    "minute": "a clock time",
    "hour": "about a clock time",
    "daypart": "a part of a day",
    "day": "one day",
    "week": "a week",
    "month": "a month",
    "year": "a year",
    "season": "a season",
    "span": "from … to …",
    "holiday": "the days off of a holiday",
    "about": "about so long ago",
    "since": "since then, still going on",
}


def find_when(inbound: Inbound, draft: Ticket, *, zone: ZoneInfo) -> Ticket:
    """Fill occurred_at. What a span cannot say is a note: `recurs` (the rule), `before` (the day)."""
    if draft.occurred_at is not None:
        return draft
    local = draft.received_at.astimezone(zone).replace(tzinfo=None)
    found = read(simplified(draft.text), local) or (read(simplified(draft.title), local) if draft.title else None)
    if found is None:
        return draft
    return draft.model_copy(
        update={
            "occurred_at": _span(found, zone),
            "notes": (*draft.notes, Note(step=STEP, code=_code(found), detail=_detail(found))),
        }
    )


def _code(found: Reading) -> str:
    return "recurs" if found.recurrence else found.precision


def _detail(found: Reading) -> str:
    if found.recurrence:
        return found.recurrence
    if found.precision == "before" and found.end:
        return f"{found.end:%Y-%m-%d}"
    return _TOLD[found.precision]


def _span(found: Reading, zone: ZoneInfo) -> Span | None:
    if found.start is None:
        return None
    return Span(start=_here(found.start, zone), end=_here(found.end, zone) if found.end else None)


def _here(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.replace(tzinfo=zone)
