"""The CloudEvents 1.0 envelope of everything that leaves on a stream, to a file or to a webhook.

Attributes never carry personal data: they are logged in the clear by intermediaries (CloudEvents 1.0, privacy).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, Field

from normalizer.actor import Actor
from normalizer.ticket import AttachmentRef, Flag, Model, Note, Number, Related, TicketId, Turn, Urgency

ACCEPTED: Final = "org.jiesu.ticket.accepted.v1"
FOLLOWED_UP: Final = "org.jiesu.ticket.followed_up.v1"
DELIVERED: Final = "org.jiesu.ticket.delivered.v1"
FAILED: Final = "org.jiesu.ticket.delivery_failed.v1"
NOTIFIED: Final = "org.jiesu.ticket.notified.v1"
ALARMED: Final = "org.jiesu.ticket.alarmed.v1"
ACKNOWLEDGED: Final = "org.jiesu.ticket.alarm_acknowledged.v1"
LINKED: Final = "org.jiesu.ticket.linked.v1"
UNIT_REFUSED: Final = "org.jiesu.ticket.unit_refused.v1"
TYPES: Final = (ACCEPTED, FOLLOWED_UP, DELIVERED, FAILED, NOTIFIED, ALARMED, ACKNOWLEDGED, LINKED, UNIT_REFUSED)


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
    """Data of `notified`: what became of something that was sent to the citizen, or told by telephone. A later one of
    the same operation overrides it: another address, or a report that it did not arrive."""

    operation: str = Field(description="What the citizen is told, for ever: `receipt`, or step and version: `reply:7`")
    channel: str = Field(description="The channel that sent it, or would have; `call`: the list of calls; `none`")
    outcome: str = Field(
        description="sent, failed, not_allowed, unknown, or waiting (on the list of calls); a word to come reads as "
        "unknown"
    )
    reason: str | None = Field(default=None, description="Why not sent, for operators; without personal data")
    reference: str | None = Field(default=None, description="What the channel calls what it sent")
    by: str | None = Field(default=None, description="Who called")
    said: str | None = Field(default=None, description="Whom the caller reached, and what was said")
    state: str | None = Field(
        default=None, description="Where the ticket stands again, after a report that took its closing back"
    )
    at: AwareDatetime


class Alarmed(TicketStep):
    """Data of `alarmed`: people must hear of the ticket at once. Without `person`: the alarm itself; with: whether that
    person was told."""

    reasons: tuple[str, ...] = Field(description="Tier, flags, or that there are many alike in one street")
    person: str | None = Field(default=None, description="Who, as the site's configuration names them")
    level: int | None = Field(default=None, ge=1, description="1 is told at once, the next when nobody acknowledged")
    outcome: str | None = Field(default=None, description="told or failed; a word to come reads as failed")
    reason: str | None = Field(default=None, description="Why not told, for operators")
    at: AwareDatetime


class Acknowledged(TicketStep):
    """Data of `alarm_acknowledged`: somebody has it in hand, nobody else is told."""

    by: Actor
    at: AwareDatetime


class Linked(TicketStep):
    """Data of `linked`: earlier tickets that this one is probably about the same matter as. Each stays its own."""

    related: tuple[Related, ...] = Field(
        description="Repeats of the citizen, or other citizens' tickets of one incident"
    )
    asks: bool = Field(default=False, description="A person is asked whether it is a repeat, before a unit has it")
    at: AwareDatetime


class UnitRefused(TicketStep):
    """Data of `unit_refused`: what a unit wrote by mail could not be taken as a step; it is told why, up to a limit."""

    unit: str
    code: str = Field(description="Why: a code of the steps (`wrong_state`), or what is missing (`missing_outcome`)")
    told: bool = Field(default=True, description="Whether the unit is sent the reason; not if it had too many that day")
    at: AwareDatetime
