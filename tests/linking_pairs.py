"""Labelled pairs of real texts (labels/pairs.csv, labels/pairs_train.csv), as matters that can be compared.

May not fit or judge: tests/linking_model.py fits, the accuracy report judges by the part that was kept.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from normalizer.matter.likeness import QUOTED, features, quoted, score
from normalizer.matter.reading import Matter, read

LABELS: Final = Path(__file__).parent / "labels"
TEXTS: Final = Path(__file__).parents[1] / "../shared/data/text"
SEED: Final = 20261123
FOR_DEVELOPMENT: Final = 0.29
"""Share of the labelled pairs that development looked at; the rest is for the final figure alone."""


@dataclass(frozen=True, slots=True)
class Text:
    """A row of a set. `number`: the ticket number it has. `citizen`: the field of that name, if the set has one."""

    title: str
    text: str
    number: str | None
    citizen: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows of one set, and whether they are one matter. `sure`: another reader would decide alike."""

    set: str
    rows: tuple[int, int]
    same: bool
    label: str
    sure: bool

    @property
    def keys(self) -> tuple[tuple[str, int], tuple[str, int]]:
        return (self.set, self.rows[0]), (self.set, self.rows[1])

    def features(self) -> tuple[float, ...]:
        """As the model sees them."""
        one, other = map(text_of, self.keys)
        return features(*map(matter_of, self.keys), days=_days(one, other), same_citizen=_same_citizen(one, other))

    def quotes(self) -> bool:
        """Whether a ticket number joins them."""
        one, other = map(text_of, self.keys)
        mine, yours = map(matter_of, self.keys)
        return quoted(mine, one.number, yours, other.number)

    def score(self) -> float:
        """As a ticket is scored."""
        one, other = map(text_of, self.keys)
        alike = score(*map(matter_of, self.keys), days=_days(one, other), same_citizen=_same_citizen(one, other))
        return max(alike, QUOTED) if self.quotes() else alike


def _days(one: Text, other: Text) -> float:
    return abs((one.at - other.at).total_seconds()) / 86400


def _same_citizen(one: Text, other: Text) -> bool:
    return one.citizen is not None and one.citizen == other.citizen


@cache
def rows(name: str) -> Sequence[Mapping[str, str]]:
    """A set, as it lies in the shared data."""
    with (TEXTS / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@cache
def text_of(key: tuple[str, int]) -> Text:
    """One row, in one shape for both sets."""
    name, number = key
    row = rows(name)[number]
    if name == "petitions_messages":
        at = datetime(*map(int, re.findall(r"\d+", row["留言时间"])[:5]))  # type: ignore[arg-type]
        return Text(row["留言主题"], " ".join(row["留言详情"].split()), None, row["留言用户"], at)
    at = datetime.strptime(row["工单编号"][:8], "%Y%m%d")
    return Text("", row["诉求内容"], row["工单编号"], None, at)


@cache
def matter_of(key: tuple[str, int]) -> Matter:
    """What the row is about."""
    return read(text_of(key).title, text_of(key).text)


def labelled() -> list[Pair]:
    """Those of the other reader, by whom the code is measured."""
    return list(_pairs("pairs.csv"))


def for_training() -> list[Pair]:
    """Those of the author of the code."""
    return list(_pairs("pairs_train.csv"))


def _pairs(name: str) -> Iterator[Pair]:
    with (LABELS / name).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            same, sure = row["label"] != "different", row.get("sure", "1") == "1"
            yield Pair(row["set"], (int(row["row_a"]), int(row["row_b"])), same, row["label"], sure)


def split(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """For development, and for the figure. Pairs that share a row, however far along, stay together."""
    groups = sorted(_groups(pairs), key=lambda group: (group[0].set, group[0].rows[0]))
    random.Random(SEED).shuffle(groups)
    parts: tuple[list[Pair], list[Pair]] = [], []
    for group in groups:
        parts[len(parts[0]) >= FOR_DEVELOPMENT * len(pairs)].extend(group)
    return parts


def _groups(pairs: Iterable[Pair]) -> list[list[Pair]]:
    parent: dict[tuple[str, int], tuple[str, int]] = {}

    def root(key: tuple[str, int]) -> tuple[str, int]:
        parent.setdefault(key, key)
        while parent[key] != key:
            key = parent[key]
        return key

    pairs = list(pairs)
    for pair in pairs:
        one, other = map(root, pair.keys)
        parent[one] = other
    groups: dict[tuple[str, int], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(root(pair.keys[0]), []).append(pair)
    return list(groups.values())
