"""Bodies and answers of the routes of the list of calls: one source of validation and of OpenAPI schemas.

May not conclude anything, nor know a route.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from channels.web.models import ANY_WORDS, Body
from gateway.life_models import COUNT_MAX, REASON_MAX, LeaseForm
from workers.calls import CallOutcome


class CallLeaseForm(LeaseForm):
    """What an operator takes up."""

    calls: tuple[Annotated[str, Field(json_schema_extra={"pattern": ANY_WORDS})], ...] = Field(
        default=(), max_length=COUNT_MAX, description="These, not the oldest"
    )


class CallOutcomeForm(Body):
    """What came of a call."""

    outcome: CallOutcome
    said: Annotated[str, Field(max_length=REASON_MAX, json_schema_extra={"pattern": ANY_WORDS})] | None = Field(
        default=None, description="Who was reached, and what was said"
    )


class CallRow(BaseModel):
    """One call that waits."""

    id: str
    number: str
    operation: str = Field(description="What the citizen is to be told: step and version")
    tries: int = Field(description="How often nobody answered")
    since: AwareDatetime = Field(description="Since when it waits, or the last try")
    holder: str | None
    until: AwareDatetime | None = Field(description="When the holder's lease ends")


class CallPage(BaseModel):
    """A page of the list of calls, without personal data."""

    calls: tuple[CallRow, ...]
    total: int
    next: int | None = Field(description="`start` of the next page; null: this was the last")


class CallView(BaseModel):
    """One call to make."""

    id: str
    number: str
    operation: str
    phone: str
    name: str | None
    text: str = Field(description="What to say")
    tries: int


class CallsLeased(BaseModel):
    """What is held now."""

    calls: tuple[CallView, ...]


class CallRecorded(BaseModel):
    """What became of a try."""

    number: str
    version: int
    stays: bool = Field(description="Nobody answered: it is called again later")
