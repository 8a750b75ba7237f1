"""The CloudEvents 1.0 envelope of everything that leaves on a stream, to a file or to a webhook.

Attributes never carry personal data: they are logged in the clear by intermediaries (CloudEvents 1.0, privacy).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, Field

from normalizer.ticket import AttachmentRef, Flag, Model, Note, Number, TicketId, Turn, Urgency

ACCEPTED: Final = "org.jiesu.ticket.accepted.v1"
FOLLOWED_UP: Final = "org.jiesu.ticket.followed_up.v1"
DELIVERED: Final = "org.jiesu.ticket.delivered.v1"
FAILED: Final = "org.jiesu.ticket.delivery_failed.v1"
NOTIFIED: Final = "org.jiesu.ticket.notified.v1"
TYPES: Final = (ACCEPTED, FOLLOWED_UP, DELIVERED, FAILED, NOTIFIED)


def source(domain: str) -> str:
    """The event source of a site, e.g. `/jiesu/hotline.example`."""
    return f"/jiesu/{domain}"


def rfc3339(moment: datetime) -> str:
    """RFC 3339 with offset, to the millisecond."""
    return moment.isoformat(timespec="milliseconds")


def moment(text: str) -> datetime:
    """The moment an RFC 3339 string names. Raises ValueError."""
    return datetime.fromisoformat(text)


def opening(*, type: str, source: str, time: datetime) -> bytes:
    """The envelope up to the attributes that only the queue knows, e.g. `{"specversion":"1.0",…,"time":"…"`.

    The queue's scripts complete it with `closing` pieces: id, subject, data.
    """
    head = {
        "specversion": "1.0",
        "type": type,
        "source": source,
        "datacontenttype": "application/json",
        "time": rfc3339(time),
    }
    return json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()[:-1]


class TicketStep(Model):
    """What every event after the accepted ticket says: which ticket, and the version this step made of it."""

    ticket_id: TicketId
    number: Number
    version: int = Field(ge=1, description="The ticket's version after this step")


class FollowedUp(TicketStep):
    """Data of `followed_up`: a later message of the same matter, to be appended to the ticket."""

    submission_id: TicketId = Field(description="The later message's own id, made as a ticket id is")
    channel: str = Field(description="The channel of the later message, which may differ from the ticket's")
    received_at: AwareDatetime
    turn: Turn
    attachments: tuple[AttachmentRef, ...] = ()
    notes: tuple[Note, ...] = ()
    urgency: Urgency | None = Field(
        default=None,
        description="What the later message says by itself; the ticket has the more urgent tier of both. "
        "Absent in events written before this field was",
    )
    flags: tuple[Flag, ...] = Field(
        default=(), description="Of the later message; what they say of the matter holds for the ticket"
    )


class DeliveryOutcome(TicketStep):
    """Data of `delivered` and `delivery_failed`: what became of an event at one destination."""

    destination: str = Field(description="The destination's name in the site's configuration")
    event_id: str = Field(description="The `id` of the event that was, or could not be, delivered")
    at: AwareDatetime
    detail: str | None = Field(default=None, description="Why, for operators; without personal data")


class Notified(TicketStep):
    """Data of `notified`: what became of something that was sent to the citizen. A later one of the same operation
    overrides it: a report that it did not arrive."""

    operation: str = Field(description="Names this sending for ever, e.g. `receipt`")
    channel: str = Field(description="The channel that sent it, or would have")
    outcome: str = Field(description="sent, failed, not_allowed or unknown; a word to come reads as unknown")
    reason: str | None = Field(default=None, description="Why not sent, for operators; without personal data")
    reference: str | None = Field(default=None, description="What the channel calls what it sent")
    at: AwareDatetime
