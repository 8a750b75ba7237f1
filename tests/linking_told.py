"""Invented pairs that were written to be measured by (labels/second/*.jsonl), as tickets that a citizen sent.

May not be fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from normalizer import identity, normalize
from normalizer.matter.reading import of_ticket
from normalizer.ticket import Inbound, Raw, Requester, Ticket
from tests.accuracy.drafts import WHEN
from workers.linking import likeness

LABELS: Final = Path(__file__).parent / "labels/second"
_WHO: Final = ("+8613800138000", "+8613900139000")


@dataclass(frozen=True, slots=True)
class Told:
    """Two texts with the days between them; whether one citizen sent both, and whether they are one matter."""

    a: str
    b: str
    same: bool
    citizen: bool
    days: int
    why: str

    def tickets(self) -> tuple[Ticket, Ticket]:
        """As they are accepted."""
        return _ticket(self.a, 0, 0, _WHO[0]), _ticket(self.b, 1, self.days, _WHO[0 if self.citizen else 1])

    def score(self) -> float:
        """As the later is compared with the earlier."""
        one, other = self.tickets()
        return likeness(other, of_ticket(other), one)


def told(name: str) -> list[Told]:
    """A set, by the name of its file."""
    return [Told(**json.loads(line)) for line in (LABELS / f"{name}.jsonl").read_text("utf-8").splitlines()]


def sets() -> Iterator[str]:
    """The sets there are."""
    yield from sorted(path.stem for path in LABELS.glob("pairs*.jsonl"))


def _ticket(text: str, sequence: int, days: int, phone: str) -> Ticket:
    at = WHEN + timedelta(days=days)
    raw = Raw(channel="web", source_id=f"told{sequence}", received_at=at, body=text.encode())
    inbound = Inbound(text=text, digest="0" * 64, requester=Requester(phone=phone))
    return normalize(raw, inbound, number=identity.number(at.date(), 0, sequence))
