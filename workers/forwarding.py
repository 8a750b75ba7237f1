"""The errands of a ticket's destinations: every event a destination has not had yet, in order.

May not choose destinations, and may not change a document: events are delivered as they stand on the stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from normalizer import events
from workers.destinations.contract import Event, TryLater
from workers.errands import Ended, Errand, handed_over
from workers.store import Record, Step

if TYPE_CHECKING:
    from workers.runtime import Runtime

DELIVERED: Final = "delivered"
UNDELIVERED: Final = "undelivered"


def outstanding(runtime: Runtime, record: Record) -> Iterator[Forward]:
    """One errand for each destination that lacks an event and was not given up."""
    for name in runtime.destinations:
        had = int(record.fields.get(f"delivered:{name}", 0))  # 0 = not even the accepted one
        if f"dead:{name}" not in record.fields and had < _latest(record):
            version, event = next((v, event) for v, event in outgoing(record, record.source) if v > had)
            yield Forward(name, version, event)


def _latest(record: Record) -> int:
    """The version of the newest event that goes to destinations."""
    return int(record.fields.get("message", 1))


def outgoing(record: Record, source: str) -> Iterator[tuple[int, Event]]:
    """What goes to destinations, with the versions: the accepted ticket, then every message of the same matter."""
    ticket = json.loads(record.doc)
    id = ticket["ticket_id"]
    head = events.opening(type=events.ACCEPTED, source=source, time=events.moment(ticket["received_at"]))
    document = head + b',"id":"%s.accepted","subject":"%s","data":' % (id.encode(), id.encode()) + record.doc + b"}"
    yield 1, Event(f"{id}.accepted", events.ACCEPTED, id, document)
    for step, document in zip(record.events(), record.steps, strict=True):
        if step["type"] == events.FOLLOWED_UP:
            yield step["data"]["version"], Event(step["id"], step["type"], id, document)


@dataclass(frozen=True, slots=True)
class Forward:
    """One event to one destination; `version`: the ticket's after that event."""

    name: str
    version: int
    event: Event

    @property
    def counter(self) -> str:
        return f"deliveries:{self.name}"

    @property
    def subject(self) -> str:
        return self.event.id

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Hand the event over."""
        return handed_over(await runtime.destinations[self.name].deliver(self.event))

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step:
        """`delivered`, or `delivery_failed` when it was given up. The last one says how it went with all
        of them."""
        at = runtime.now()
        goes_on = ended.dead is None and self.version < _latest(record)
        others = goes_on or any(isinstance(errand, Forward) for errand in rest)
        buried = ended.dead is not None or any(f"dead:{name}" in record.fields for name in runtime.destinations)
        data = {"destination": self.name, "event_id": self.event.id, "at": events.rfc3339(at)}
        fields: dict[str, str | int] = {f"delivered:{self.name}": self.version, f"tries:{self.name}": 0}
        if ended.dead is not None:
            fields = {f"dead:{self.name}": ended.dead}
        return Step(
            # Given up again after a replay is another step; delivered again is not.
            operation=f"gave_up:{self.name}:{record.version}"
            if ended.dead
            else f"delivered:{self.name}:{self.version}",
            type=events.FAILED if ended.dead else events.DELIVERED,
            at=at,
            data=data | {"detail": ended.dead} if ended.dead else data,
            due=None if goes_on or rest else "done",
            fields=(fields | {"forwarded": UNDELIVERED if buried else DELIVERED}) if not others else fields,
        )
