"""Bodies and answers of the routes for units and for the desk: one source of validation and of OpenAPI schemas.

May not conclude anything, nor know a route.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field

from channels.fields import Moment
from channels.web.models import BLANK, Body, Message
from normalizer.life import State, Suggestion
from normalizer.ticket import Number, Ticket

_NOT_BLANK: Final = {"pattern": r"^[^\u0000]*[^\u0000\s\u001c-\u001f\u0085\ufeff][^\u0000]*$", "minLength": 1}
REASON_MAX: Final = 2000
LEASE_MAX: Final = 3600
COUNT_MAX: Final = 50


def _says_something(value: str) -> str:
    if BLANK.fullmatch(value):
        raise ValueError("missing")
    return value


Reason = Annotated[
    str, Field(max_length=REASON_MAX, json_schema_extra=_NOT_BLANK, description="Why"), AfterValidator(_says_something)
]
UnitName = Annotated[
    str, Field(max_length=40, min_length=1, json_schema_extra={"pattern": "^[a-z0-9_]+$"}, description="Id of a unit")
]
Units = Annotated[tuple[UnitName, ...], Field(max_length=20)]
UnitState = Literal["dispatched", "signed", "in_progress", "objected", "replied"]
"""The states in which a ticket is on a unit's list."""
OutcomeWord = Literal["resolved", "partly_resolved", "explained_not_supported", "not_resolved"]


def _whole(value: object) -> object:
    """4.0 is a whole number in JSON Schema (6.1.1), which a strict int is not."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class ContactForm(Message):
    """The unit spoke to the citizen; `text`: what was said."""


class ProgressForm(Message):
    """How far it is."""


class HelpForm(Message):
    """A helper's part: what it did, or why it could not and how it stands."""


class AskHelpForm(Body):
    """The whistle: other units shall help; the lead stays accountable."""

    co: Annotated[tuple[UnitName, ...], Field(min_length=1, max_length=20)]
    reason: Reason


class ObjectForm(Body):
    """It is not this unit's matter; the centre reviews it."""

    reason: Reason


class ExtendForm(Body):
    """It takes longer; the citizen is told why."""

    until: Moment = Field(description="The new limit")
    reason: Reason


class ReplyForm(Message):
    """The answer to the citizen. `explained_not_supported`: the text is the explanation."""

    outcome: OutcomeWord


class DispatchForm(Body):
    """One accountable unit, those that help, those that are informed."""

    lead: UnitName
    co: Units = ()
    cc: Units = ()
    reason: Reason


class AnswerForm(Message):
    """Answered at once; `text` is the answer."""


class ReferForm(Body):
    """Not for units: the citizen is told where to turn."""

    referral: UnitName = Field(description="Id of a place to refer to, of the region")
    reason: Reason
    text: Reason | None = Field(default=None, description="What the citizen is told; left out: the region's words")


class UpholdForm(DispatchForm):
    """The objection is right: another lead."""


class ReasonForm(Body):
    """A step that needs a reason and nothing else."""

    reason: Reason


class LeaseForm(Body):
    """How much one wants to hold, and how long."""

    count: Whole = Field(default=1, ge=1, le=COUNT_MAX)
    seconds: Whole = Field(default=900, ge=1, le=LEASE_MAX, description="Then the lease ends by itself")


class DeskLeaseForm(LeaseForm):
    """What an operator takes up."""

    numbers: tuple[Number, ...] = Field(default=(), max_length=COUNT_MAX, description="These, not the oldest")


class UnitLeaseForm(LeaseForm):
    """What a unit's program takes up."""

    states: tuple[UnitState, ...] = Field(
        default=("dispatched",), min_length=1, max_length=5, description="Tickets in one of these states"
    )


class StepAnswer(BaseModel):
    """What became of a step."""

    number: str
    version: int = Field(description="The version of the ticket that the step made")
    state: State
    repeated: bool = Field(description="It was said before under this key; nothing was changed now")


class LifeNow(BaseModel):
    """Where a ticket stands."""

    state: State
    lead: str | None
    co: tuple[str, ...]
    cc: tuple[str, ...]


class TicketView(BaseModel):
    """A ticket as who asks may see it: without its requester where that is nobody's business."""

    ticket: Ticket
    life: LifeNow
    history: tuple[dict[str, Any], ...] = Field(description="Every step, oldest first")


class Row(BaseModel):
    """One ticket of a list."""

    number: str
    state: State
    version: int
    since: AwareDatetime = Field(description="Since when it is on this list")
    received_at: AwareDatetime
    kind: str
    tier: str
    flags: tuple[str, ...]
    title: str
    place: str | None


class UnitRow(Row):
    """One ticket of a unit."""

    part: Literal["lead", "helper", "cc"]
    leased_until: AwareDatetime | None


class DeskRow(Row):
    """One ticket that waits for a person."""

    reason: str | None = Field(description="Why a person must decide")
    by: dict[str, Any] | None = Field(description="Who asked for that")
    candidates: tuple[str, ...] = Field(description="Units to choose from, the likeliest first")
    suggested: tuple[Suggestion, ...] = Field(description="What past tickets suggest, with how sure that is")
    holder: str | None
    until: AwareDatetime | None = Field(description="When the holder's lease ends")


class UnitPage(BaseModel):
    """A page of a unit's open tickets."""

    tickets: tuple[UnitRow, ...]
    total: int = Field(description="Open tickets, of the states asked for if any")
    next: int | None = Field(description="`start` of the next page; null: this was the last")


class DeskPage(BaseModel):
    """A page of what waits for people."""

    tickets: tuple[DeskRow, ...]
    total: int
    next: int | None = Field(description="`start` of the next page; null: this was the last")


class Leased(BaseModel):
    """What is held now."""

    tickets: tuple[TicketView, ...]
