"""Plain transcripts: one line for each turn, `name: text`, with or without a time; also exports with header lines.

May not take a form, a letter or a log for talk: `recognise` wants names of voices, or names that come back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats import srt, tencent, webvtt
from channels.phone.formats.clock import CLOCK, seconds
from channels.phone.formats.labels import FIELDS, LABEL_MAX, folded, labelled, may_name_a_voice, names_a_voice, role_of
from channels.phone.formats.losses import notes
from channels.phone.formats.words import join_words

NAME: Final = "plain"
HEAD: Final = 65_536
NAMES_MAX: Final = 6
"""Different names beyond this number are the fields of a form, not people on one line."""
FIELD_MAX: Final = 200
CLOCK_TIMES_FROM: Final = 3600.0
"""A first time stamp of an hour or more is the time of day, not the time since the call began."""
DAY: Final = 86_400.0

_DATE: Final = r"(?:(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[ T]+)?"
_RANGE: Final = rf"(?:\s?(?:-->|[-~\u2013\u2014\uff5e])\s?({CLOCK}))?"
_OPEN, _CLOSE = r"[\[(\u3010\uff08\uff3b]", r"[\])\u3011\uff09\uff3d]"
_BEFORE: Final = re.compile(
    rf"[ \t]*(?:{_OPEN}[ \t]?{_DATE}({CLOCK}){_RANGE}[ \t]?{_CLOSE}"
    rf"|{_DATE}(\d{{1,2}}:\d{{2}}:\d{{2}}(?:[.,]\d{{1,9}})?){_RANGE}(?=\s|$))[ \t]*",
    re.ASCII,
)
_AFTER: Final = re.compile(
    rf"[ \t]*([^:\uff1a\r\n]{{1,{LABEL_MAX}}}?)(?:[ \t]{{1,8}}|[ \t]?{_OPEN}[ \t]?)"
    rf"{_DATE}({CLOCK})(?!:?\d){_RANGE}[ \t]?{_CLOSE}?[ \t]*(?:[:\uff1a][ \t]*(.*)|)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its time, the name it may begin with, what follows that name, and all after the time."""

    start: float | None
    end: float | None
    dated: bool
    name: str
    text: str
    whole: str

    @property
    def header(self) -> bool:
        """A name and a time and nothing else: the text follows on the next lines."""
        return bool(self.name) and self.start is not None and not self.text


def recognise(document: object) -> bool:
    """Text whose first line has a name, a time or a field, and most of whose names surely name voices or come back."""
    if not isinstance(document, str) or any(other.recognise(document) for other in (srt, tencent, webvtt)):
        return False
    lines = _parsed(document[:HEAD].splitlines())
    names = [line.name for line in lines if line.name and folded(line.name) not in FIELDS]
    counts = Counter(map(folded, names))
    sure = sum(names_a_voice(name) or (counts[folded(name)] > 1 and may_name_a_voice(name)) for name in names)
    if not lines or not (lines[0].name or lines[0].start is not None):
        return 2 * sure >= len(lines) > 0  # a heading above the talk
    if sure:
        return 2 * sure >= len(names)
    comes_back = 1 < len(counts) <= NAMES_MAX and len(names) > len(counts)
    if comes_back and (len(names) == len(lines) or sum(line.header for line in lines) == len(names)):
        return True
    return all(line.start is not None and not line.dated and line.whole for line in lines)


def read(document: object) -> Call:
    """One utterance for each turn; a line that names nobody goes on with the turn before it."""
    lines = _parsed((document if isinstance(document, str) else "").splitlines())
    fields: dict[str, str] = {}
    turns: list[list[Line]] = []
    accepted = _accepted(lines)
    for line in lines:
        field = FIELDS.get(folded(line.name)) if line.name and not turns else None
        if field is not None:
            fields.setdefault(field, line.text[:FIELD_MAX])
        elif not turns or _begins(line, turns[-1][0], accepted):
            turns.append([line])
        else:
            turns[-1].append(line)
    utterances, moved = _since_beginning([_utterance(turn, accepted) for turn in turns], turns)
    return Call(
        format=NAME,
        call_id=fields.get("call_id") or None,
        caller=fields.get("caller") or None,
        called=fields.get("called") or None,
        agent=fields.get("agent") or None,
        queue=fields.get("queue") or None,
        recording=fields.get("recording") or None,
        utterances=tuple(one for one in utterances if one.text),
        lost=notes({"times_of_day": moved}),
    )


def _parsed(lines: Iterable[str]) -> list[Line]:
    return [_line(line) for line in lines if line.strip("\ufeff \t\r\n\f\v\u3000")]


def _line(line: str) -> Line:
    line = line.lstrip("\ufeff").strip()
    after = _AFTER.fullmatch(line)
    if after is not None and (named := labelled(f"{after[1]}:")) is not None and not named[1]:
        stamp, dated = _moment(after.groups()[1:5])
        if stamp is not None:
            return Line(stamp, seconds(after[6] or ""), dated, named[0], (after[7] or "").strip(), line)
    before = _BEFORE.match(line)
    groups = before.groups() if before is not None else ()
    half = groups[:5] if groups and groups[3] else groups[5:]
    stamp, dated = _moment(half[:4]) if half else (None, False)
    rest = line[before.end() :] if before is not None and stamp is not None else line
    name, text = labelled(rest) or ("", rest)
    end = seconds(half[4] or "") if half and stamp is not None else None
    return Line(stamp, end, dated, name, text, rest)


def _moment(parts: Sequence[str | None]) -> tuple[float | None, bool]:
    """Seconds, of the day or of the call; with a date, since the beginning of the calendar."""
    year, month, day, clock = parts
    time = seconds(clock or "")
    if time is None or year is None or month is None or day is None:
        return time, False
    try:
        return datetime(int(year), int(month), int(day)).toordinal() * DAY + time, True
    except ValueError:
        return None, False


def _accepted(lines: Sequence[Line]) -> frozenset[str]:
    """The names that are speakers: the others are talk that happens to hold a colon."""
    counts = Counter(folded(line.name) for line in lines if line.name)
    sure = {name for name, count in counts.items() if count > 1 or names_a_voice(name) or role_of(name) is not None}
    if lines and lines[0].header:
        sure |= {folded(line.name) for line in lines if line.header}
    every = all(line.name for line in lines)
    return frozenset(counts if sure and every else sure)


def _begins(line: Line, turn: Line, accepted: frozenset[str]) -> bool:
    if folded(line.name) in accepted and line.name:
        return True
    # Without a name, a time begins a turn; where nobody is named, every line is one.
    return line.start is not None or folded(turn.name) not in accepted


def _utterance(turn: Sequence[Line], accepted: frozenset[str]) -> Utterance:
    first = turn[0]
    named = folded(first.name) in accepted and bool(first.name)
    return Utterance(
        text=join_words([first.text if named else first.whole, *(line.whole for line in turn[1:])]),
        speaker=first.name if named else "",
        role=role_of(first.name) if named else None,
        start=first.start,
        end=first.end,
    )


def _since_beginning(said: Sequence[Utterance], turns: Sequence[Sequence[Line]]) -> tuple[list[Utterance], int]:
    """Times of day become seconds since the first of them: without a time zone they are no moment. Counts them."""
    starts = [one.start for one in said if one.start is not None]
    if not starts or not (turns[0][0].dated or starts[0] >= CLOCK_TIMES_FROM):
        return list(said), 0
    origin = starts[0]
    return [replace(one, start=_since(origin, one.start), end=_since(origin, one.end)) for one in said], len(starts)


def _since(origin: float, time: float | None) -> float | None:
    """After midnight the time of day is smaller than the first one; an end without a date counts from its own day."""
    if time is None:
        return None
    return round(time - origin if time >= origin else (time - origin) % DAY, 3)
