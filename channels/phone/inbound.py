"""A call into what the citizen said: the one place where roles, talk, number, place, kind and outcome come together.

Pure: the same Call gives the same Inbound, and no Call makes it raise. What the seat's form says wins; each
difference from the talk is noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final, TypeVar

from channels.phone.call import Call, SeatForm
from channels.phone.callback import callback_of, caller_number
from channels.phone.danger import danger_of
from channels.phone.matter import kind_of, title_of
from channels.phone.moment import occurred
from channels.phone.outcome import Verdict, verdict_of
from channels.phone.place import place_of
from channels.phone.requester import caller_of
from channels.phone.roles import Line, cast
from channels.phone.talk import confidence_of, doubtful, text_of
from normalizer import alarms
from normalizer.ticket import (
    Decision,
    Disposition,
    Flag,
    Inbound,
    Kind,
    Note,
    Place,
    ReplyAddress,
    Requester,
    Turn,
)

STEP: Final = "phone"
DOUBTFUL_BELOW: Final = 0.5
"""Confidence of a word below which it is listed as doubtful."""

Value = TypeVar("Value")


def inbound_of(
    call: Call,
    *,
    digest: str,
    threads: tuple[str, ...],
    senders: tuple[str, ...],
    zone: tzinfo | None = None,
    doubtful_below: float = DOUBTFUL_BELOW,
) -> Inbound:
    """What the citizen said in the call.

    Args:
        call: as a reader gave it.
        digest: of the call's content, for `Inbound.digest`.
        threads: keys of the conversation, for `Inbound.threads`.
        senders: keys of the sender, for `Inbound.senders`.
        zone: where the clock stands that callers mean by "ten o'clock"; None: the offset of `call.started_at`.
        doubtful_below: words less sure than this are listed in a note.
    """
    parts = cast(call)
    form, lines = call.form, parts.lines
    notes = [*call.lost, *parts.notes, *doubtful(lines, doubtful_below)]
    text = _wins(form.text, text_of(lines), "text", notes) or ""
    number = callback_of(lines, call.caller)
    phone = _wins(form.phone, number.number, "phone", notes, same=_same_number)
    place = place_of(lines)
    kind, kind_notes = kind_of(text)
    where = _place(form, place.place, notes)
    title = _wins(form.title, title_of(text, where, kind), "title", notes)
    caller = caller_of(lines)
    danger, danger_notes = danger_of(lines)
    draft = Inbound(
        text=text,
        digest=digest,
        title=title,
        requester=Requester(
            name=_wins(form.name, caller.name, "name", notes),
            phone=phone,
            anonymous=form.anonymous or caller.anonymous,
            confidential=form.confidential or caller.confidential,
            language=call.language,
            reply_to=(ReplyAddress(channel="phone", address=phone),) if phone else (),
        ),
        kind=_wins(form.kind, kind, "kind", notes),
        category=form.category,
        place=where,
        occurred_at=_wins(form.occurred_at, occurred(lines, call.started_at, zone), "occurred_at", notes),
        conversation=_turns(lines, call.started_at),
        threads=threads,
        senders=senders,
        flags=danger,
        verified=call.verified,
    )
    alarmed = bool(alarms(draft))
    verdict = _verdict(draft, lines, call, alarmed=alarmed)
    return draft.model_copy(
        update={
            "kind": _kind(draft, form, verdict, alarmed=alarmed),
            "flags": (*danger, *verdict.flags),
            "disposition": _decided(form, verdict, notes),
            "notes": (
                *notes,
                *number.notes,
                *place.notes,
                *(kind_notes if form.kind is None else ()),
                *danger_notes,
                *verdict.notes,
            ),
        }
    )


def _verdict(draft: Inbound, lines: Sequence[Line], call: Call, *, alarmed: bool) -> Verdict:
    """What became of the call. Where a danger is named, only a broken line is: nobody's last words are set aside."""
    if call.form.text or call.form.title or call.form.decision:
        return Verdict()
    verdict = verdict_of(lines, draft.text, call.outcome, draft.kind)
    if verdict.disposition and verdict.disposition.decision is not Decision.CALL_BACK and alarmed:
        note = Note(step=STEP, code="kept_for_danger", detail="the talk names a danger: dispatched as usual")
        return Verdict(notes=(note,))
    return verdict


def _kind(draft: Inbound, form: SeatForm, verdict: Verdict, *, alarmed: bool) -> Kind | None:
    """Who is in danger needs help, whatever the words; who wants nothing wants no kind of thing."""
    if form.kind is None and Flag.NO_REQUEST in verdict.flags:
        return None
    return draft.kind or (Kind.HELP if alarmed else None)


def _decided(form: SeatForm, verdict: Verdict, notes: list[Note]) -> Disposition | None:
    if form.decision is None:
        if verdict.disposition and form.answer:
            return verdict.disposition.model_copy(update={"reason": form.answer})
        return verdict.disposition or (Disposition(reason=form.answer) if form.answer else None)
    notes.append(Note(step=STEP, code="decision_given", detail=f"the seat decided: {form.decision.value}"))
    return Disposition(decision=form.decision, reason=form.answer)


def _place(form: SeatForm, found: Place | None, notes: list[Note]) -> Place | None:
    """The seat's place; what the talk made sure of stays only where it is the same place."""
    written = (form.place or "").strip()
    if not written:
        return found
    said = found.text if found else None
    _wins(written, said, "place", notes)
    if found and said and _bare(said) in _bare(written):
        return found.model_copy(update={"text": written, "confidence": 1.0})
    return Place(text=written, confidence=1.0)


def _wins(
    written: Value | None, said: Value | None, field: str, notes: list[Note], *, same: object = None
) -> Value | None:
    """The seat's value when there is one, else what the talk shows; a difference is noted."""
    if written is None or (isinstance(written, str) and not written.strip()):
        return said
    alike = _same_number(written, said) if same else _bare(written) == _bare(said)
    if said not in (None, "") and not alike:
        detail = f"the seat's form says otherwise than the talk: {_shown(said)}"
        notes.append(Note(step=STEP, code=f"seat_differs_{field}", detail=detail))
    return written


def _same_number(one: object, other: object) -> bool:
    left, right = caller_number(str(one)), caller_number(str(other))
    return bool(left and right) and str(left)[-10:] == str(right)[-10:]


def _shown(said: object) -> str:
    """What the talk says, short; of a number only the end."""
    shown = str(said)
    digits = caller_number(shown)
    if digits and not any(character.isalpha() for character in shown):
        return f"a number that ends in {digits[-4:]}"
    return shown if len(shown) <= 80 else shown[:79] + "…"


def _bare(value: object) -> str:
    return "".join(str(value).split())


def _turns(lines: Sequence[Line], started_at: datetime | None) -> tuple[Turn, ...]:
    """Every utterance with text, whole."""
    aware = started_at if started_at is not None and started_at.utcoffset() is not None else None
    return tuple(
        Turn(
            speaker=line.role,
            text=line.text,
            start=_at(aware, line.said.start),
            end=_at(aware, line.said.end),
            confidence=confidence_of(line.said),
        )
        for line in lines
    )


def _at(started_at: datetime | None, seconds: float | None) -> datetime | None:
    """A moment of the call; None when nobody can know it."""
    if started_at is None or seconds is None:
        return None
    try:
        return started_at + timedelta(seconds=seconds)
    except (OverflowError, ValueError):  # beyond the calendar, or no number
        return None
