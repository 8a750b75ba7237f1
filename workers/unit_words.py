"""What a unit's mail means: the step its first line names, and what the step says.

Pure. May not decide whether the step is legal, and may not drop a word: what names no step is how far it is.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, tzinfo
from importlib.resources import files
from typing import Final, TypeVar

from normalizer.life import Outcome, StepName
from normalizer.ticket import TEXT_MAX
from workers.names import Names
from workers.unit_letter import CUTS

REASON_MAX: Final = 2_000
"""Characters of a reason, as in the API."""
_BOOK: Final = tomllib.loads((files("workers") / "phrases/unit_words.toml").read_text("utf-8"))
_LOOKED_AT: Final = 60  # characters of a line in which a word may stand
_DAY: Final = re.compile(r"(\d{4})\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{1,2})\s?日?")


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """What a mail says. `step`: None when its first line names none. `faults`: what is missing or wrong, as codes."""

    step: StepName | None
    says: Mapping[str, object] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def read(text: str, *, at: datetime, zone: tzinfo, names: Names) -> Said:
    """The step and its words. `at`: when it was said; `zone`: in which its days are; `names`: of units."""
    own = _above_ours(text).strip()
    found = _begins(own, STEP_WORDS)
    if found is None:
        return _judged(None, {"text": own})
    step, rest = found
    match step:
        case StepName.REPLY:
            return _judged(step, _reply(rest))
        case StepName.EXTEND:
            return _judged(step, _extend(rest, zone), at=at)
        case StepName.OBJECT:
            return _judged(step, {"reason": rest})
        case StepName.ASK_HELP:
            return _judged(step, {"co": _units(own.partition("\n")[0], names), "reason": rest})
        case StepName.SIGN:
            return _judged(step, {"text": rest} if rest else {})
    return _judged(step, {"text": rest})


_NEEDS: Final[Mapping[StepName, tuple[str, ...]]] = {
    StepName.SIGN: (),
    StepName.OBJECT: ("reason",),
    StepName.ASK_HELP: ("co", "reason"),
    StepName.EXTEND: ("until", "reason"),
    StepName.REPLY: ("outcome", "text"),
}
"""Everything else needs its text. The table of lives asks for the same, but only when the step is taken."""


def _judged(step: StepName | None, says: Mapping[str, object], at: datetime | None = None) -> Said:
    given = {name: value for name, value in says.items() if value not in (None, "", ())}
    needs = ("text",) if step is None else _NEEDS.get(step, ("text",))
    faults = [f"missing_{name}" for name in needs if name not in given]
    until = given.get("until")
    if at is not None and isinstance(until, datetime) and until <= at:
        faults.append("in_the_past")
    if len(str(given.get("text", ""))) > TEXT_MAX or len(str(given.get("reason", ""))) > REASON_MAX:
        faults.append("too_long")
    return Said(step, given, tuple(faults))


def _reply(rest: str) -> dict[str, object]:
    found = _begins(rest, _OUTCOMES)
    return {"outcome": found[0], "text": found[1]} if found is not None else {"text": rest}


def _extend(rest: str, zone: tzinfo) -> dict[str, object]:
    """Until the end of that day."""
    found = _DAY.match(unicodedata.normalize("NFKC", rest))
    if found is None:
        return {"reason": rest}
    reason = _without_marks(unicodedata.normalize("NFKC", rest)[found.end() :])
    try:
        day = datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=zone)
    except ValueError:  # no day of the calendar
        return {"reason": reason}
    return {"until": datetime.combine(day, time(23, 59, 59), zone), "reason": reason}


def _units(line: str, names: Names) -> tuple[str, ...]:
    """Those that the line of the word names without a doubt; who is named below it only stands in the reason."""
    return tuple(dict.fromkeys(found.units[0] for found in names.find(line) if len(found.units) == 1))


def _above_ours(text: str) -> str:
    """What stands above the first line of our letter, however a mail program quotes it."""
    lines = text.split("\n")
    ours = (at for at, line in enumerate(lines) if any(cut in line for cut in CUTS))
    return "\n".join(lines[: next(ours, len(lines))])


def _begins(text: str, words: Mapping[str, T]) -> tuple[T, str] | None:
    """What the longest word means with which the first line begins, and what stands after it."""
    line, _, below = text.lstrip().partition("\n")
    found: tuple[T, int] | None = None
    for end in range(1, min(len(line), _LOOKED_AT) + 1):
        goes_on = end < len(line) and line[end].isalnum()
        if not goes_on and (meant := words.get(_folded(line[:end]))) is not None:
            found = meant, end
    return (found[0], _without_marks(f"{line[found[1] :]}\n{below}")) if found is not None else None


def _folded(text: str) -> str:
    """In one case and width, with one blank for many, without marks before and after."""
    return " ".join(_without_marks(unicodedata.normalize("NFKC", text).casefold()).split())


def _without_marks(text: str) -> str:
    start = next((at for at, char in enumerate(text) if char.isalnum()), len(text))
    return text[start:].strip()


STEP_WORDS: Final[Mapping[str, StepName]] = {
    _folded(word): StepName(step) for step, words in _BOOK["steps"].items() for word in words
}
"""What a first line may begin with, and the step it names."""
_OUTCOMES: Final[Mapping[str, Outcome]] = {
    _folded(word): Outcome(outcome) for outcome, words in _BOOK["outcomes"].items() for word in words
}
