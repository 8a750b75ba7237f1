"""What the tests of the sender's checks share: a zone instead of the DNS, and the mails that are read in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from channels.email.auth.resolver import DnsFailed, Kind

SHARED = Path(__file__).parents[4] / "shared/data/mail"


class Zone:
    """Records by (name, kind). Names in `down` get no answer; `asked` remembers the questions."""

    def __init__(self, records: Mapping[tuple[str, Kind], tuple[str, ...]] | None = None) -> None:
        self.records = dict(records or {})
        self.down: set[str] = set()
        self.asked: list[tuple[str, Kind]] = []

    @classmethod
    def of_texts(cls, texts: Mapping[str, str]) -> Zone:
        return cls({(name.lower(), "TXT"): (text,) for name, text in texts.items()})

    async def lookup(self, name: str, kind: Kind) -> tuple[str, ...]:
        self.asked.append((name, kind))
        if name in self.down:
            raise DnsFailed
        return self.records.get((name, kind), ())


def shared(folder: str) -> Path:
    """A folder of the real mails; the test is skipped where they are not."""
    path = SHARED / folder
    if not path.is_dir():
        pytest.skip(f"no {folder} here")
    return path
