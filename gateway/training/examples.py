"""What models are trained on: texts with their right answers, read from JSON Lines and CSV. May not train."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
        if path.suffix == ".csv":
            yield from csv.DictReader(file)
            return
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except ValueError:
                raise BadExamples(f"{path.name}:{number}: not JSON") from None
            if not isinstance(row, dict):
                raise BadExamples(f"{path.name}:{number}: not an object")
            yield row


def read(path: Path, *, text: tuple[str, ...], label: str, order: str | None = None) -> list[Example]:
    """Examples from named fields; dots lead into objects (`category.path.0`). Rows without a text or label are left
    out; with `order`, sorted by it, numbers as numbers."""
    found = []
    for row in rows(path):
        said = "\n".join(part for field in text if (part := _field(row, field)))
        answer = _field(row, label)
        if said and answer:
            found.append(Example(said, answer, "".join(said.split()), _field(row, order) if order else ""))
    if not found:
        raise BadExamples(f"{path.name}: no row has both {' or '.join(text)} and {label}")
    return sorted(found, key=lambda one: (len(one.order), one.order)) if order else found


def _field(row: Any, name: str) -> str:
    for part in name.split("."):
        if isinstance(row, list) and part.isdigit() and int(part) < len(row):
            row = row[int(part)]
        elif isinstance(row, dict):
            row = row.get(part)
        else:
            return ""
    return "" if row is None or isinstance(row, dict | list) else str(row).strip()
