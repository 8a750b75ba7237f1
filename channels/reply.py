"""What a channel is asked to tell a citizen, and what became of it.

May not know who asks or how a channel sends.
"""

from typing import Literal, Protocol, runtime_checkable

from pydantic import AwareDatetime, BaseModel, Field

from normalizer.ticket import Attachment


class Reply(BaseModel, frozen=True):
    """What a citizen is told. `operation` names this sending for ever, so that it is never sent twice; `source_id`: the
    submission it answers, so that a channel can hang it below that; `language`: BCP 47, of `text`; `short`: the same
    for channels that are charged or limited by length, safe to be cut off at its end. `purpose`: a `notice` says by
    program how far it is, an `answer` is a person's word, an `alarm` is for people of the line, a `dispatch`
    brings a unit its ticket. `attachments`: the files of an answer or of the ticket, no more than the
    channel carries (`Enclosing`)."""

    operation: str
    number: str
    text: str
    short: str | None = None
    purpose: Literal["receipt", "notice", "answer", "visit", "alarm", "dispatch"] = "answer"
    language: str | None = None
    source_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    again: bool = Field(
        default=False, description="An earlier try may have reached them: read back first, where the platform can"
    )
    asked_at: AwareDatetime | None = Field(
        default=None, description="When the citizen last wrote on this channel: platforms let us answer for so long"
    )


class Delivery(BaseModel, frozen=True):
    """What became of a reply; `unknown` must be read back before any second try. `reference`: what the channel calls
    what it sent, by which a report that it did not arrive finds it."""

    outcome: Literal["sent", "failed", "unknown", "not_allowed"]
    reason: str | None = None
    reference: str | None = None


@runtime_checkable
class Enclosing(Protocol):
    """What a channel says besides that can send files with an answer. Without it the text names them, and where they
    are."""

    files_max: int
    """Bytes of all files of one reply together."""


class Allowance(BaseModel, frozen=True):
    """What a platform lets replies use: so many calls a day, of which one reply takes `calls` at most."""

    calls: int = Field(ge=1)
    per_day: int = Field(ge=1)


@runtime_checkable
class Metered(Protocol):
    """What a channel says besides whose platform counts calls: they are counted over all workers before `reply`."""

    allowance: Allowance
