"""A ticket's life as its citizen reads it: one plain sentence a step, from the same events that everybody else reads.

Pure. May not say who asked, what units said to each other, or who is accused: objections and whistles are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from normalizer.events import FOLLOWED_UP
from normalizer.life import EVENT_TYPES, Outcome, State, StepName
from workers.ending import is_at_intake
from workers.files import File, of_answer
from workers.notices import told_text, unit_name
from workers.region import Region
from workers.store import Record
from workers.words import Language

_STEPS: Final = {type: step for step, type in EVENT_TYPES.items()}
_SAID: Final = {
    StepName.TRIAGE: "triage",
    StepName.SIGN: "signed",
    StepName.CONTACT: "contacted",
    StepName.PROGRESS: "in_progress",
    StepName.CLOSE: "closed",
    StepName.REOPEN: "reopened",
}
"""Steps that are one sentence, with the unit's name at most."""
_SHOWN_AS: Final = {State.OBJECTED: State.DISPATCHED}
"""What units argue about is not the citizen's matter: it is with the unit that has it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One step: when (as the site writes it), the sentence, and the words of whoever answered or explained, with the
    files that came with an answer."""

    at: str
    said: str
    text: str = ""
    files: tuple[File, ...] = ()


def state_of(record: Record) -> str:
    """The word under which the page's catalogue has the state."""
    return str(_SHOWN_AS.get(State(record.state), State(record.state)))


def story(
    record: Record, region: Region, words: Mapping[str, Any], language: Language, local: Callable[[datetime], str]
) -> list[Line]:
    """Every step that concerns the citizen, oldest first. `words`: the catalogue's part `story`."""
    lines = [Line(local(record.ticket().received_at), words["received"])]
    lead = ""
    for event in record.events():
        step, data = _STEPS.get(event["type"]), event["data"]
        if event["type"] == FOLLOWED_UP:
            lines.append(Line(local(datetime.fromisoformat(data["received_at"])), words["followed_up"]))
        elif step is not None:
            lead = data.get("lead") or lead
            unit = unit_name(region, lead)
            at = local(datetime.fromisoformat(data["at"]))
            files = of_answer(data) if step is StepName.REPLY else ()
            lines += [
                Line(at, said, text, files if text else ())
                for said, text in _sentence(step, data, unit, region, words, language, local)
            ]
    return list(_without_repetition(lines, words["followed_up"]))


def _sentence(
    step: StepName,
    data: Mapping[str, Any],
    unit: str,
    region: Region,
    words: Mapping[str, Any],
    language: Language,
    local: Callable[[datetime], str],
) -> Iterator[tuple[str, str]]:
    """None for steps among units; the overruled objection is one: the citizen knows where it is."""
    text = told_text(data, region, language) or ""
    match step:
        case StepName.DISPATCH | StepName.UPHOLD:
            yield words["dispatched"].format(unit=unit), ""
        case StepName.EXTEND:
            until = local(datetime.fromisoformat(data["until"]))
            yield words["extended"].format(until=until), data.get("reason") or ""
        case StepName.ANSWER:
            at_intake = is_at_intake(step, data)
            yield words["answered_at_once" if at_intake else "answered"], "" if at_intake else text
        case StepName.REFER:
            yield words["referred"], text
        case StepName.REPLY:
            yield words["replied"][Outcome(data["outcome"])].format(unit=unit), text
        case _ if step in _SAID:
            yield words[_SAID[step]].format(unit=unit), ""


def _without_repetition(lines: list[Line], each: str) -> Iterator[Line]:
    """That it is being worked on is said once, however often the unit notes how far it is; `each` message is shown."""
    before = ""
    for line in lines:
        if line.said != before or line.text or line.said == each:
            yield line
        before = line.said
