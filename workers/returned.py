"""A report that something we sent did not arrive: recorded at the ticket, under the operation that sent it.

May not judge a report: the channel proved that it is about something of ours. Repeating it changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast

import redis

from normalizer import events
from normalizer.life import State
from normalizer.ticket import Undelivered
from workers import keys
from workers.dead import DeadEntry
from workers.ending import ENDINGS
from workers.life import Life, moved
from workers.notices import RECEIPT
from workers.store import STEP_KEYS, Step

FAILED: Final = "failed"
UNIT: Final = "unit:"
"""How the name of a unit's errand begins (workers/passing.py): what stands under `sent:` then is no notice."""


class Returns:
    """Records reports. `domain`: the site's, for the event source. The client must have redis-py's retries off."""

    def __init__(self, client: redis.Redis, *, domain: str) -> None:
        self._client = client
        self._source = events.source(domain)
        self._step = client.register_script(keys.script("step"))

    def record(self, channel: str, report: Undelivered, at: datetime) -> str:
        """`done`, `repeated`, or `missing` when there is no such ticket, or it sent nothing of that reference.

        Raises:
            redis.RedisError: Redis is away; record the same report again.
        """
        found = cast("bytes | None", self._client.get(keys.number(report.number)))
        if found is None:
            return "missing"
        ticket_id = found.decode()
        while True:
            names = ("version", "state", f"sent:{report.reference}", "lead", "co", "cc")
            fields = cast("list[bytes | None]", self._client.hmget(keys.ticket(ticket_id), names))
            version, state, sent, lead, co, cc = (one.decode() if one else "" for one in fields)
            if not version or not sent:
                return "missing"
            if sent.startswith(UNIT):
                return self._failed_at_unit(ticket_id, sent, report, at)
            life = Life(State(state), lead or None, tuple(co.split()), tuple(cc.split()))
            made = _step(ticket_id, sent, channel, report, at, life=life, ended=self._ended(ticket_id))
            outcome = self._try(ticket_id, int(version), made)
            if outcome != "moved":
                return outcome

    def _failed_at_unit(self, ticket_id: str, sent: str, report: Undelivered, at: datetime) -> str:
        """What brought a unit its ticket: a failed delivery, listed among the dead before the ticket says so. Once for
        each sending; replayed, it is sent again, and may fail again."""
        destination, _, of = sent.partition(" ")
        unit = destination.removeprefix(UNIT)
        while True:
            names = ("version", f"passed:{unit}", f"dead:{destination}")
            version, passed, dead = cast("list[bytes | None]", self._client.hmget(keys.ticket(ticket_id), names))
            if dead or int(passed or 0) < int(of):
                return "repeated"
            entry = DeadEntry(
                id=f"{ticket_id}:{destination}",
                kind="delivery",
                ticket_id=ticket_id,
                number=report.number,
                destination=destination,
                event_id=f"{ticket_id}.{of}.{unit}",
                reason=report.reason,
                attempts=1,
                at=events.rfc3339(at),
            )
            self._client.hset(keys.DEAD, entry.id, entry.document)
            made = _given_up(entry, report.reference, int(version or 0), int(of), at)
            outcome = self._try(ticket_id, int(version or 0), made)
            if outcome != "moved":
                return outcome

    def _ended(self, ticket_id: str) -> Mapping[str, str]:
        """The state that each step that answered the citizen led to, by the name of its notice."""
        steps = map(json.loads, cast("list[bytes]", self._client.lrange(keys.steps(ticket_id), 0, -1)))
        return {
            f"{ENDINGS[step['type']]}:{step['data']['version']}": step["data"]["state"]
            for step in steps
            if step["type"] in ENDINGS
        }

    def _try(self, ticket_id: str, version: int, step: Step) -> str:
        arguments = step.arguments(ticket_id, version, source=self._source)
        answer = cast("list[Any]", self._step(keys=STEP_KEYS, args=arguments))
        return cast(bytes, answer[0]).decode()


def _step(
    ticket_id: str, sent: str, channel: str, report: Undelivered, at: datetime, *, life: Life, ended: Mapping[str, str]
) -> Step:
    """`notified`: it failed after all. The receipt has no other address. A notice is owed again, from its next address
    on; if it was the one that let the last step close the ticket, that is taken back."""
    operation, _, index = sent.partition(" ")
    data = {
        "operation": operation,
        "channel": channel,
        "outcome": FAILED,
        "reason": report.reason,
        "reference": report.reference,
        "at": events.rfc3339(at),
    }
    if operation == RECEIPT:
        return Step(f"returned:{report.reference}", events.NOTIFIED, at, data, fields={f"reply:{operation}": FAILED})
    last = list(ended)[-1] if ended else None
    state = ended[operation] if life.state is State.CLOSED and operation == last else ""
    return Step(
        operation=f"returned:{report.reference}",
        type=events.NOTIFIED,
        at=at,
        data=data | ({"state": state} if state else {}),
        state=state,
        due=at.timestamp(),
        fields={
            f"reply:{operation}": "",
            f"try:{operation}": int(index or 0) + 1,
            f"tries:reply:{operation}": 0,
            f"next:reply:{operation}": 0,
        },
        indexes=moved(ticket_id, life, replace(life, state=State(state)), at) if state else (),
    )


def _given_up(entry: DeadEntry, reference: str, version: int, of: int, at: datetime) -> Step:
    """`delivery_failed`; the unit has not heard of it, nor of what came after."""
    unit = entry.destination.removeprefix(UNIT)
    return Step(
        operation=f"returned:{reference}:{version}",
        type=events.FAILED,
        at=at,
        data={
            "destination": entry.destination,
            "event_id": entry.event_id,
            "at": entry.at,
            "detail": entry.reason,
        },
        fields={f"dead:{entry.destination}": entry.reason, f"passed:{unit}": of - 1, f"returned:{unit}": version},
    )
