"""The current ticket = the accepted document + every later event, folded in order of version.

Pure. May not fail on an event type it does not know: only the version moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from normalizer import events
from normalizer.ticket import AttachmentRef, Note, Ticket, Turn


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
    }


CHANGES: Final[Mapping[str, Callable[[Ticket, Mapping[str, Any]], dict[str, Any]]]] = {
    events.FOLLOWED_UP: _followed_up,
}
