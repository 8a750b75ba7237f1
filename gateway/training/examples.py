"""What models are trained on: texts with their right answers, read from JSON Lines and CSV, within limits.

May not train, nor say a row's words.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, TextIO

from normalizer.models.ngrams import LONGEST

MOST: Final = 1_000_000
"""Rows that are read: more teach nothing new, and all are held in memory."""
LINE_MAX: Final = 1 << 20
LEVELS: Final = "/"
"""Between the levels of an answer that is given in several fields."""


class BadExamples(ValueError):
    """The data cannot be trained on; the message says why, without a row's words."""


@dataclass(frozen=True, slots=True)
class Example:
    """`group`: examples of one group never stand on both sides of a split. `order`: its place in time."""

    text: str
    label: str
    group: str = ""
    order: str = ""


def rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a .jsonl or .csv file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        kind = _table if path.suffix.lower() == ".csv" else _objects
        try:
            for number, row in enumerate(kind(path.name, file)):
                if number == MOST:
                    raise BadExamples(f"{path.name}: more than {MOST:,} rows: take the newest")
                yield row
        except UnicodeDecodeError:
            raise BadExamples(f"{path.name}: not UTF-8; of GB 18030: iconv -f gb18030 -t utf-8") from None


def _table(name: str, file: TextIO) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(LINE_MAX)
    table = csv.DictReader(_lines(name, file))
    try:
        yield from table
    except csv.Error as error:
        raise BadExamples(f"{name}:{table.line_num}: not CSV ({error})") from None


def _objects(name: str, file: TextIO) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(_lines(name, file), 1):
        try:
            row = json.loads(line) if line.strip() else {}
        except (ValueError, RecursionError):
            raise BadExamples(f"{name}:{number}: not JSON") from None
        if not isinstance(row, dict):
            raise BadExamples(f"{name}:{number}: not an object")
        yield row


def _lines(name: str, file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(LINE_MAX + 1):
        number += 1
        if len(line) > LINE_MAX:
            raise BadExamples(f"{name}:{number}: a line of more than {LINE_MAX:,} characters")
        yield line


def read(path: Path, *, text: tuple[str, ...], label: str | tuple[str, ...], order: str | None = None) -> list[Example]:
    """Examples from named fields; dots lead into objects (`category.path.0`). Several `label` are the levels of an
    answer, the widest first; it ends where one is empty. Rows without a text or label are left out; with `order`,
    sorted by it, numbers as numbers."""
    levels = (label,) if isinstance(label, str) else label
    found = []
    for row in rows(path):
        said = "\n".join(part for field in text if (part := _field(row, field)))[:LONGEST]
        answer = _answer(row, levels)
        if said and answer:
            found.append(Example(said, answer, "".join(said.split()), _field(row, order) if order else ""))
    if not found:
        raise BadExamples(f"{path.name}: no row has both {' or '.join(text)} and {levels[0]}")
    return sorted(found, key=lambda one: (len(one.order), one.order)) if order else found


def _answer(row: Mapping[str, Any], levels: tuple[str, ...]) -> str:
    if len(levels) == 1:
        return _field(row, levels[0])
    named = (_field(row, level).replace(LEVELS, "／") for level in levels)
    return LEVELS.join(takewhile(bool, named))


def _field(row: Any, name: str) -> str:
    for part in name.split("."):
        if isinstance(row, list) and part.isdigit() and int(part) < len(row):
            row = row[int(part)]
        elif isinstance(row, dict):
            row = row.get(part)
        else:
            return ""
    return "" if row is None or isinstance(row, dict | list) else str(row).strip()
