"""What a channel is asked to tell a citizen, and what became of it.

May not know who asks or how a channel sends.
"""

from typing import Literal

from pydantic import BaseModel


class Reply(BaseModel, frozen=True):
    """What a citizen is told. `operation` names this sending for ever, so that it is never sent twice; `source_id`: the
    submission it answers, so that a channel can hang it below that; `language`: BCP 47, of `text`; `short`: the same
    for channels that are charged or limited by length, safe to be cut off at its end. `purpose`: a `notice` says by
    program how far it is, an `answer` is a person's word, an `alarm` is for people of the line."""

    operation: str
    number: str
    text: str
    short: str | None = None
    purpose: Literal["receipt", "notice", "answer", "visit", "alarm"] = "answer"
    language: str | None = None
    source_id: str | None = None


class Delivery(BaseModel, frozen=True):
    """What became of a reply; `unknown` must be read back before any second try. `reference`: what the channel calls
    what it sent, by which a report that it did not arrive finds it."""

    outcome: Literal["sent", "failed", "unknown", "not_allowed"]
    reason: str | None = None
    reference: str | None = None
