"""The clock of a simulated platform, and what it counts by it: days pass when a test says so.

May not be set back: a platform's time only goes on.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR


@dataclass
class Clock:
    """Real time, and what a test added to it."""

    ahead: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        assert seconds >= 0, "time does not go back"
        self.ahead += seconds


@dataclass(frozen=True)
class Limit:
    """So many calls in so many seconds."""

    calls: int
    seconds: float


@dataclass
class Meter:
    """Counts calls. `peak` is the highest number that came in any window of the limit's length, those over the limit
    among them; exact, because such a number is always reached at the moment of a call."""

    clock: Clock
    limit: Limit
    asked: int = 0
    refused: int = 0
    peak: int = 0
    _came: deque[float] = field(default_factory=deque)
    _allowed: deque[float] = field(default_factory=deque)

    def take(self) -> bool:
        """Count a call; is it within the limit? The window rolls, which is the strictest that a platform may do. A
        refused call does not prolong the wait."""
        now = self.clock.now()
        for times in (self._came, self._allowed):
            while times and times[0] <= now - self.limit.seconds:
                times.popleft()
        self.asked += 1
        self._came.append(now)
        self.peak = max(self.peak, len(self._came))
        if len(self._allowed) >= self.limit.calls:
            self.refused += 1
            return False
        self._allowed.append(now)
        return True

    def counts(self) -> dict[str, float]:
        """For whoever asks how it went."""
        limit = {"limit": self.limit.calls, "seconds": self.limit.seconds}
        return {"asked": self.asked, "refused": self.refused, "peak": self.peak} | limit
