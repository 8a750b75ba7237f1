"""The contract: what came in (Raw), what the source said (Inbound), what we concluded (Ticket), what we answered
(Receipt). Additive within v1; consumers ignore unknown fields and read unknown words as `other`.
May not import anything of ours but errors, and may not hold an untyped bag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SCHEMA_VERSION: Final = "1.0"
TITLE_MAX = 60
TEXT_MAX = 20_000

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the content, lower-case hex")]
TicketId = Annotated[
    str,
    Field(
        pattern=r"^t[a-z2-7]{26}$",
        description="`t` + 26 base32 characters of SHA-256 over (channel, NUL, source id) of the opening submission",
    ),
]
Number = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{16,24}$",
        description="What people read aloud: YYYYMMDD in the site's time zone, gateway (2), sequence of the day "
        "(5 or more), check digit (Damm)",
    ),
]
Confidence = Annotated[float, Field(ge=0, le=1, description="0 = a guess, 1 = the source said so")]


class OpenEnum(StrEnum):
    """A vocabulary that may grow within v1: a word this version does not know reads as `other`."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls.__members__.get("OTHER")


class Kind(OpenEnum):
    """What the citizen wants (Beijing ordinance on swift response, art. 2, plus praise)."""

    CONSULTATION = "consultation"
    HELP = "help"
    COMPLAINT = "complaint"
    REPORT = "report"
    SUGGESTION = "suggestion"
    PRAISE = "praise"
    OTHER = "other"


class Tier(OpenEnum):
    """How soon the matter must be dealt with (Beijing's four limits, and at once)."""

    IMMEDIATE = "immediate"
    HOURS_2 = "2h"
    HOURS_24 = "24h"
    DAYS_7 = "7d"
    DAYS_15 = "15d"
    OTHER = "other"


class Flag(OpenEnum):
    """What whoever handles the ticket must know before reading it."""

    EMERGENCY = "emergency"
    GROUP_EVENT = "group_event"
    VIOLENCE = "violence"
    SELF_HARM = "self_harm"
    LEGAL = "legal"
    AGAINST_OFFICIAL = "against_official"
    MINOR = "minor"
    CONFIDENTIAL = "confidential"
    AUTOMATED = "automated"
    NO_REQUEST = "no_request"
    REPEAT = "repeat"
    OTHER = "other"


class Decision(OpenEnum):
    """What intake already decided about the ticket."""

    DISPATCH = "dispatch"
    ANSWERED = "answered"
    REFER_EMERGENCY = "refer_emergency"
    REFER_LEGAL = "refer_legal"
    EXPLAIN = "explain"
    CALL_BACK = "call_back"
    NONE = "none"
    OTHER = "other"


class Speaker(OpenEnum):
    """Who said a turn of the conversation."""

    CITIZEN = "citizen"
    AGENT = "agent"
    SYSTEM = "system"
    UNKNOWN = "unknown"
    OTHER = "other"


class Relation(OpenEnum):
    """How another ticket relates to this one."""

    REPEAT_OF = "repeat_of"
    SAME_INCIDENT = "same_incident"
    DUPLICATE_OF = "duplicate_of"
    OTHER = "other"


class Model(BaseModel):
    """Frozen; unknown fields of a later v1 document are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Handle(Model):
    """An account on a platform."""

    platform: str
    id: str
    name: str | None = None


class ReplyAddress(Model):
    """Where an answer can be sent: the channel that would send it and the address in that channel's own form."""

    channel: str
    address: str


class Requester(Model):
    """The citizen, as far as the citizen said or the channel knows."""

    name: str | None = None
    phone: str | None = Field(default=None, description="E.164 when it could be understood, else as written")
    email: str | None = None
    handles: tuple[Handle, ...] = ()
    anonymous: bool = Field(default=False, description="Asked that nobody be told who it was")
    confidential: bool = Field(default=False, description="Asked that the accused must not learn who it was")
    language: str | None = Field(default=None, description="BCP 47")
    reply_to: tuple[ReplyAddress, ...] = Field(default=(), description="In order of preference")
    receipt_to: ReplyAddress | None = Field(
        default=None,
        description="Where number and code are sent by ourselves; null: told at once, or no program may answer there",
    )


class Place(Model):
    """Where it is about. `text` = the citizen's words; the rest is what we understood (WGS 84 degrees)."""

    text: str | None = None
    province: str | None = None
    city: str | None = None
    district: str | None = None
    street: str | None = None
    detail: str | None = None
    lat: float | None = Field(default=None, ge=-90, le=90)
    lon: float | None = Field(default=None, ge=-180, le=180)
    confidence: Confidence | None = None


class Category(Model):
    """The matter, in the site's taxonomy."""

    code: str
    path: tuple[str, ...] = Field(default=(), description="Taxonomy levels, the widest first")
    confidence: Confidence | None = None
    method: str = Field(description="How it was found: `requester` when the form said so")


class Urgency(Model):
    """The tier and the words or rules that led to it."""

    tier: Tier = Tier.DAYS_7
    reasons: tuple[str, ...] = ()


class Disposition(Model):
    """What intake already decided, with the reason when it is not the default."""

    decision: Decision = Decision.DISPATCH
    reason: str | None = None


class Turn(Model):
    """One utterance of a call, or one later message of the same matter."""

    speaker: Speaker
    text: str
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    confidence: Confidence | None = None


class Span(Model):
    """When it happened: one moment (end is null) or a span."""

    start: AwareDatetime
    end: AwareDatetime | None = None


class BlobRef(Model):
    """Bytes kept beside the queue: `blob` is a path below the blob store's root."""

    blob: str = Field(pattern=r"^[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9a-f]{64}$")
    sha256: Sha256
    size: int = Field(ge=0, description="Bytes")


class AttachmentRef(Model):
    """A file the citizen sent. `media_type` is what its bytes are, not what its name says."""

    name: str
    media_type: str
    size: int = Field(ge=0, description="Bytes of the original")
    sha256: Sha256
    blob: str | None = Field(default=None, description="The original, as sent")
    public_blob: str | None = Field(default=None, description="An image without its metadata, fit to be shown")
    lat: float | None = Field(default=None, ge=-90, le=90, description="WGS 84, as the camera recorded it")
    lon: float | None = Field(default=None, ge=-180, le=180)


class Verification(Model):
    """A check that was made of the sender, and its result; a mark, never a reason to drop a citizen."""

    method: str
    result: str


class Related(Model):
    """A link to another ticket."""

    ticket_id: TicketId
    relation: Relation
    score: Confidence | None = None


class Note(Model):
    """What a normalizer step concluded and why: `code` for programs, `detail` for people."""

    step: str
    code: str
    detail: str


class Source(Model):
    """Where the submission came from."""

    id: str
    url: str | None = None
    received_at: AwareDatetime
    verified: tuple[Verification, ...] = ()
    raw: BlobRef | None = Field(default=None, description="The original bytes, when they are kept as a blob")


class Ticket(Model):
    """One request of one citizen in the one format: what we concluded from a submission."""

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    ticket_id: TicketId
    number: Number
    version: int = Field(default=1, ge=1, description="Rises by one with every step of the ticket's life")
    channel: str
    source: Source
    received_at: AwareDatetime
    occurred_at: Span | None = None
    requester: Requester = Requester()
    kind: Kind = Kind.OTHER
    title: str = Field(max_length=TITLE_MAX)
    text: str = Field(description="The citizen's own words, cleaned, never invented")
    conversation: tuple[Turn, ...] = ()
    place: Place | None = None
    category: Category | None = None
    urgency: Urgency = Urgency()
    flags: tuple[Flag, ...] = ()
    accused: tuple[str, ...] = Field(
        default=(), description="With `against_official`: the accused unit in the text's words; not for that unit"
    )
    disposition: Disposition = Disposition()
    attachments: tuple[AttachmentRef, ...] = ()
    related: tuple[Related, ...] = ()
    notes: tuple[Note, ...] = ()


class Receipt(Model):
    """What the sender is told once the submission is on disk."""

    ticket_id: TicketId
    number: Number
    code: str = Field(description="8 characters; with the number it opens the progress page")
    status_url: str
    duplicate: bool = False
    flags: tuple[Flag, ...] = Field(default=(), description="What must reach the sender at once")


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A submission as it arrived.

    `source_id` names the submission within its channel: the same id is the same submission. When the source gives
    none, the channel makes one from the content. `meta` holds what the transport knew and the body does not say; a
    channel that parsed before accepting may put the canonical content digest there as `digest`.
    """

    channel: str
    source_id: str
    received_at: datetime
    body: bytes
    content_type: str = "application/octet-stream"
    meta: Mapping[str, str] = field(default_factory=dict)


class Attachment(Model):
    """A file with its bytes, as parsed; `declared_type` is the sender's claim."""

    name: str
    declared_type: str | None = None
    content: bytes = Field(repr=False)


class SetAside(Model):
    """Why a submission opens no ticket (a bounce, an event); it is kept and listed with this reason."""

    code: str
    detail: str


class Undelivered(Model):
    """A report that something we sent did not arrive. `reference`: what the channel called it when it was sent
    (`Delivery.reference`), proved to be ours by the channel that reads the report. `reason`: without personal data."""

    number: Number
    reference: str
    reason: str


class UnitWord(Model):
    """What a unit wrote in answer to the message that brought it a ticket; the channel proved that this one was ours.
    `sender`: the address it says it comes from, which is a claim. `text`: its own words, without what it quotes."""

    number: Number
    sender: str
    text: str


class Inbound(Model):
    """What the source SAID, parsed, nothing concluded.

    `threads`: keys of the conversation it may belong to, the surest first (`number:<ticket number>` always works).
    `senders`: keys the channel vouches for as the sender's (`email:…`, `code:<receipt code>`): a message joins a
    ticket only when one of them belongs to that ticket.
    `known_as`: keys under which later messages find the ticket, by which this one joins none (a public post, on which
    its author may go on in private).
    `incidents`: keys of what several citizens may speak of (a post they all comment): a ticket opened under one is
    related to the first ticket there, and stays its own.
    `digest`: SHA-256 of the canonical content, without transport noise; equal digests are the same content.
    `notes`: how the channel read it where the source left that open; they stand before the normalizer's own.
    `set_aside`: it opens no ticket, for this reason; with `threads` it may still join one (an out-of-office).
    `undelivered`, `unit_word`: what a submission that is set aside says of a ticket all the same. A `unit_word` whose
    sender the host does not know as a unit's is a submission as any other: without both, the rest says which.
    """

    text: str
    digest: str
    title: str | None = None
    requester: Requester = Requester()
    kind: Kind | None = None
    category: str | None = None
    place: Place | None = None
    occurred_at: Span | None = None
    conversation: tuple[Turn, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    threads: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    known_as: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    disposition: Disposition | None = None
    source_url: str | None = None
    verified: tuple[Verification, ...] = ()
    notes: tuple[Note, ...] = ()
    set_aside: SetAside | None = None
    undelivered: Undelivered | None = None
    unit_word: UnitWord | None = None
