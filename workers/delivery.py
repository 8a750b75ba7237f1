"""One ticket's deliveries: every event a destination has not had yet, in order, each outcome recorded by a step.

May not read a clock or choose destinations: the runtime has both. Delivers at least once, under stable event ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import structlog

from normalizer import events
from workers.dead import DeadEntry
from workers.destinations.contract import Delivered, Disabled, Event, Outcome, Refused, TryLater
from workers.destinations.schedule import delay
from workers.runtime import Runtime
from workers.store import Record, Step

log = structlog.get_logger()

DELIVERED: Final = "delivered"
UNDELIVERED: Final = "undelivered"
TRIED_ENOUGH: Final = "attempts exhausted"


async def deliver(runtime: Runtime, ticket_id: str) -> str:
    """Deliver what is outstanding of a ticket; returns one word on how it went, for the job's result.

    Raises:
        redis.RedisError: Redis is away; the schedule brings the ticket back.
    """
    token = await runtime.store.claim(ticket_id, runtime.lease)
    if token is None:
        return "claimed"
    try:
        return await _settle(runtime, ticket_id, token)
    finally:
        await runtime.store.release(ticket_id, token)


async def _settle(runtime: Runtime, ticket_id: str, token: str) -> str:
    """Destination after destination, one that must wait holds up no other; each event is recorded before the next is
    sent, so that a job cut short repeats one at most; starts anew when a follow-up moved the ticket meanwhile."""
    later: dict[str, float] = {}
    while True:
        record = await runtime.store.load(ticket_id)
        if record is None or not record.complete:
            return "missing"
        waiting = _waiting(runtime, record) | later
        name = next((name for name in _outstanding(runtime, record) if name not in waiting), None)
        if name is None and not waiting:
            await runtime.store.settle(ticket_id, record.version)
            return "settled"
        if name is None:
            if await runtime.store.put_off(ticket_id, min(waiting.values()), record.version):
                return "later"
            continue
        version, event = _next(record, name)
        outcome = await runtime.destinations[name].deliver(event)
        await runtime.store.count(f"deliveries:{name}:{_word(outcome)}")
        match outcome:
            case Delivered():
                result = await runtime.store.step(
                    ticket_id, record.version, _delivered(runtime, record, name, version, event), token=token
                )
            case TryLater() if not _exhausted(runtime, record, name, outcome):
                later[name] = await _put_off(runtime, record, name, outcome)
                continue
            case _:
                result = await _give_up(runtime, record, name, event, outcome, token)
        if result[0] == "lost":
            return "lost"


def _outstanding(runtime: Runtime, record: Record) -> Iterator[str]:
    """Destinations that lack an event and were not given up."""
    for name in runtime.destinations:
        if f"dead:{name}" not in record.fields and _had(record, name) < _latest(record):
            yield name


def _waiting(runtime: Runtime, record: Record) -> dict[str, float]:
    """Destinations that lack an event and may not be tried before a moment to come (unix seconds)."""
    moments = {name: float(record.fields.get(f"next:{name}", 0)) for name in _outstanding(runtime, record)}
    now = runtime.now().timestamp()
    return {name: moment for name, moment in moments.items() if moment > now}


def _had(record: Record, name: str) -> int:
    """The version of the last event a destination has: 0 = not even the accepted one."""
    return int(record.fields.get(f"delivered:{name}", 0))


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


def _next(record: Record, name: str) -> tuple[int, Event]:
    """The first event that the destination lacks, with its version; there is one while it is outstanding."""
    had = _had(record, name)
    return next((version, event) for version, event in outgoing(record, record.source) if version > had)


def _delivered(runtime: Runtime, record: Record, name: str, version: int, event: Event) -> Step:
    others = [other for other in _outstanding(runtime, record) if other != name or version < _latest(record)]
    buried = any(field.startswith("dead:") for field in record.fields)
    return Step(
        operation=f"delivered:{name}:{version}",
        type=events.DELIVERED,
        at=runtime.now(),
        data={"destination": name, "event_id": event.id, "at": events.rfc3339(runtime.now())},
        state="" if others else UNDELIVERED if buried else DELIVERED,
        due=None if others else "done",
        fields={f"delivered:{name}": version, f"tries:{name}": 0},
    )


def _tries(record: Record, name: str) -> int:
    return int(record.fields.get(f"tries:{name}", 0))


def _exhausted(runtime: Runtime, record: Record, name: str, outcome: TryLater) -> bool:
    if not outcome.tried:
        return False
    tries = _tries(record, name) + 1
    return tries >= runtime.max_attempts or delay(tries, jitter=0.0) is None


async def _put_off(runtime: Runtime, record: Record, name: str, outcome: TryLater) -> float:
    """When this destination is tried again (unix seconds): the later of what the receiver asked for and what the
    schedule says; a receiver that was not even called used up no attempt."""
    tries = _tries(record, name) + (1 if outcome.tried else 0)
    scheduled = delay(tries, jitter=runtime.jitter()) if outcome.tried else None
    wait = max(scheduled or 0.0, outcome.after or 0.0)
    until = runtime.now().timestamp() + wait
    log.info("delivery_put_off", ticket_id=record.ticket_id, destination=name, reason=outcome.reason, seconds=wait)
    await runtime.store.note(record.ticket_id, {f"tries:{name}": tries, f"next:{name}": str(until)})
    return until


async def _give_up(
    runtime: Runtime, record: Record, name: str, event: Event, outcome: Outcome, token: str
) -> tuple[str, int]:
    reason = outcome.reason if isinstance(outcome, Refused | Disabled) else TRIED_ENOUGH
    at = events.rfc3339(runtime.now())
    log.error("delivery_given_up", ticket_id=record.ticket_id, destination=name, reason=reason)
    await runtime.dead.bury(
        DeadEntry(
            id=f"{record.ticket_id}:{name}",
            kind="delivery",
            ticket_id=record.ticket_id,
            number=record.number,
            destination=name,
            event_id=event.id,
            reason=reason,
            attempts=_tries(record, name) + 1,
            at=at,
        )
    )
    others = [other for other in _outstanding(runtime, record) if other != name]
    step = Step(
        operation=f"gave_up:{name}:{record.version}",
        type=events.FAILED,
        at=runtime.now(),
        data={"destination": name, "event_id": event.id, "at": at, "detail": reason},
        state="" if others else UNDELIVERED,
        due=None if others else "done",
        fields={f"dead:{name}": reason},
    )
    return await runtime.store.step(record.ticket_id, record.version, step, token=token)


def _word(outcome: Outcome) -> str:
    """The outcome as a metric label."""
    match outcome:
        case Delivered(repeat=True):
            return "repeat"
        case Delivered():
            return "delivered"
        case TryLater():
            return "later"
        case Refused():
            return "refused"
        case Disabled():
            return "disabled"
