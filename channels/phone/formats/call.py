"""The project's own `call` JSON: what a seat's software sends when it can choose. Its schema is published.

Strict in names: a field that we would not keep must not look accepted. Raises Rejected with every fault at once.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from channels.fields import NO_OFFSET, TIME_INVALID, Moment
from channels.phone.call import Call, Outcome, SeatForm, Utterance, Word
from normalizer.errors import Fault, Rejected
from normalizer.ticket import TEXT_MAX, Span, Speaker
from normalizer.ticket import Decision as TicketDecision
from normalizer.ticket import Kind as TicketKind

NAME: Final = "call"
FAULTS_MAX: Final = 50

Seconds = Annotated[
    float, Field(description="From the beginning of the call; times that cannot be are dropped, with a note")
]
Share = Annotated[float, Field(ge=0, le=1)]
Line = Annotated[str, Field(max_length=200)]
Role = Literal["citizen", "agent", "system", "unknown"]
KindWord = Literal["consultation", "help", "complaint", "report", "suggestion", "praise", "other"]
DecisionWord = Literal["dispatch", "answered", "refer_emergency", "refer_legal", "explain", "call_back", "none"]
_ROLES: Final[dict[str, Speaker | None]] = {
    "citizen": Speaker.CITIZEN,
    "agent": Speaker.AGENT,
    "system": Speaker.SYSTEM,
    "unknown": None,
}


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class SpokenWord(_Document):
    """A word and how sure the recogniser is of it."""

    text: Line
    confidence: Share


class CallTurn(_Document):
    """What one speaker said without being interrupted."""

    speaker: Role = "unknown"
    label: Annotated[str, Field(max_length=60)] = Field(default="", description="The recogniser's name of the voice")
    text: Annotated[str, Field(max_length=TEXT_MAX)]
    start: Seconds | None = None
    end: Seconds | None = None
    confidence: Share | None = None
    words: tuple[SpokenWord, ...] = ()


class CallForm(_Document):
    """What the seat wrote down; it wins over what is inferred from the talk."""

    kind: KindWord | None = None
    category: Annotated[str, Field(max_length=60)] | None = None
    title: Line | None = None
    text: Annotated[str, Field(max_length=TEXT_MAX)] | None = None
    name: Annotated[str, Field(max_length=60)] | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    place: Annotated[str, Field(max_length=500)] | None = None
    occurred_at: Moment | None = None
    disposition: DecisionWord | None = None
    answer: Annotated[str, Field(max_length=TEXT_MAX)] | None = None
    anonymous: bool = False
    confidential: bool = False


class CallDocument(_Document):
    """One telephone call with its transcript."""

    call_id: Annotated[str, Field(pattern=r"\S", max_length=200)] = Field(
        description="The telephone system's name of the call: a second transcript of it grows the same ticket"
    )
    started_at: Moment | None = None
    ended_at: Moment | None = None
    caller: Annotated[str, Field(max_length=60)] | None = Field(default=None, description="The number that called")
    called: Annotated[str, Field(max_length=60)] | None = None
    agent_id: Line | None = None
    queue: Line | None = None
    recording: Annotated[str, Field(max_length=500)] | None = Field(
        default=None, description="Where the recording lies; never fetched"
    )
    language: Annotated[str, Field(max_length=35)] | None = Field(default=None, description="BCP 47")
    outcome: Outcome | None = Field(default=None, description="What became of the call, as the telephone system says")
    turns: tuple[CallTurn, ...] = ()
    form: CallForm = CallForm()


def recognise(document: object) -> bool:
    """An object with `call_id`: no other format calls it so."""
    return isinstance(document, dict) and "call_id" in document


_CODES: Final = {
    "missing": ("missing", "The field is required."),
    "extra_forbidden": ("unknown_field", "There is no such field."),
    "literal_error": ("unknown_word", "This word is not in the list of the field."),
    "string_pattern_mismatch": ("blank", "The value is blank."),
    "string_too_long": ("too_long", "The value is too long."),
    NO_OFFSET: ("no_offset", "The offset from UTC is missing, as in 2026-11-23T09:30:00+08:00."),
    TIME_INVALID: ("time_invalid", "An RFC 3339 moment is expected, as in 2026-11-23T09:30:00+08:00."),
    "less_than_equal": ("out_of_range", "The value is too large."),
    "greater_than_equal": ("out_of_range", "The value is too small."),
}


def read(document: object) -> Call:
    """The call.

    Raises:
        Rejected: code `invalid`, naming every faulty field by JSON pointer.
    """
    try:
        said = CallDocument.model_validate_json(to_json(document))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:FAULTS_MAX]
        raise Rejected(
            "invalid", "The call does not have the documented shape.", [_fault(one) for one in found]
        ) from None
    return Call(
        format=NAME,
        call_id=said.call_id,
        started_at=said.started_at,
        ended_at=said.ended_at,
        caller=said.caller,
        called=said.called,
        agent=said.agent_id,
        queue=said.queue,
        recording=said.recording,
        language=said.language,
        outcome=said.outcome,
        utterances=tuple(map(_utterance, said.turns)),
        form=_form(said.form),
    )


def _utterance(turn: CallTurn) -> Utterance:
    return Utterance(
        text=turn.text,
        speaker=turn.label,
        role=_ROLES[turn.speaker],
        start=turn.start,
        end=turn.end,
        confidence=turn.confidence,
        words=tuple(Word(word.text, word.confidence) for word in turn.words),
    )


def _form(form: CallForm) -> SeatForm:
    return SeatForm(
        kind=TicketKind(form.kind) if form.kind else None,
        category=form.category,
        title=form.title,
        text=form.text,
        name=form.name,
        phone=form.phone,
        place=form.place,
        occurred_at=Span(start=form.occurred_at) if form.occurred_at else None,
        decision=TicketDecision(form.disposition) if form.disposition else None,
        answer=form.answer,
        anonymous=form.anonymous,
        confidential=form.confidential,
    )


def _fault(error: Any) -> Fault:
    kind = str(error["ctx"]["error"]) if error["type"] == "value_error" else str(error["type"])
    kind = TIME_INVALID if kind.startswith("datetime") else kind
    code, detail = _CODES.get(kind, ("wrong_type", "The value does not have the type of this field."))
    steps = (str(step)[:60].replace("~", "~0").replace("/", "~1") for step in error["loc"])
    return Fault("".join(f"/{step}" for step in steps), code, detail)
