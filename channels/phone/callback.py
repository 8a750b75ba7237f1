"""The number to call back: the caller's, or another one that was given for it in the talk, corrections followed.

Pure. May not take a number for it that was given for something else (a ticket, an identity card, a shop).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from channels.phone.digits import Run, runs
from channels.phone.roles import BACKCHANNEL, Line
from channels.phone.rules import Data, Words, anyone, load
from channels.phone.talk import content
from normalizer.ticket import Note, Speaker

STEP: Final = "phone"
_SAID: Final = 2_000  # characters of a turn looked at
_BEFORE: Final = 24  # characters before a number that say what it is
_PART_OF_NUMBER: Final = 5  # digits from which on they are a part of a telephone number
_LISTENING: Final = 6  # characters of a turn that only listens
_WINDOW: Final = 6  # groups of a run in which a whole number is looked for
_LONGEST: Final = 15  # digits of a telephone number (ITU-T E.164)
_PATIENCE: Final = 3  # agent's turns for which a question for the number stays open


class _Book(Data):
    wanted: Words
    given: Words
    others: Words
    things: Words
    this_line: Words
    yes: Words
    no: Words
    correction: Words
    tail: Words
    head: Words
    middle: Words
    extension: Words


_BOOK: Final = load("callback", _Book)
_WANTED: Final = _BOOK.wanted.compiled()
_GIVEN: Final = _BOOK.given.compiled()
_OTHERS: Final = _BOOK.others.compiled()
_THINGS: Final = _BOOK.things.compiled()
_THIS_LINE: Final = _BOOK.this_line.compiled()
_NUMBERS: Final = anyone((*_BOOK.wanted.any, *_BOOK.things.any, *_BOOK.this_line.any))
_YES: Final = _BOOK.yes.compiled()
_NO: Final = _BOOK.no.compiled()
_CORRECTION: Final = _BOOK.correction.compiled()
_TAIL: Final = _BOOK.tail.compiled()
_HEAD: Final = _BOOK.head.compiled()
_MIDDLE: Final = _BOOK.middle.compiled()
_EXTENSION: Final = re.compile(rf"[\s，,]*(?:{'|'.join(_BOOK.extension.any)})[\s，,是]*$", re.IGNORECASE)
_NOT_THIS: Final = re.compile(r"不是\s*$|\bnot\s$", re.IGNORECASE)
_CLAUSE: Final = re.compile(r"[。；;！!？?\n]")

# MIIT numbering plan: mobile 1[3-9] + 9; area code 010, 02x (8 digits follow) or 0xxx (7 or 8); 400/800 + 7.
_SURE: Final = re.compile(
    r"(?:86)?1[3-9]\d{9}|0(?:10|2\d)[2-9]\d{7}|0[3-9]\d{2}[2-9]\d{6,7}|[48]00\d{7}|00[1-9]\d{7,13}"
)
_LOCAL: Final = re.compile(r"[2-9]\d{6,7}|[2-9]\d{9}|1[2-9]\d{2}[2-9]\d{6}")
"""Without an area code, or of another country: believed only when given as the number to call."""
_NOT_DIGITS: Final = re.compile(r"\D")


@dataclass(frozen=True, slots=True)
class Callback:
    """The number as digits (with `+` when a country code was said), or None; and what led to it."""

    number: str | None
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class _Search:
    """What is known while the talk goes on. `asked`: agent's turns left in which digits answer a question for the
    number; `pending`: a number that the agent read back and the citizen has not yet agreed to."""

    caller: str | None
    chosen: str | None = None
    spoken_in: int = 0
    groups: list[str] = field(default_factory=list)
    asked: int = 0
    asks_for_thing: bool = False
    offers_this_line: bool = False
    pending: str | None = None
    unfinished: bool = False
    codes: dict[str, str] = field(default_factory=dict)

    def choose(self, number: str, line: Line) -> None:
        self.chosen, self.spoken_in, self.unfinished = number, line.number, False


def callback_of(lines: Sequence[Line], caller: str | None) -> Callback:
    """The number to call back. `caller`: what the telephone system says, in any writing."""
    search = _Search(caller=caller_number(caller))
    for line in lines:
        if line.role is Speaker.AGENT:
            _hear_agent(search, line.text[:_SAID])
        elif line.role is Speaker.CITIZEN:
            _hear_citizen(search, line)
    return _conclude(search)


def caller_number(given: str | None) -> str | None:
    """The dialled digits in what the telephone system gives (`tel:`, `sip:…@`, blanks); None when there are none."""
    if not given:
        return None
    plain = given.strip().removeprefix("sip:").removeprefix("tel:").partition("@")[0].partition(";")[0]
    digits = _NOT_DIGITS.sub("", plain[:40])
    if len(digits) < 3:
        return None
    return f"+{digits}" if plain.startswith("+") else digits


def _hear_agent(search: _Search, text: str) -> None:
    said = runs(text)
    if not said and not _NUMBERS.search(text):
        _hear_other_matter(search, text)
        return
    if _THINGS.search(text) and not _WANTED.search(text):
        search.asks_for_thing, search.asked = True, 0
    elif _WANTED.search(text) and not _OTHERS.search(text):
        search.asks_for_thing, search.asked = False, _PATIENCE
    tails = _tail_said(text, said)
    search.offers_this_line = bool(_THIS_LINE.search(text)) or bool(tails)
    if tails and search.caller and not search.caller.endswith(tails):
        search.offers_this_line = False
    whole = [number for run in said if (number := _whole(run, local=False) or _within(run))]
    search.pending = whole[-1] if whole and not _OTHERS.search(text) and not _things_before(text, said[-1]) else None


def _hear_other_matter(search: _Search, text: str) -> None:
    """A turn of the agent without numbers: a question for one is forgotten after a while."""
    if search.asked and not BACKCHANNEL.search(text.strip()):
        search.asked -= 1
    if len(text) > _LISTENING:
        search.asks_for_thing = False
    search.offers_this_line, search.pending = False, None


def _hear_citizen(search: _Search, line: Line) -> None:
    text = line.text[:_SAID]
    said = runs(text)
    agreed = bool(_YES.search(text.strip())) and not _NO.search(text)
    if agreed and search.pending and (search.groups or search.asked or search.chosen):
        if search.chosen and not _same(search.chosen, search.pending):
            search.codes["callback_corrected"] = (
                f"the agent read the number back otherwise and the citizen agreed (turn {line.number})"
            )
        search.choose(search.pending, line)
        search.groups = [search.pending]
    if any(len(run.digits) >= 2 for run in said) or (search.groups and said):
        _take(search, line, text, said)
    elif search.groups and len(content(text)) > 8 and not _CORRECTION.search(text):
        search.groups = []
    if search.caller and _wants_this_line(search, text, said, agreed=agreed):
        search.chosen, search.spoken_in, search.unfinished = search.caller, 0, False
    search.offers_this_line, search.pending = False, None


def _wants_this_line(search: _Search, text: str, said: Sequence[Run], *, agreed: bool) -> bool:
    """Whether the citizen wants to be called on the line of this call; a number said behind it is wanted more."""
    if search.offers_this_line and agreed and not said:
        return True
    last = said[-1].end if said else 0
    found = _THIS_LINE.search(text, last)
    if not found or _NO.search(text, last):
        return False
    return search.offers_this_line or search.asked > 0 or bool(_GIVEN.search(text))


def _take(search: _Search, line: Line, text: str, said: Sequence[Run]) -> None:
    """The citizen's digits: a number, a part of one, or a correction of one."""
    wrong: str | None = None
    correcting = False
    said = [run for run in said if len(run.digits) > 1] or said  # 一下, 一个 beside the digits that count
    for at, run in enumerate(said):
        before = text[said[at - 1].end if at else 0 : run.start]
        correcting = bool(_CORRECTION.search(before)) or (correcting and wrong is not None)
        if _is_of_something_else(search, text, run):
            search.groups = []
            continue
        if search.chosen and at and _EXTENSION.fullmatch(before) and len(run.digits) <= 6:
            search.chosen += f"转{run.digits}"  # as it is dialled and written; E.164 has no place for it
            continue
        if _NOT_THIS.search(before) and at + 1 < len(said):
            wrong = run.digits
            continue
        replaced = len(said[at - 1].groups) if at else 0
        _add(search, line, text, run, _Change(before, wrong, replaced) if correcting else None)
        wrong = None


@dataclass(frozen=True, slots=True)
class _Change:
    """A correction: the words before the right digits, the wrong ones when they were named, and how many groups the
    same turn gave just before."""

    words: str
    wrong: str | None
    replaced: int


def _add(search: _Search, line: Line, text: str, run: Run, change: _Change | None) -> None:
    given = bool(_GIVEN.search(_words_before(text, run)))
    wanted = given or search.asked > 0 or bool(search.groups)
    whole = _whole(run, local=given or (wanted and not search.groups))
    only = not content(text[: run.start]) and not content(text[run.end :])
    if whole:
        if not (wanted or (search.caller is None and only)):
            return
        if change and search.groups:
            search.codes["callback_corrected"] = f"the citizen corrected the number (turn {line.number})"
        search.groups = list(run.groups)
        search.choose(whole, line)
        return
    if _TAIL.search(_words_before(text, run)) and not search.groups:
        _tail(search, run)
        return
    if not wanted:
        return
    if change and search.groups:
        search.groups = _amended(search.groups, run.digits, change)
        search.codes["callback_corrected"] = f"the citizen corrected a part of the number (turn {line.number})"
    elif not _repeats(search.groups, run):
        over = _complete(search.groups) or len("".join(search.groups)) > _LONGEST
        search.groups = [*([] if over else search.groups), *run.groups]
    number = "".join(search.groups)
    if _SURE.fullmatch(number):
        search.choose(number, line)
    elif len(number) >= _PART_OF_NUMBER:
        search.unfinished = True


def _repeats(groups: Sequence[str], run: Run) -> bool:
    """Whether these digits were just said: the citizen confirms the agent's reading of a part or of the end."""
    if not groups:
        return False
    return (groups[-1] == run.digits and len(run.digits) > 2 and len("".join(groups)) + len(run.digits) > 11) or (
        _complete(groups) and "".join(groups).endswith(run.digits)
    )


def _complete(groups: Sequence[str]) -> bool:
    return bool(_SURE.fullmatch("".join(groups)))


def _amended(groups: Sequence[str], right: str, change: _Change) -> list[str]:
    """The groups with a part replaced: the part named, else the group most like the new digits."""
    number, size = "".join(groups), len(right)
    if change.wrong and change.wrong in number:
        head, _, tail = number.rpartition(change.wrong)
        return [head, right, tail]
    if change.replaced and not _complete(groups):
        return [*groups[: -change.replaced], right]
    if size > len(number):
        return [right]
    if _TAIL.search(change.words):
        return [number[:-size], right]
    if _HEAD.search(change.words):
        return [right, number[size:]]
    if _MIDDLE.search(change.words) and len(number) == 11:
        return [number[:3], right, number[3 + size :]]
    alike = [(sum(map(str.__eq__, group, right)), at) for at, group in enumerate(groups) if len(group) == size]
    if not alike:
        return [*groups[:-1], right] if not _complete(groups) else [number[:-size], right]
    _, at = max(alike)
    return [*groups[:at], right, *groups[at + 1 :]]


def _tail(search: _Search, run: Run) -> None:
    """The citizen names the last digits of the number to call: of the caller's, or of one that is not known."""
    if search.caller and search.caller.endswith(run.digits):
        search.chosen, search.spoken_in = search.caller, 0
    elif not (search.chosen and search.chosen.endswith(run.digits)):
        search.codes["callback_tail_differs"] = (
            f"the citizen named a number that ends in {run.digits}, the rest is not known"
        )


def _tail_said(text: str, said: Sequence[Run]) -> str:
    return next((run.digits for run in said if len(run.digits) <= 5 and _TAIL.search(_words_before(text, run))), "")


def _is_of_something_else(search: _Search, text: str, run: Run) -> bool:
    if search.asks_for_thing and not _GIVEN.search(_words_before(text, run)):
        return True
    words = _words_before(text, run)
    things, others = _last(_THINGS, words), _last(_OTHERS, words)
    ours = _last(_GIVEN, words)
    return (things >= 0 and things >= ours) or (others >= 0 and others >= ours) or bool(_things_after(text, run))


def _things_before(text: str, run: Run) -> bool:
    words = _words_before(text, run)
    return _last(_THINGS, words) > max(_last(_WANTED, words), _last(_GIVEN, words))


def _things_after(text: str, run: Run) -> bool:
    """13511112222这个号码是骗子的: what it is, said behind it, directly."""
    return bool(_OTHERS.match(text, run.end))


def _words_before(text: str, run: Run) -> str:
    """The words of the same sentence before a number, as far as they reach."""
    return _CLAUSE.split(text[max(0, run.start - _BEFORE) : run.start])[-1]


def _last(pattern: re.Pattern[str], words: str) -> int:
    return max((found.end() for found in pattern.finditer(words)), default=-1)


def _whole(run: Run, *, local: bool) -> str | None:
    """The run as a telephone number, when it is a whole one."""
    digits = run.digits
    if _SURE.fullmatch(digits) or (run.plus and 8 <= len(digits) <= 15):
        return f"+{digits}" if run.plus else digits
    return digits if local and _LOCAL.fullmatch(digits) else None


def _within(run: Run) -> str | None:
    """A whole number among the groups of a run: the agent repeats the last group, then the whole."""
    groups = run.groups[-_WINDOW:]
    ends = range(len(groups), 0, -1)
    wholes = ("".join(groups[start:end]) for end in ends for start in range(end))
    return next((number for number in wholes if _SURE.fullmatch(number)), None)


def _same(one: str, other: str) -> bool:
    """Whether two writings are one number: with and without country code."""
    return one.lstrip("+0")[-10:] == other.lstrip("+0")[-10:]


def _conclude(search: _Search) -> Callback:
    number = search.chosen or search.caller
    codes: dict[str, str] = {}
    if search.spoken_in and not (search.caller and number and _same(number, search.caller)):
        codes["callback_spoken"] = f"the number to call back was given in the talk (turn {search.spoken_in})" + (
            f"; the call came from one that ends in {search.caller[-4:]}" if search.caller else ""
        )
    if search.unfinished and not search.spoken_in:
        codes["callback_incomplete"] = "digits were given for a number to call back, but no whole number came of them"
    codes |= search.codes
    return Callback(number, tuple(Note(step=STEP, code=code, detail=detail) for code, detail in codes.items()))
