"""What happens to a ticket after it was accepted: one event model for every step of its life, and their names.

Pure data. Which step is legal when, and who may take it, is the table of workers/lifecycle.py.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, Field

from normalizer.actor import Actor, Role
from normalizer.events import TicketStep
from normalizer.ticket import AttachmentRef, Confidence, Model, OpenEnum

__all__ = ["EVENT_TYPES", "Actor", "LifeStep", "Outcome", "Role", "State", "StepName", "Suggestion"]


class State(OpenEnum):
    """Where a ticket stands."""

    RECEIVED = "received"
    TRIAGE = "triage"
    DISPATCHED = "dispatched"
    SIGNED = "signed"
    IN_PROGRESS = "in_progress"
    OBJECTED = "objected"
    REPLIED = "replied"
    ANSWERED = "answered"
    REFERRED = "referred"
    CLOSED = "closed"
    OTHER = "other"


class StepName(StrEnum):
    """What somebody does with a ticket."""

    TRIAGE = "triage"
    ANSWER = "answer"
    REFER = "refer"
    DISPATCH = "dispatch"
    SIGN = "sign"
    CONTACT = "contact"
    PROGRESS = "progress"
    ASK_HELP = "ask_help"
    HELP = "help"
    OBJECT = "object"
    UPHOLD = "uphold"
    OVERRULE = "overrule"
    EXTEND = "extend"
    REPLY = "reply"
    CLOSE = "close"
    REOPEN = "reopen"


EVENT_TYPES: Final[dict[StepName, str]] = {
    StepName.TRIAGE: "org.jiesu.ticket.triaged.v1",
    StepName.ANSWER: "org.jiesu.ticket.answered.v1",
    StepName.REFER: "org.jiesu.ticket.referred.v1",
    StepName.DISPATCH: "org.jiesu.ticket.dispatched.v1",
    StepName.SIGN: "org.jiesu.ticket.signed.v1",
    StepName.CONTACT: "org.jiesu.ticket.contacted.v1",
    StepName.PROGRESS: "org.jiesu.ticket.progressed.v1",
    StepName.ASK_HELP: "org.jiesu.ticket.help_asked.v1",
    StepName.HELP: "org.jiesu.ticket.helped.v1",
    StepName.OBJECT: "org.jiesu.ticket.objected.v1",
    StepName.UPHOLD: "org.jiesu.ticket.objection_upheld.v1",
    StepName.OVERRULE: "org.jiesu.ticket.objection_overruled.v1",
    StepName.EXTEND: "org.jiesu.ticket.extended.v1",
    StepName.REPLY: "org.jiesu.ticket.replied.v1",
    StepName.CLOSE: "org.jiesu.ticket.closed.v1",
    StepName.REOPEN: "org.jiesu.ticket.reopened.v1",
}


class Outcome(OpenEnum):
    """What a unit's reply amounts to."""

    RESOLVED = "resolved"
    PARTLY_RESOLVED = "partly_resolved"
    EXPLAINED_NOT_SUPPORTED = "explained_not_supported"
    NOT_RESOLVED = "not_resolved"
    OTHER = "other"


class Suggestion(Model):
    """A unit that a site's past tickets suggest."""

    unit: str
    confidence: Confidence


class LifeStep(TicketStep):
    """Data of every step of a ticket's life: who, when, why, and what the step says besides."""

    state: State = Field(description="Where the ticket stands after this step")
    by: Actor
    at: AwareDatetime
    reason: str | None = Field(default=None, description="Why")
    text: str | None = Field(default=None, description="What the citizen is told, or was told")
    lead: str | None = Field(default=None, description="The one accountable unit")
    co: tuple[str, ...] = Field(default=(), description="Units that have a part of their own")
    cc: tuple[str, ...] = Field(default=(), description="Units that are informed")
    rule: str | None = Field(default=None, description="The rule of the dispatch catalogue that decided")
    candidates: tuple[str, ...] = Field(
        default=(), description="Units that triage may choose from, the likeliest first"
    )
    suggested: tuple[Suggestion, ...] = Field(
        default=(), description="Where no rule decided: what the site's past tickets suggest, the likeliest first"
    )
    referral: str | None = Field(default=None, description="Where the citizen was referred to")
    until: AwareDatetime | None = Field(default=None, description="The extended limit")
    outcome: Outcome | None = Field(default=None, description="Of a reply")
    attachments: tuple[AttachmentRef, ...] = ()
