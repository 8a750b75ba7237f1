"""A ticket's turn: every outstanding errand is tried, each outcome recorded by a step, what must wait put off.

May not read a clock or choose errands: the runtime has the one, forwarding and replies know the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from normalizer import events
from workers import closing, forwarding, linking, passing, replies, routing, warning
from workers.dead import DeadEntry
from workers.destinations.contract import TryLater
from workers.destinations.schedule import delay
from workers.errands import Ended, Errand, GivesUp, tries, waiting
from workers.runtime import Runtime
from workers.store import Record

log = structlog.get_logger()

TRIED_ENOUGH: Final = "attempts exhausted"
STARTS_UNTIL: Final = 0.5
"""Share of the lease after which a job begins no errand: what it began has the rest of its time."""


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


async def warn(runtime: Runtime, ticket_id: str) -> str:
    """Tell people on duty of a ticket, and nothing else: on a lane of its own, so that no destination that hangs comes
    before them. `deliver` tries again what failed, and does what is left.

    Raises:
        redis.RedisError: Redis is away.
    """
    token = await runtime.store.claim(ticket_id, runtime.lease)
    if token is None:
        return "claimed"
    tried: set[str] = set()
    try:
        while True:
            record = await runtime.store.load(ticket_id)
            if record is None or not record.complete:
                return "missing"
            errands = list(warning.outstanding(runtime, record))
            not_yet = {*tried, *waiting(record, errands, runtime.now().timestamp())}
            errand = next((errand for errand in errands if errand.name not in not_yet), None)
            if errand is None:
                return "told"
            tried.add(errand.name)
            if await _try(runtime, record, errand, token) == "lost":
                return "lost"
    finally:
        await runtime.store.release(ticket_id, token)
        # The delivery's job came at the same time, found the ticket claimed, and would come again only after a lease.
        await runtime.store.hurry(ticket_id, runtime.now().timestamp())


async def _settle(runtime: Runtime, ticket_id: str, token: str) -> str:
    """Errand after errand, one that must wait holds up no other; each is recorded before the next is tried, so that a
    job cut short repeats one at most. What half of the lease is too short for is another job's, at once."""
    later: dict[str, float] = {}
    enough = runtime.clock() + STARTS_UNTIL * runtime.lease
    while True:
        record = await runtime.store.load(ticket_id)
        if record is None or not record.complete:
            return "missing"
        errands = _outstanding(runtime, record)
        not_yet = {**waiting(record, errands, runtime.now().timestamp()), **later}
        errand = next((errand for errand in errands if errand.name not in not_yet), None)
        if errand is None and not not_yet:
            if await runtime.store.settle(record):
                return "settled"
            continue
        if errand is None:
            if await runtime.store.put_off(record, min(not_yet.values())):
                return "later"
            continue
        if runtime.clock() >= enough:
            await runtime.store.hurry(ticket_id, runtime.now().timestamp())
            return "later"
        word = await _try(runtime, record, errand, token)
        if isinstance(word, float):
            later[errand.name] = word
        elif word in ("lost", "settled"):
            return word


async def _try(runtime: Runtime, record: Record, errand: Errand, token: str) -> str | float:
    """Run one errand and record its end; one word on that, or when it is tried again (unix seconds)."""
    outcome = await errand.run(runtime)
    if isinstance(outcome, TryLater):
        await runtime.store.count(f"{errand.counter}:later")
        if not _exhausted(runtime, record, errand, outcome):
            return await _put_off(runtime, record, errand, outcome)
        outcome = _given_up(errand, outcome)
    if outcome.dead is not None:
        await _bury(runtime, record, errand, outcome.dead)
    return await _note(runtime, record, errand, outcome, token)


def _outstanding(runtime: Runtime, record: Record) -> list[Errand]:
    return [
        *warning.outstanding(runtime, record),
        *linking.outstanding(runtime, record),
        *routing.outstanding(runtime, record),
        *forwarding.outstanding(runtime, record),
        *passing.outstanding(runtime, record),
        *replies.outstanding(runtime, record),
        *closing.outstanding(runtime, record),
    ]


async def _note(runtime: Runtime, record: Record | None, errand: Errand, outcome: Ended, token: str) -> str:
    """Record the end of an errand, at whatever version the ticket has come to meanwhile: it is done, and must not be
    done again because a follow-up arrived. `settled`: it was the last one, and took the ticket off the schedule."""
    while record is not None:
        rest = [other for other in _outstanding(runtime, record) if other.name != errand.name]
        step = errand.step(runtime, outcome, record, rest)
        if step is None:
            return "repeated"
        step = replace(step, counter=f"{errand.counter}:{outcome.word}")
        word, _ = await runtime.store.step(record.ticket_id, record.version, step, token=token, replays=record.replays)
        if word != "moved":
            return "settled" if word == "done" and step.due == "done" else word
        record = await runtime.store.load(record.ticket_id)
    return "missing"


def _given_up(errand: Errand, later: TryLater) -> Ended:
    if isinstance(errand, GivesUp):
        return errand.given_up(later, TRIED_ENOUGH)
    return Ended("failed", reason=TRIED_ENOUGH, dead=TRIED_ENOUGH)


def _exhausted(runtime: Runtime, record: Record, errand: Errand, outcome: TryLater) -> bool:
    if not outcome.tried:
        return False
    count = tries(record, errand.name) + 1
    return count >= runtime.max_attempts or delay(count, jitter=0.0) is None


async def _put_off(runtime: Runtime, record: Record, errand: Errand, outcome: TryLater) -> float:
    """When this errand is tried again (unix seconds): the later of what the receiver asked for and what the schedule
    says; a receiver that was not even called used up no attempt."""
    count = tries(record, errand.name) + (1 if outcome.tried else 0)
    scheduled = delay(count, jitter=runtime.jitter()) if outcome.tried else None
    wait = max(scheduled or 0.0, outcome.after or 0.0)
    until = runtime.now().timestamp() + wait
    log.info(
        "delivery_put_off", ticket_id=record.ticket_id, destination=errand.name, reason=outcome.reason, seconds=wait
    )
    await runtime.store.note(record.ticket_id, {f"tries:{errand.name}": count, f"next:{errand.name}": str(until)})
    return until


async def _bury(runtime: Runtime, record: Record, errand: Errand, reason: str) -> None:
    log.error("delivery_given_up", ticket_id=record.ticket_id, destination=errand.name, reason=reason)
    await runtime.dead.bury(
        DeadEntry(
            id=f"{record.ticket_id}:{errand.name}",
            kind="delivery",
            ticket_id=record.ticket_id,
            number=record.number,
            destination=errand.name,
            event_id=errand.subject,
            reason=reason,
            attempts=tries(record, errand.name) + 1,
            at=events.rfc3339(runtime.now()),
        )
    )
