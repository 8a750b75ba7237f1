"""How many calls a platform allows: GCRA, whose whole memory is one number that fits into a cursor.

Pure: no clock of its own. May not know what a call is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

_A_LITTLE: Final = 1 + 1e-9  # so that rounding never lets one call too many through


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `calls` calls in any window of `seconds` seconds, both ends counted; `burst` of them may follow each
    other at once, for paging back after a pause.

    The memory is the theoretical arrival time `tat` (seconds since 1970). Save what `spend` returns BEFORE the call it
    counts: a crash between the two then wastes a call and never makes one too many.

        tat = budget.resume(saved, now)
        await sleep(budget.wait(tat, now))      # 0: at once
        tat = budget.spend(tat, later)          # save it, then call
        tat = budget.ended(tat, after)          # the call is over
    """

    calls: int
    seconds: float
    burst: int

    def __post_init__(self) -> None:
        if not (1 <= self.burst < self.calls and self.seconds > 0):
            raise ValueError("a budget needs 1 <= burst < calls and seconds > 0")

    @classmethod
    def of(cls, calls: int, seconds: float, *, burst_share: float = 0.1) -> Self:
        """A budget whose burst is that share of the calls (one call at least, and one less than all at most)."""
        return cls(calls, seconds, min(max(1, int(calls * burst_share)), calls - 1))

    @property
    def interval(self) -> float:
        """Seconds from one call to the next for ever. A window that begins with a whole burst holds
        `burst + seconds / interval` calls: that is `calls`."""
        return self.seconds / (self.calls - self.burst) * _A_LITTLE

    @property
    def _ahead(self) -> float:
        return (self.burst - 1) * self.interval

    def resume(self, saved: float | None, now: float) -> float:
        """The memory to go on with. None (nobody knows what was called before): no burst at first. A time that lies
        further ahead than calls can have brought it comes from a clock that was put back: one window is waited. The
        last call that was counted may be on its way even now: whoever made it was stopped, and cannot say."""
        if saved is None:
            return now + self._ahead
        return self.ended(min(saved, now + self._ahead + self.seconds), now)

    def wait(self, tat: float, now: float) -> float:
        """Seconds until a call may be made; 0 when it may be made now."""
        return max(0.0, tat - self._ahead - now)

    def spend(self, tat: float, now: float) -> float:
        """The memory after one call at `now`. A caller that did not wait is counted too, and waits longer later."""
        return max(tat, now) + self.interval

    def ended(self, tat: float, now: float) -> float:
        """The memory when the call counted last may have come to the platform as late as now. The platform counts what
        comes: a call that took long on its way lies at the beginning of a window that it was not counted in."""
        return max(tat, now + self.interval)
