"""The list of alarms that nobody has in hand yet, for people: why each was raised, and who was told of the last.

May not raise an alarm or tell anybody: workers/warning.py does. Without personal data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from normalizer.events import ALARMED
from normalizer.life import Actor
from workers import keys, waiting_rows
from workers.lifecycle import Illegal
from workers.store import Record, Store
from workers.waiting import Entry, WaitingList
from workers.waiting_rows import Page
from workers.warning import acknowledge, in_hand, reasons_of

_TOLD: Final = ("person", "level", "outcome", "at", "reason")


@dataclass(frozen=True, slots=True)
class InHand:
    """Whose an alarm is now. `by`: role and name of who acknowledged it first; `repeated`: that was done before."""

    number: str
    by: str
    repeated: bool


async def page(store: Store, now: datetime, *, start: int, count: int) -> Page:
    """Alarms that nobody acknowledged, the oldest first. Raises redis.RedisError: Redis is away."""
    return await waiting_rows.page(
        store, WaitingList(store.client, keys.ALARMS), now, start=start, count=count, row=_row
    )


async def take(store: Store, number: str, by: Actor, at: datetime) -> InHand:
    """`by` has the last alarm of this ticket in hand: nobody else is told. Saying so again is harmless.

    Raises:
        Illegal: `missing`: there is no such ticket; `no_alarm`: none was raised for it.
        redis.RedisError: Redis is away; the same call again is harmless.
    """
    found = await store.find(number)
    if found is None or not found.complete:
        raise Illegal("missing", "There is no such ticket.")
    if "alarm" not in found.fields:
        raise Illegal("no_alarm", "No alarm was raised for this ticket.")
    first = await acknowledge(store, found.ticket_id, by, at)
    now = await store.load(found.ticket_id)
    assert now is not None
    holder = f"{by.role}:{by.id}" if first else in_hand(now) or in_hand(found) or ""
    return InHand(now.number, holder, repeated=not first)


def _row(record: Record, entry: Entry) -> dict[str, Any]:
    alarms = [event["data"] for event in record.events() if event["type"] == ALARMED]
    last = max((at for at, data in enumerate(alarms) if "person" not in data), default=-1)
    return {
        "number": record.number,
        "state": record.state,
        "tier": record.ticket().urgency.tier,
        "reasons": reasons_of(record),
        "since": datetime.fromtimestamp(entry.since, UTC).isoformat(),
        "told": [{name: data.get(name) for name in _TOLD} for data in alarms[last + 1 :]],
    }
