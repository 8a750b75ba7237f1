"""What became of the objects of one folder, in counts only: no word of them is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from channels.contract import Channel
from normalizer import Rejected, normalize
from normalizer.identity import number
from normalizer.ticket import Flag, Raw, Speaker, Ticket

ROOT: Final = Path(__file__).parents[2]
DATA: Final = ROOT / "../shared/data/social"
NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)
COLUMNS: Final = (
    "folder", "objects", "tickets", "refused by code", "with time", "author", "place", "pictures", "quoted",
    "nothing asked",
)  # fmt: skip


@dataclass
class Tally:
    """One row. `with_time`: the citizen's opening words carry the moment they were written, with its offset."""

    objects: int = 0
    tickets: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    with_time: int = 0
    author: int = 0
    place: int = 0
    pictures: int = 0
    quoted: int = 0
    nothing_asked: int = 0

    def count(self, channel: Channel, body: bytes, content_type: str) -> Ticket | None:
        """One object more: its ticket, when it became one. Raises what reading raises besides Rejected: a bug."""
        self.objects += 1
        raw = Raw(channel=channel.name, source_id="sample", received_at=NOW, body=body, content_type=content_type)
        try:
            inbound = channel.parse(raw)
            if inbound.set_aside is not None:
                self.refused[inbound.set_aside.code] += 1
                return None
            ticket = normalize(raw, inbound, number=number(NOW.date(), 0, 1))
        except Rejected as error:
            self.refused[error.code] += 1
            return None
        self._add(ticket)
        return ticket

    def _add(self, ticket: Ticket) -> None:
        turns = ticket.conversation
        self.tickets += 1
        self.with_time += bool(turns) and turns[0].start is not None
        self.author += bool(ticket.requester.handles)
        self.place += ticket.place is not None
        codes = {note.code for note in ticket.notes}
        self.pictures += bool(ticket.attachments) or "picture_not_fetched" in codes
        self.quoted += any(turn.speaker is not Speaker.CITIZEN for turn in turns)
        self.nothing_asked += Flag.NO_REQUEST in ticket.flags

    def row(self, name: str) -> str:
        """As a line of the table."""
        refused = ", ".join(f"{code} {count}" for code, count in sorted(self.refused.items())) or "–"
        cells: list[Any] = [
            name, self.objects, self.tickets, refused, self.with_time, self.author, self.place, self.pictures,
            self.quoted, self.nothing_asked,
        ]  # fmt: skip
        return f"| {' | '.join(map(str, cells))} |"


def files(folder: Path) -> Iterable[Path]:
    """Every file below, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
