"""What became of the call: no request, a call-back task, answered on the spot; else it goes the ordinary way.

Pure. May not set a call aside in which a danger is named: whoever composes asks `normalizer.alarms` first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from channels.phone.call import Outcome
from channels.phone.roles import Line, is_question
from channels.phone.rules import NEVER, Data, Words, anyone, load
from channels.phone.talk import content
from normalizer.ticket import Decision, Disposition, Flag, Kind, Note, Speaker

STEP: Final = "phone"
_SHORT: Final = 80  # characters: a citizen who says more than this has something to say
_ANSWER: Final = 8  # characters from which on a turn of the agent can be an answer
_ANSWER_MOST: Final = 2_000
_LAST: Final = 3  # citizens' turns in which the answer is accepted
_BROKEN: Final[tuple[Outcome, ...]] = ("missed", "abandoned", "busy", "failed")


class _NoRequest(Data):
    code: str
    any: tuple[str, ...]
    said_by_agent: tuple[str, ...]
    unless: re.Pattern[str] = NEVER
    reason: str


class _Book(Data):
    no_request: tuple[_NoRequest, ...]
    silence: Words
    reasons: dict[str, str]
    wish: Words
    left_over: Words
    taken_on: Words
    procedure: Words
    accepted: Words


_BOOK: Final = load("outcome", _Book)
_NO_REQUEST: Final = tuple(
    (one, anyone(one.any), anyone(one.said_by_agent) if one.said_by_agent else NEVER) for one in _BOOK.no_request
)
_SILENCE: Final = _BOOK.silence.compiled()
_WISH: Final = _BOOK.wish.compiled()
_LEFT_OVER: Final = _BOOK.left_over.compiled()
_TAKEN_ON: Final = _BOOK.taken_on.compiled()
_PROCEDURE: Final = _BOOK.procedure.compiled()
_ACCEPTED: Final = _BOOK.accepted.compiled()
_SENTENCES: Final = re.compile(r"(?<=[。！？!?；;\n])")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The disposition (None: the ordinary way), flags and why."""

    disposition: Disposition | None = None
    flags: tuple[Flag, ...] = ()
    notes: tuple[Note, ...] = ()


def verdict_of(lines: Sequence[Line], text: str, outcome: Outcome | None, kind: Kind | None) -> Verdict:
    """What the talk and the telephone system show. `text`: the citizen's words as the ticket will hold them."""
    if outcome in _BROKEN:
        return _verdict(Decision.CALL_BACK, outcome, _BOOK.reasons[outcome])
    if _broke_off(lines, text):
        return _verdict(Decision.CALL_BACK, "broken_off", _BOOK.reasons["broken_off"])
    nothing = _nothing_wanted(lines, text)
    if nothing:
        return nothing
    answer = _answer(lines, kind)
    if answer:
        return _verdict(Decision.ANSWERED, "answered", answer)
    return Verdict()


def _verdict(decision: Decision, code: str, reason: str, *flags: Flag) -> Verdict:
    note = Note(step=STEP, code=code, detail=f"disposition {decision.value}")
    return Verdict(Disposition(decision=decision, reason=reason), flags, (note,))


def _broke_off(lines: Sequence[Line], text: str) -> bool:
    """The citizen had begun, and the agent ends by asking into silence."""
    last = len(lines)
    while last and lines[last - 1].role is not Speaker.CITIZEN:
        last -= 1
    behind = [line.text for line in lines[last:] if line.role is Speaker.AGENT]
    if not behind or len(text) < 8 or any(_TAKEN_ON.search(said) for said in behind):
        return False
    return all(_SILENCE.search(said) and len(said) < 40 for said in behind)


def _nothing_wanted(lines: Sequence[Line], text: str) -> Verdict | None:
    said = [line.text for line in lines if line.role is Speaker.CITIZEN]
    whole = "\n".join(said)
    if len(text) > _SHORT or _WISH.search(whole):
        return None
    heard = "\n".join(line.text for line in lines if line.role is Speaker.AGENT)
    for one, pattern, by_agent in _NO_REQUEST:
        if (pattern.search(whole) or by_agent.search(heard)) and not one.unless.search(whole):
            return _verdict(Decision.NONE, one.code, one.reason, Flag.NO_REQUEST)
    if not any(len(content(turn)) > 1 for turn in said):
        return _verdict(Decision.NONE, "silence", _BOOK.reasons["silence"], Flag.NO_REQUEST)
    return None


def _answer(lines: Sequence[Line], kind: Kind | None) -> str | None:
    """The agent's answer, when a question was asked, answered and the answer taken, and nothing is left over."""
    if kind is not Kind.CONSULTATION:
        return None
    said = [line for line in lines if line.role is Speaker.CITIZEN]
    heard = [line for line in lines if line.role is Speaker.AGENT]
    asked = next((line.number for line in said if is_question(line.text) or len(content(line.text)) > 6), None)
    if asked is None or any(_LEFT_OVER.search(line.text) for line in said):
        return None
    if any(_TAKEN_ON.search(line.text) for line in heard):
        return None
    answers = [line for line in heard if line.number > asked]
    words = "".join(kept for line in answers if len(kept := _answering(line.text)) >= _ANSWER)
    first = next((line.number for line in answers if len(_answering(line.text)) >= _ANSWER), None)
    taken = [line for line in said[-_LAST:] if first and line.number > first]
    if not words or not any(_ACCEPTED.search(line.text) for line in taken):
        return None
    return words[:_ANSWER_MOST]


def _answering(text: str) -> str:
    """The sentences of a turn that tell something: no question, no set phrase."""
    kept = (one for one in _SENTENCES.split(text) if not _PROCEDURE.search(one) and not is_question(one))
    return "".join(kept).strip()
