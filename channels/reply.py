"""What a channel is asked to tell a citizen, and what became of it.

May not know who asks or how a channel sends.
"""

from typing import Literal

from pydantic import BaseModel


class Reply(BaseModel, frozen=True):
    """What a citizen is told. `operation` names this sending for ever, so that it is never sent twice; `source_id`: the
    submission it answers, so that a channel can hang it below that; `language`: BCP 47, of `text`."""

    operation: str
    number: str
    text: str
    purpose: Literal["receipt", "answer", "visit"] = "answer"
    language: str | None = None
    source_id: str | None = None


class Delivery(BaseModel, frozen=True):
    """What became of a reply; `unknown` must be read back before any second try. `reference`: what the channel calls
    what it sent, by which a report that it did not arrive finds it."""

    outcome: Literal["sent", "failed", "unknown", "not_allowed"]
    reason: str | None = None
    reference: str | None = None
