"""How often the place step finds the district and the street that a text names: `python -m tests.accuracy.place`.

Measured on tests/labels/places.csv, which was made by hand by a reader who wrote no part of the step, and on written
cases (tests/accuracy/written.py). Prints figures and row numbers, never a word of a citizen.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from normalizer import Inbound, Place, Raw, normalize
from normalizer.config import NormalizerConfig
from normalizer.places import gazetteer
from normalizer.steps.place import find_place
from tests.accuracy import measures, written
from tests.accuracy.drafts import draft
from tests.accuracy.result import Figure, Result

LABELS: Final = Path(__file__).parents[1] / "labels"
DATA: Final = Path(__file__).parents[3] / "shared/data/text"
# Set -> the city of the line, as the reader knew it; fields of the title and of the text.
SETS: Final[Mapping[str, tuple[str | None, str | None, str]]] = {
    "haikou12345": ("460100", None, "诉求内容"),
    "fuzhou12345": ("350100", "标题", "投诉件内容"),
    "leader_board_120": ("350100", "subject", "content"),
    "petitions_labelled_raw": (None, "留言主题", "留言详情"),
    "petitions_messages": (None, "留言主题", "留言详情"),
    "petitions_replies": (None, "留言主题", "留言详情"),
}
LEVELS: Final = ("district", "street")
WHEN: Final = datetime(2026, 11, 23, tzinfo=UTC)

FIRST: Final[Mapping[str, str]] = {
    "second": "At the first, blind run the district was right in 124 of 127 found and 124 of 130 named, the street in "
    "116 of 117 and 116 of 124.",
    "third": "At the first run the district was right in 25 of 25 found and 25 of 27 named, the street in 21 of "
    "21 and 21 of 23.",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled row: what it names, what was found."""

    row: tuple[str, int]
    label: Mapping[str, str]
    found: Place
    plain: Mapping[str, str | None]

    def right(self, level: str) -> bool:
        return bool(self.label[level]) and getattr(self.found, level) == self.label[level]


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with its 95 % interval (Wilson)."""

    hits: int
    of: int

    def __str__(self) -> str:
        if not self.of:
            return "-"
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}] ({self.hits} of {self.of})"

    @property
    def value(self) -> float:
        return self.hits / self.of if self.of else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        z, share, n = 1.96, self.value, self.of
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return max(0.0, middle - reach), min(1.0, middle + reach)


def judge() -> list[Judged]:
    """Every labelled row, read by the whole normalizer with its city."""
    rows = {name: (DATA / f"{name}.jsonl").read_text("utf-8").split("\n") for name in SETS}
    with (LABELS / "places.csv").open(encoding="utf-8", newline="") as file:
        labels = list(csv.DictReader(file))
    return [_judged(label, json.loads(rows[label["set"]][int(label["row"])])) for label in labels]


def precision(judged: Iterable[Judged], level: str) -> Share:
    """Of the rows for which something was found, those in which it is right."""
    told = [one for one in judged if getattr(one.found, level)]
    return Share(sum(one.right(level) for one in told), len(told))


def recall(judged: Iterable[Judged], level: str) -> Share:
    """Of the rows that name one, those in which it was found."""
    named = [one for one in judged if one.label[level]]
    return Share(sum(one.right(level) for one in named), len(named))


def doubtful() -> set[tuple[str, int]]:
    """The rows of which the reader says that another may decide otherwise."""
    text = (LABELS / "README.md").read_text("utf-8").partition("## Doubtful")[2]
    found = re.findall(r"^\| (\w+) \| ([\d, ]+) \|", text, re.MULTILINE)
    return {(name, int(row)) for name, rows in found for row in rows.split(",")}


def measure() -> Iterator[Result]:
    """The real texts, then the written cases."""
    judged = judge()
    yield Result(
        "Where it is",
        f"tests/labels/places.csv, {len(judged)} real texts of two cities' lines and of petitions",
        "labelled by hand before the step was written",
        tuple(_figures(judged)),
    )
    for name in written.SETS:
        yield of_set(name)


def of_set(name: str) -> Result:
    """The written cases of a set, each with the city that receives it."""
    rows = written.rows(name, "places")
    judged = [_of_case(name, line, row) for line, row in enumerate(rows, 1)]
    wrong = {one.row[1] for one in judged for level in LEVELS if (getattr(one.found, level) or "") != one.label[level]}
    return Result(
        f"Where it is, {name} written cases",
        f"tests/labels/{name}/places.jsonl, {len(rows)} cases",
        written.SETS[name],
        tuple(_figures(judged)),
        more=(FIRST[name], f"lines that are wrong: {', '.join(map(str, sorted(wrong))) or 'none'}."),
    )


def _figures(judged: list[Judged]) -> Iterator[Figure]:
    for level in LEVELS:
        for metric, share in (("precision", precision(judged, level)), ("recall", recall(judged, level))):
            yield measures.figure(f"{level}, {metric}", (share.value, *share.interval))


def _of_case(name: str, line: int, row: Mapping[str, Any]) -> Judged:
    inbound = Inbound(text=row["text"], digest="0")
    scope = gazetteer.site(row["site"]) if row["site"] else ""
    found = find_place(inbound, draft(inbound), scope=scope).place or Place()
    return Judged((name, line), {level: row[level] or "" for level in LEVELS}, found, {})


def calibration(judged: Iterable[Judged]) -> Mapping[float, Share]:
    """How often a district is right, by the confidence that was told."""
    groups: dict[float, list[bool]] = defaultdict(list)
    for one in judged:
        if one.found.district and one.found.confidence is not None:
            groups[one.found.confidence].append(one.right("district"))
    return {told: Share(sum(right), len(right)) for told, right in sorted(groups.items(), reverse=True)}


def main() -> None:
    judged = judge()
    unsure = doubtful()
    sure = [one for one in judged if one.row not in unsure]
    for level in LEVELS:
        print(f"{level}: precision {precision(judged, level)}, recall {recall(judged, level)}")
        print(f"  without the {len(unsure)} doubtful rows: {precision(sure, level)}, {recall(sure, level)}")
        hits = sum(bool(one.label[level]) and one.plain[level] == one.label[level] for one in judged)
        told, named = (sum(bool(values) for values in rows) for rows in _plain_and_named(judged, level))
        print(f"  plain search for full names: precision {Share(hits, told)}, recall {Share(hits, named)}")
        wrong = [one for one in judged if (getattr(one.found, level) or "") != one.label[level]]
        print("  not as labelled:", ", ".join(f"{one.row[0]} {one.row[1]}" for one in wrong) or "none")
    for told, share in calibration(judged).items():
        print(f"confidence {told}: right {share}")


def _plain_and_named(judged: Iterable[Judged], level: str) -> Iterator[list[str | None]]:
    judged = list(judged)
    yield [one.plain[level] for one in judged]
    yield [one.label[level] for one in judged]


def _judged(label: Mapping[str, str], row: Mapping[str, Any]) -> Judged:
    city, title, text = SETS[label["set"]]
    inbound = Inbound(text=row[text] or "", title=row[title] if title else None, digest="0")
    raw = Raw(channel="web", source_id=label["row"], received_at=WHEN, body=b"")
    ticket = normalize(raw, inbound, number="2026112301000017", config=NormalizerConfig(city=city))
    words = f"{inbound.title or ''}\n{inbound.text}"
    plain = {level: _first(words, _full_names(city, level)) for level in LEVELS}
    return Judged((label["set"], int(label["row"])), label, ticket.place or Place(), plain)


@cache
def _full_names(city: str | None, level: str) -> tuple[str, ...]:
    areas = gazetteer.areas_in(gazetteer.site(city) if city else "")
    if level == "district":
        return tuple(area.name for area in areas)
    return tuple(street.name for area in areas for street in gazetteer.streets(area.code)) if city else ()


def _first(words: str, names: Iterable[str]) -> str | None:
    """The baseline: the name that stands first."""
    return min((name for name in names if name in words), key=words.find, default=None)


if __name__ == "__main__":
    main()
