"""What a source holds and a Call does not, counted by kind and said in notes.

May not repeat any of it: a note names the kind and how many there were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from channels.phone.formats.members import Record
from normalizer.ticket import Note

STEP: Final = "phone"


def notes(counts: Mapping[str, int]) -> tuple[Note, ...]:
    """One note for each kind (plural, lower_snake_case) that occurred, code `<kind>_lost`."""
    return tuple(
        Note(step=STEP, code=f"{kind}_lost", detail=f"not kept of the transcript: {kind.replace('_', ' ')} ({count})")
        for kind, count in counts.items()
        if count
    )


def members_lost(record: Record, kinds: Mapping[str, str]) -> dict[str, int]:
    """How many things the members named by the keys of `kinds` hold, by the kind that is their value."""
    counts: dict[str, int] = {}
    for name, kind in kinds.items():
        counts[kind] = counts.get(kind, 0) + _size(record.get(name))
    return counts


def beyond_best(alternatives: Iterable[object]) -> int:
    """How many of the lists' entries come after the first, the one that is read."""
    return sum(max(len(entry) - 1, 0) for entry in alternatives if isinstance(entry, list))


def _size(value: object) -> int:
    if value is None or value is False or value == "":
        return 0
    return len(value) if isinstance(value, list | dict) else 1
