"""One call as every reader gives it: who called whom and when, what was said, what the seat wrote down.

May not conclude anything: a reader copies what its source says, and says in `lost` what has no place here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from normalizer.ticket import Decision, Kind, Note, Span, Speaker, Verification

Outcome = Literal["answered", "missed", "abandoned", "busy", "failed", "voicemail"]
"""What the telephone system says became of the call; all but `answered` and `voicemail` hold no talk with a seat."""

Direction = Literal["in", "out"]
"""`out`: the seat called, so the citizen is at `called`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What one speaker said without being interrupted.

    `speaker`: the source's own label of the voice, "" when it gives none (not a role). `role`: only when the source
    names one. `start`, `end`: seconds from the beginning of the call. `confidence`: 0..1, of the whole utterance.
    `doubtful`: the words whose own confidence the source gives and that lie below `channels.phone.doubtful_below`.
    """

    text: str
    speaker: str = ""
    role: Speaker | None = None
    start: float | None = None
    end: float | None = None
    confidence: float | None = None
    words: Sequence[Word] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """A word with the confidence (0..1) that the source gives it."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatForm:
    """What the seat's software sent along: fields a person filled in; they win over what is inferred."""

    kind: Kind | None = None
    category: str | None = None
    title: str | None = None
    text: str | None = None
    name: str | None = None
    phone: str | None = None
    place: str | None = None
    occurred_at: Span | None = None
    decision: Decision | None = None
    answer: str | None = None
    anonymous: bool = False
    confidential: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. `call_id` is None when the source has no name for it. Times are aware. `lost`: what the source holds
    and this shape does not, as notes with step `phone`. `marker`: `json`, `text` or the reader's own word."""

    format: str
    call_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    caller: str | None = None
    called: str | None = None
    direction: Direction | None = None
    agent: str | None = None
    queue: str | None = None
    recording: str | None = None
    language: str | None = None
    outcome: Outcome | None = None
    utterances: tuple[Utterance, ...] = ()
    form: SeatForm = SeatForm()
    verified: tuple[Verification, ...] = ()
    lost: tuple[Note, ...] = ()
