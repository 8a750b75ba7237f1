"""The errands of a ticket's units: who is reached by push gets each step that concerns it, in order, as it may see it.

May not wake a unit that fetches by itself (pull): its list shows the ticket already.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from normalizer import events
from normalizer.life import EVENT_TYPES, StepName
from workers import views
from workers.destinations.contract import Event, TryLater
from workers.errands import Ended, Errand, handed_over
from workers.life import Life
from workers.store import Record, Step

if TYPE_CHECKING:
    from workers.runtime import Runtime

PASSED: Final = "org.jiesu.unit.ticket.v1"
"""Type of what a unit is sent; the data is its view of the ticket, with the step that made us send it; of a ticket that
is not its any more, the number only."""
_TOLD: Final = {
    EVENT_TYPES[step]: step
    for step in (
        StepName.DISPATCH,
        StepName.UPHOLD,
        StepName.OVERRULE,
        StepName.ASK_HELP,
        StepName.HELP,
        StepName.REOPEN,
        StepName.CLOSE,
    )
} | {events.FOLLOWED_UP: "follow_up", events.UNIT_REFUSED: "refused"}


@dataclass(frozen=True, slots=True)
class Concern:
    """One event that some units must hear of: those that have the ticket after it, and those that had it before."""

    version: int
    type: str
    units: frozenset[str]


def concerns(record: Record) -> Iterator[Concern]:
    """Every event that units are told of, oldest first."""
    lead, others = "", frozenset[str]()
    for event in record.events():
        data = event["data"]
        before = others | ({lead} if lead else frozenset())
        match _TOLD.get(event["type"]):
            case StepName.DISPATCH | StepName.UPHOLD:
                lead, others = data["lead"], frozenset((*data.get("co", ()), *data.get("cc", ())))
            case StepName.ASK_HELP:
                others |= frozenset(data["co"])
            case StepName.REOPEN:
                lead, others = "", frozenset()
            case StepName.HELP:  # who leads must know; helpers whose programs answer every letter would never end
                yield Concern(data["version"], event["type"], frozenset({lead}))
                continue
            case "refused" if not data.get("told", True):
                continue
            case "refused":  # nobody else's business
                yield Concern(data["version"], event["type"], frozenset({data["unit"]}))
                continue
            case None:
                continue
        after = others | ({lead} if lead else frozenset())
        if concerned := before | after:
            yield Concern(data["version"], event["type"], concerned)


def outstanding(runtime: Runtime, record: Record) -> Iterator[Pass]:
    """One errand for each unit that is reached by push and has not heard of everything that concerns it."""
    if not runtime.units:
        return
    todo: dict[str, Concern] = {}
    for concern in concerns(record):
        for unit in sorted(concern.units & runtime.units.keys()):
            if concern.version > int(record.fields.get(f"passed:{unit}", 0)):
                todo.setdefault(unit, concern)
    for unit, concern in todo.items():
        if f"dead:unit:{unit}" not in record.fields:
            yield Pass(unit, concern, record)


@dataclass(frozen=True, slots=True)
class Pass:
    """One event to one unit."""

    unit: str
    concern: Concern
    record: Record

    @property
    def name(self) -> str:
        return f"unit:{self.unit}"

    @property
    def counter(self) -> str:
        return f"deliveries:{self.name}"

    @property
    def subject(self) -> str:
        return f"{self.record.ticket_id}.{self.concern.version}.{self.unit}"

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Hand it over."""
        return handed_over(await runtime.units[self.unit].deliver(self.event()))

    def event(self) -> Event:
        """A CloudEvent whose id is the same over every try. Who lost the ticket hears that, and nothing of it."""
        yours = self.unit in Life.of(self.record).units
        view = views.of_ticket(self.record, unit=self.unit, personal=True) if yours else {}
        id = self.record.ticket_id
        said = next(event for event in self.record.events() if event["data"]["version"] == self.concern.version)
        data: dict[str, Any] = {
            "unit": self.unit,
            "because": _TOLD[self.concern.type],
            "version": self.concern.version,
            "number": self.record.number,
            "yours": yours,
            **view,
        }
        if said["type"] == events.UNIT_REFUSED:
            data["refused"] = said["data"]["code"]
        document = {
            "specversion": "1.0",
            "type": PASSED,
            "source": self.record.source,
            "id": self.subject,
            "subject": id,
            "time": said["time"],
            "datacontenttype": "application/json",
            "data": data,
        }
        return Event(self.subject, PASSED, id, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step:
        """`delivered` or `delivery_failed`, with the unit as destination."""
        at = runtime.now()
        data = {"destination": self.name, "event_id": self.subject, "at": events.rfc3339(at)}
        done: dict[str, str | int] = {f"passed:{self.unit}": self.concern.version, f"tries:{self.name}": 0}
        if ended.reference is not None:  # by which a report that it did not arrive finds the unit
            done[f"sent:{ended.reference}"] = f"{self.name} {self.concern.version}"
        return Step(
            operation=f"gave_up:{self.name}:{record.version}" if ended.dead else self._passed(record),
            type=events.FAILED if ended.dead else events.DELIVERED,
            at=at,
            data=data | {"detail": ended.dead} if ended.dead else data,
            due=None if rest or self._goes_on(record) else "done",
            fields={f"dead:{self.name}": ended.dead} if ended.dead else done,
        )

    def _passed(self, record: Record) -> str:
        """What came back (workers/returned.py) is passed another time: that is another step."""
        again = record.fields.get(f"returned:{self.unit}")
        return f"passed:{self.unit}:{self.concern.version}" + (f":{again}" if again else "")

    def _goes_on(self, record: Record) -> bool:
        """Whether others wait behind it, of the ticket as it is now: one may have come while this one was passed."""
        return any(self.unit in one.units and one.version > self.concern.version for one in concerns(record))
