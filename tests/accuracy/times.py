"""How often the time step says what a text says.

Measured on tests/labels/times.jsonl, written by somebody who wrote no part of the step, and on further sets
(tests/accuracy/written.py); what counts as right is in tests/labels/cases.md. Prints figures and line
numbers, never a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from normalizer import Inbound, Raw, Ticket, normalize
from normalizer.when import read
from tests.accuracy import measures, written
from tests.accuracy.result import LABELS as FOLDER
from tests.accuracy.result import Result
from tests.accuracy.urgency import wilson

LABELS: Final = FOLDER / "times.jsonl"
ZONE: Final = ZoneInfo("Asia/Shanghai")
NUMBER: Final = "2026112301000017"
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
NOW: Final = datetime(2026, 11, 23, 10)
_PLAIN_DAYS: Final = {"前天": 2, "昨天": 1, "今天": 0}
_PLAIN_DATE: Final = re.compile(r"(20\d\d)年(\d{1,2})月(\d{1,2})[日号]")


@dataclass(frozen=True, slots=True)
class Judged:
    """One case: its line (from 1), how precise the text is, and whether the ticket says the same."""

    line: int
    precision: str
    found: bool
    right: bool


FIRST: Final[Mapping[str, str]] = {
    "second": "At the first, blind run 153 of these 170 cases were right.",
    "third": "At the first run 35 of these 40 cases were right.",
}
NOT_MENDED: Final = (
    "Left: days of the solar terms but 清明, the days of the 高考; 周一到周五 is a rule of weekdays by the first set "
    "and of workdays by the second."
)


def judged(rows: Iterable[Mapping[str, Any]]) -> Iterator[Judged]:
    """Every case."""
    for line, row in enumerate(rows, 1):
        ticket = ticket_of(row["text"], row["received_at"])
        found = ticket.occurred_at is not None or bool(_notes(ticket).keys() & {"recurs", "before"})
        yield Judged(line, row["precision"], found, is_right(row, ticket))


def ticket_of(text: str, received_at: str) -> Ticket:
    """The ticket of a text received then (Beijing)."""
    raw = Raw(channel="web", source_id="1", received_at=_received(received_at), body=b"")
    return normalize(raw, Inbound(text=text, digest=""), number=NUMBER)


def is_right(row: Mapping[str, Any], ticket: Ticket) -> bool:
    """By the definitions of cases.md."""
    notes, span = _notes(ticket), ticket.occurred_at
    start, end = _local(span.start if span else None), _local(span.end if span else None)
    wanted, until = _moment(row["start"]), _moment(row["end"])
    match row["precision"]:
        case "none":
            return span is None and not notes.keys() & {"recurs", "before"}
        case "recurring":
            return notes.get("recurs") == row["recurrence"] and (wanted is None or _near(start, wanted, _DAY))
        case "before":
            return (
                "before" in notes and until is not None and _near(datetime.fromisoformat(notes["before"]), until, _DAY)
            )
    if "recurs" in notes or start is None or wanted is None:
        return False
    return _is_moment_right(row, start, end, wanted, until)


def _is_moment_right(
    row: Mapping[str, Any], start: datetime, end: datetime | None, wanted: datetime, until: datetime | None
) -> bool:
    match row["precision"]:
        case "minute":
            return start == wanted
        case "hour":
            return start.replace(minute=0) == wanted.replace(minute=0)
        case "now":
            return timedelta() <= _moment_of(row) - start <= timedelta(minutes=30)
        case "daypart":
            return _near(start, wanted, 2 * _HOUR) and _near(end, until, 2 * _HOUR) and end is not None
        case "about":
            return _near(start, wanted, 31 * _DAY if (_moment_of(row) - wanted).days > 150 else 3 * _DAY)
        case "since":
            return end is None and _near(start, wanted, _DAY)
    return start == wanted and end == until


def _near(found: datetime | None, wanted: datetime | None, within: timedelta) -> bool:
    return found is not None and wanted is not None and abs(found - wanted) <= within


def _moment_of(row: Mapping[str, Any]) -> datetime:
    return _received(row["received_at"]).replace(tzinfo=None)


def _received(said: str) -> datetime:
    """Without an offset it is Beijing's."""
    moment = datetime.fromisoformat(said)
    return moment.astimezone(ZONE) if moment.tzinfo else moment.replace(tzinfo=ZONE)


def _moment(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said) if said else None


def _local(moment: datetime | None) -> datetime | None:
    return moment.astimezone(ZONE).replace(tzinfo=None) if moment else None


def _notes(ticket: Ticket) -> dict[str, str]:
    return {note.code: note.detail for note in ticket.notes if note.step == "when"}


def _plainly(row: Mapping[str, Any]) -> str | None:
    """What a plain search would say: 昨天, 前天, 今天 and dates with their year, and nothing else."""
    text, today = row["text"], _moment_of(row).replace(hour=0, minute=0, second=0)
    for word, back in _PLAIN_DAYS.items():
        if word in text:
            return (today - back * _DAY).isoformat()
    match = _PLAIN_DATE.search(text)
    return f"{match[1]}-{int(match[2]):02d}-{int(match[3]):02d}T00:00:00" if match else None


def _is_plainly_right(row: Mapping[str, Any]) -> bool:
    said = _plainly(row)
    return said is None if row["precision"] == "none" else row["precision"] == "day" and said == row["start"]


def measure() -> Iterator[Result]:
    """The written cases, and the time of the step alone."""
    rows = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()]
    cases = list(judged(rows))
    plain = [_is_plainly_right(row) for row in rows]
    told = [one.right for one in cases if one.precision != "none"]
    found = [one.right for one in cases if one.found]
    wrong = ", ".join(f"{one.line} ({one.precision})" for one in cases if not one.right)
    yield Result(
        "When it happened",
        f"tests/labels/times.jsonl, {len(cases)} written cases",
        "written by another session before the step; the step was measured on them blind once (155 of 185 right), then "
        "its classes of errors were mended, so that this is no blind figure any more",
        (
            measures.figure("right", measures.share([one.right for one in cases]), measures.share(plain)),
            measures.figure("right where the text tells a time", measures.share(told)),
            measures.figure("right where one was found", measures.share(found)),
        ),
        "昨天, 前天, 今天 and dates with their year, by a plain search",
        measures.milliseconds(lambda text: read(text, NOW), [row["text"] for row in rows]),
        more=(f"lines that are wrong: {wrong or 'none'}.",),
    )
    for name in written.SETS:
        yield of_set(name)


def of_set(name: str) -> Result:
    """The written cases of a further set."""
    rows = written.rows(name, "times")
    cases = list(judged(rows))
    wrong = ", ".join(f"{one.line} ({one.precision})" for one in cases if not one.right)
    return Result(
        f"When it happened, {name} written cases",
        f"tests/labels/{name}/times.jsonl, {len(cases)} cases",
        written.SETS[name],
        (
            measures.figure("right", wilson([one.right for one in cases])),
            measures.figure("right where one was found", wilson([one.right for one in cases if one.found])),
        ),
        more=(FIRST[name], f"lines that are wrong: {wrong or 'none'}.", NOT_MENDED),
    )
