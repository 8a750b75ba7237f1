"""The end of a ticket: it is closed once its citizen knows how it ended, and opened again when the citizen says more.

May not close what nobody was told of: `make` refuses that, whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from normalizer import events
from normalizer.life import Actor, Role, State, StepName
from normalizer.ticket import Flag
from workers.destinations.contract import TryLater
from workers.ending import ending, told
from workers.errands import Ended, Errand
from workers.life import make
from workers.store import Record, Step

if TYPE_CHECKING:
    from workers.runtime import Runtime

CLOSING: Final = Actor(role=Role.SYSTEM, id="closing")
OPEN_ENDED: Final = frozenset({State.REPLIED, State.ANSWERED, State.REFERRED})
_ASKS_NOTHING: Final = frozenset({Flag.AUTOMATED, Flag.NO_REQUEST})


def outstanding(runtime: Runtime, record: Record) -> Iterator[Close | Reopen]:
    """Open it again if the citizen said more since it ended; else close it if the citizen knows."""
    if (said := _said_since(record)) is not None:
        yield Reopen(record, said["version"], said["channel"])
    elif record.state in OPEN_ENDED and told(record) is not None:
        yield Close(record)


def _said_since(record: Record) -> dict[str, Any] | None:
    """The first message of the citizen after the step that ended it, while it stands so. A program's message, or one
    that asks nothing, opens nothing."""
    end = ending(record)
    if end is None or record.state not in OPEN_ENDED | {State.CLOSED}:
        return None
    for event in record.events():
        data: dict[str, Any] = event["data"]
        later = event["type"] == events.FOLLOWED_UP and data["version"] > end.version
        if later and not _ASKS_NOTHING.intersection(data.get("flags", ())):
            return data
    return None


@dataclass(frozen=True, slots=True)
class Close:
    """The last step."""

    record: Record

    @property
    def name(self) -> str:
        return "close"

    @property
    def counter(self) -> str:
        return "closed"

    @property
    def subject(self) -> str:
        return "close"

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Nothing to wait for."""
        return Ended("closed")

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step | None:
        """None when the citizen said more meanwhile, or somebody closed it."""
        how = told(record)
        if record.state not in OPEN_ENDED or how is None or _said_since(record) is not None:
            return None
        operation = f"close:{record.version}"
        return make(record, StepName.CLOSE, CLOSING, runtime.now(), operation=operation, says={"reason": how})


@dataclass(frozen=True, slots=True)
class Reopen:
    """What the message of `version` makes of a ticket that had ended; `channel`: how it came."""

    record: Record
    version: int
    channel: str

    @property
    def name(self) -> str:
        return "reopen"

    @property
    def counter(self) -> str:
        return "reopened"

    @property
    def subject(self) -> str:
        return "reopen"

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Nothing to wait for."""
        return Ended("reopened")

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step | None:
        """Once for one message, whatever happened to the ticket since."""
        said = _said_since(record)
        if said is None:
            return None
        by = Actor(role=Role.CITIZEN, id=said["channel"])
        operation, says = f"reopen:{said['version']}", {"reason": "followed up"}
        return make(record, StepName.REOPEN, by, runtime.now(), operation=operation, says=says)
