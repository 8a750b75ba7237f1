"""Who is speaking: what the source says, else what the words say. May not drop or change an utterance.

The rule: a voice is the agent's only on evidence, every other voice is a citizen's: no citizen's word gets lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from channels.phone.call import Call, Utterance
from channels.phone.rules import Data, Words, anyone, load
from normalizer.ticket import Note, Speaker

STEP: Final = "phone"
AGENT: Final = 2.0
"""Evidence from which on a voice is the agent's."""
_SAMPLE: Final = 60  # utterances of a voice looked at, the first and the last: openings and closings stand there
_SAID: Final = 400  # characters of an utterance looked at

_Side = Literal["agent", "citizen"]


class _Label(Data):
    role: Literal["agent", "citizen", "system"]
    any: tuple[str, ...]
    reason: str


class _Cue(Words):
    code: str
    role: _Side
    weight: Annotated[float, Field(gt=0)]


class _Book(Data):
    label: tuple[_Label, ...]
    cue: tuple[_Cue, ...]
    system: Words
    question: Words
    backchannel: Words


_BOOK: Final = load("roles", _Book)
# 市民1, 客服01, agent_2, 市民甲: a label may count its voices.
_LABELS: Final = tuple(
    (
        re.compile(rf"[\[(（<]?(?:{'|'.join(label.any)})[\s_\-]?(?:\d{{0,4}}|[甲乙丙丁A-D])[\])）>]?", re.I),
        Speaker(label.role),
    )
    for label in _BOOK.label
)
_CUES: Final = tuple(
    (cue.code, cue.weight if cue.role == "agent" else -cue.weight, cue.compiled()) for cue in _BOOK.cue
)
_ANY_CUE: Final = anyone(word for cue in _BOOK.cue for word in cue.any)
_SYSTEM: Final = _BOOK.system.compiled()
_QUESTION: Final = _BOOK.question.compiled()
BACKCHANNEL: Final = _BOOK.backchannel.compiled()


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance that holds text, its number among them (from 1), and whose it is."""

    number: int
    said: Utterance
    role: Speaker

    @property
    def text(self) -> str:
        return self.said.text


@dataclass(frozen=True, slots=True)
class Cast:
    """The lines of a call with their speakers, how sure the least sure of them is (0..1), and why."""

    lines: tuple[Line, ...]
    confidence: float
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Roles of the utterances that the source left open, by their position."""

    roles: dict[int, Speaker]
    confidence: float
    reason: str


def cast(call: Call) -> Cast:
    """Give every utterance with text its speaker. One voice alone is the citizen's, whatever it is called."""
    said = [one for one in call.utterances if one.text.strip()]
    roles = [_named(one) for one in said]
    open_ones = [index for index, role in enumerate(roles) if role is None]
    if not open_ones:
        return _done(said, roles, 1.0, ())
    labels = {said[index].speaker for index in open_ones}
    known = {(role, said[index].speaker) for index, role in enumerate(roles) if role is not None}
    if len(labels) > 1 or known:
        verdict = _by_voice(said, open_ones, seat_is_known=any(role is Speaker.AGENT for role, _ in known))
    else:
        verdict = _by_words(said, open_ones)
    notes = (Note(step=STEP, code="roles_inferred", detail=f"{verdict.reason}; confidence {verdict.confidence:.2f}"),)
    merged = [verdict.roles.get(index, role) for index, role in enumerate(roles)]
    return _done(said, merged, verdict.confidence, notes)


def is_question(text: str) -> bool:
    """Whether an utterance asks."""
    return bool(_QUESTION.search(text[-_SAID:]))


def _done(
    said: Sequence[Utterance], roles: Sequence[Speaker | None], confidence: float, notes: tuple[Note, ...]
) -> Cast:
    numbered = enumerate(zip(said, roles, strict=True), 1)
    return Cast(tuple(Line(at, one, role or Speaker.CITIZEN) for at, (one, role) in numbered), confidence, notes)


def _named(one: Utterance) -> Speaker | None:
    """What the source itself says, by its role or by a label that is a word for one."""
    if one.role in (Speaker.AGENT, Speaker.CITIZEN, Speaker.SYSTEM):
        return one.role
    label = one.speaker.strip()[:40]
    return next((role for pattern, role in _LABELS if pattern.fullmatch(label)), None) if label else None


def _evidence(text: str) -> tuple[float, tuple[str, ...]]:
    """How much an utterance speaks for the agent (below zero: for the citizen), and by which cues."""
    text = text[:_SAID].strip()
    if not _ANY_CUE.search(text):
        return 0.0, ()
    hits = [(code, weight) for code, weight, pattern in _CUES if pattern.search(text)]
    return sum(weight for _, weight in hits), tuple(code for code, _ in hits)


def _by_voice(said: Sequence[Utterance], open_ones: Sequence[int], *, seat_is_known: bool) -> _Verdict:
    """One role for each label, by all that the voice says."""
    voices: dict[str, list[int]] = {}
    for index in open_ones:
        voices.setdefault(said[index].speaker, []).append(index)
    cues: Counter[str] = Counter()
    scores = {}
    for voice, indexes in voices.items():
        sample = indexes if len(indexes) <= _SAMPLE else indexes[: _SAMPLE // 2] + indexes[-_SAMPLE // 2 :]
        found = [_evidence(said[index].text) for index in sample]
        scores[voice] = sum(score for score, _ in found) + sum(AGENT for at in sample if _SYSTEM.search(said[at].text))
        cues.update(code for score, codes in found if score > 0 for code in codes)
    seats, confidence, reason = _seats(scores, cues, seat_is_known=seat_is_known)
    if not seats and not seat_is_known and len(voices) > 1:
        seats, confidence, reason = _who_asks(said, voices)
    roles = {
        index: _seat_or_machine(said[index].text) if voice in seats else Speaker.CITIZEN
        for voice, indexes in voices.items()
        for index in indexes
    }
    return _Verdict(roles, confidence, reason)


def _seats(scores: dict[str, float], cues: Counter[str], *, seat_is_known: bool) -> tuple[set[str], float, str]:
    """The labels that are the agent's."""
    best = max(scores, key=lambda voice: scores[voice])
    needed = AGENT + 1 if seat_is_known else AGENT
    seats = {voice for voice, score in scores.items() if score >= needed}
    if len(seats) == len(scores) and len(seats) > 1:
        # Everyone sounds like a seat: only the one who does so most can be believed.
        seats = {best}
    if not seats:
        return seats, 0.8 if seat_is_known else 0.3, "no voice speaks as an agent: all are the citizen's"
    rest = [score for voice, score in scores.items() if voice not in seats]
    margin = min(scores[voice] for voice in seats) - max(rest, default=0.0)
    named = ", ".join(sorted(cues)) or "announcements"
    return seats, 0.9 if margin >= 2 * AGENT else 0.75 if margin >= AGENT else 0.5, f"agent by: {named}"


def _who_asks(said: Sequence[Utterance], voices: dict[str, list[int]]) -> tuple[set[str], float, str]:
    """Without set phrases: the voice that mostly asks, when the others mostly do not."""
    share = {voice: sum(is_question(said[at].text) for at in ats) / len(ats) for voice, ats in voices.items()}
    first, second, *_ = sorted(share, key=lambda voice: -share[voice])
    if share[first] >= 0.5 and share[second] <= share[first] / 2 and len(voices[first]) > 1:
        return {first}, 0.5, "agent by who asks"
    return set(), 0.3, "no voice speaks as an agent: all are the citizen's"


def _by_words(said: Sequence[Utterance], open_ones: Sequence[int]) -> _Verdict:
    """One label or none for everybody: the likeliest sequence of two speakers, when an agent is heard at all."""
    found = [_evidence(said[index].text) for index in open_ones]
    codes = sorted({code for score, codes in found if score >= AGENT for code in codes})
    scores = [
        score + (AGENT if _SYSTEM.search(said[at].text) else 0.0)
        for at, (score, _) in zip(open_ones, found, strict=True)
    ]
    certain = max(scores, default=0.0) >= AGENT or sum(score for score in scores if score > 0) > AGENT
    heard = certain and len(scores) > 1
    if not heard:
        return _Verdict(dict.fromkeys(open_ones, Speaker.CITIZEN), 0.9, "one voice alone: the citizen's")
    texts = [said[index].text for index in open_ones]
    sides = _likeliest(scores, texts)
    roles = {
        index: _seat_or_machine(said[index].text) if seat else Speaker.CITIZEN
        for index, seat in zip(open_ones, sides, strict=True)
    }
    return _Verdict(roles, 0.6, f"voices not told apart by the source; agent by: {', '.join(codes) or 'announcements'}")


def _likeliest(scores: Sequence[float], texts: Sequence[str]) -> list[bool]:
    """Viterbi over two speakers: True where the agent speaks. People take turns, most surely after a question."""
    paths: list[tuple[bool, bool]] = []
    citizen, agent = 0.0, 0.5  # a seat speaks first
    for at, score in enumerate(scores):
        asked = at > 0 and is_question(texts[at - 1])
        stay, change = (-1.0, 0.5) if asked else (0.0, 0.5)
        if at:
            from_citizen = (citizen + stay, agent + change)
            from_agent = (agent + stay, citizen + change)
            paths.append((from_citizen[1] > from_citizen[0], from_agent[0] >= from_agent[1]))
            citizen, agent = max(from_citizen), max(from_agent)
        citizen, agent = citizen - score, agent + score
    side = agent > citizen
    sides = [side]
    for was_agent_before_citizen, was_agent_before_agent in reversed(paths):
        side = was_agent_before_agent if side else was_agent_before_citizen
        sides.append(side)
    return sides[::-1]


def _seat_or_machine(text: str) -> Speaker:
    return Speaker.SYSTEM if _SYSTEM.search(text[:_SAID]) else Speaker.AGENT


def of(lines: Iterable[Line], role: Speaker) -> tuple[Line, ...]:
    """The lines of one role."""
    return tuple(line for line in lines if line.role is role)
