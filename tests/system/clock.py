"""A wall clock for real processes: days pass when the test says so, in Python and in Valkey alike (libfaketime).

May not touch the monotonic clock: what waits some seconds for a socket or a server waits them really. Between two
`set`s the simulated clock goes on as the real one does, so a test never asserts a second, only an order of moments.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

PRELOADED: Final = "faketime/libfaketimeMT.so.1"
"""The one for programs with threads."""
_PLACES: Final = ("/usr/lib/*/", "/usr/lib64/", "/usr/lib/", "/usr/local/lib/")
_START_UP: Final = Path(__file__).parent / "simulated"


class Clock:
    """The clock of all processes started with `environment`, the test's own not among them: it asks `now`."""

    def __init__(self, folder: Path, start: datetime) -> None:
        self._library = _library()
        self._file = folder / "clock"
        self._ahead = 0.0
        self._turn(start)

    @property
    def environment(self) -> dict[str, str]:
        """Children inherit it. The file is read at every look at the clock, so that all see a change at once; the
        times of files stay real, as whoever compares two of them expects."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": str(_START_UP),
        }

    def now(self) -> datetime:
        """What the processes read now."""
        return datetime.fromtimestamp(time.time() + self._ahead, UTC)

    def set(self, moment: datetime) -> None:
        """Let time pass until `moment`; it never goes back."""
        assert moment > self.now(), f"it is later than {moment} already"
        self._turn(moment)

    def advance(self, **much: float) -> None:
        """Let so much time pass: the words of `timedelta`."""
        self.set(self.now() + timedelta(**much))

    def _turn(self, moment: datetime) -> None:
        self._ahead = moment.timestamp() - time.time()
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._ahead:+.6f}\n")
        new.replace(self._file)  # a reader sees the old moment or the new one


def _library() -> Path:
    """Skips the test where there is none."""
    for place in _PLACES:
        for found in Path("/").glob(f"{place.removeprefix('/')}{PRELOADED}"):
            return found
    pytest.skip("no libfaketime: days cannot be simulated (Debian: apt-get install faketime)")
