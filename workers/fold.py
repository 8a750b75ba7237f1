"""The current ticket = the accepted document + every later event, folded in order of version.

Pure. May not fail on an event type it does not know: only the version moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from normalizer import events
from normalizer.life import EVENT_TYPES, StepName
from normalizer.ticket import AttachmentRef, Flag, Note, Related, Speaker, Ticket, Tier, Turn, Urgency


def fold(ticket: Ticket, later: Iterable[Mapping[str, Any]]) -> Ticket:
    """Apply `later` (CloudEvents, oldest first) to the accepted ticket."""
    for event in later:
        data = event["data"]
        change = CHANGES.get(event["type"], _nothing)(ticket, data)
        ticket = ticket.model_copy(update={**change, "version": data["version"]})
    return ticket


def _nothing(ticket: Ticket, data: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _followed_up(ticket: Ticket, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "conversation": (*ticket.conversation, Turn.model_validate(data["turn"])),
        "attachments": (*ticket.attachments, *map(AttachmentRef.model_validate, data["attachments"])),
        "notes": (*ticket.notes, *map(Note.model_validate, data["notes"])),
        "urgency": _more_urgent(ticket.urgency, data.get("urgency")),
        "flags": tuple(dict.fromkeys((*ticket.flags, *_of_the_matter(data.get("flags", ()))))),
    }


def _more_urgent(urgency: Urgency, later: Mapping[str, Any] | None) -> Urgency:
    """The more urgent tier of both, with the reasons of both. An event of before `urgency` was told changes nothing."""
    if later is None:
        return urgency
    other = Urgency.model_validate(later)
    return Urgency(
        tier=min(urgency.tier, other.tier, key=URGENCY.index),
        reasons=tuple(dict.fromkeys((*urgency.reasons, *other.reasons))),
    )


def _of_the_matter(flags: Iterable[str]) -> Iterable[Flag]:
    return (flag for flag in map(Flag, flags) if flag not in OF_THE_MESSAGE)


URGENCY: Final = tuple(Tier)
"""Tiers in the order of urgency, which is the order they are declared in; `batch.lua` has the same."""
OF_THE_MESSAGE: Final = frozenset({Flag.AUTOMATED, Flag.NO_REQUEST})
"""What says nothing of the ticket when only a later message is so: an automatic answer, a call without a request."""


def _answered(ticket: Ticket, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a unit told the citizen belongs to what was said about the matter."""
    if not data.get("text"):
        return {}
    turn = Turn(speaker=Speaker.AGENT, text=data["text"], start=data["at"])
    attachments = tuple(map(AttachmentRef.model_validate, data.get("attachments", ())))
    return {
        "conversation": (*ticket.conversation, turn),
        "attachments": (*ticket.attachments, *attachments),
    }


def _linked(ticket: Ticket, data: Mapping[str, Any]) -> dict[str, Any]:
    known = {one.ticket_id for one in ticket.related}
    found = map(Related.model_validate, data["related"])
    return {"related": (*ticket.related, *(one for one in found if one.ticket_id not in known))}


CHANGES: Final[Mapping[str, Callable[[Ticket, Mapping[str, Any]], dict[str, Any]]]] = {
    events.FOLLOWED_UP: _followed_up,
    events.LINKED: _linked,
    EVENT_TYPES[StepName.REPLY]: _answered,
    EVENT_TYPES[StepName.ANSWER]: _answered,
}
