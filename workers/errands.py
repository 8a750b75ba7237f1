"""What is outstanding for a ticket, as errands: each is tried by itself, and its end is one recorded step.

May not know what kinds of errand there are, and may not schedule: workers/delivery.py does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from workers.destinations.contract import Delivered, Disabled, Outcome, Refused, TryLater
from workers.store import Record, Step

if TYPE_CHECKING:
    from workers.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Ended:
    """How an errand came to its end. `word`: for the counter; `dead`: why it is listed among the dead, if it is."""

    word: str
    reason: str | None = None
    dead: str | None = None
    reference: str | None = None


class Errand(Protocol):
    """One thing to be done for a ticket. `name` keeps its tries and its next turn apart from those of others."""

    @property
    def name(self) -> str: ...

    @property
    def counter(self) -> str:
        """Of the counter of its outcomes, without the outcome."""

    @property
    def subject(self) -> str:
        """What the dead list names when it is given up: the event or the sending."""

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Try it once. Raises redis.RedisError only: Redis is away."""

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step | None:
        """The step that records its end at the ticket as it is now; `rest`: what is outstanding besides. None: the
        ticket moved, and there is nothing to record any more."""


@runtime_checkable
class GivesUp(Protocol):
    """An errand that goes on by another way when it was tried enough; any other is listed among the dead."""

    def given_up(self, later: TryLater, reason: str) -> Ended:
        """Its end, after the last try ended with `later`."""


def tries(record: Record, name: str) -> int:
    """Failed attempts so far."""
    return int(record.fields.get(f"tries:{name}", 0))


def waiting(record: Record, errands: Sequence[Errand], now: float) -> Mapping[str, float]:
    """Errands that may not be tried before a moment to come (unix seconds)."""
    moments = {errand.name: float(record.fields.get(f"next:{errand.name}", 0)) for errand in errands}
    return {name: moment for name, moment in moments.items() if moment > now}


def handed_over(outcome: Outcome) -> Ended | TryLater:
    """What a destination's outcome means for the errand that brought it an event."""
    match outcome:
        case Delivered(repeat=repeat, reference=reference):
            return Ended("repeat" if repeat else "delivered", reference=reference)
        case Refused(reason=reason):
            return Ended("refused", dead=reason)
        case Disabled(reason=reason):
            return Ended("disabled", dead=reason)
        case TryLater() as later:
            return later
