"""`jiesu:dead`: what could not be finished, with the reason; listed, and replayable once the reason is gone.

May not decide that something is dead: its callers do, after recorded failures.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from typing import Any, cast

from redis.asyncio import Redis

from workers import keys
from workers.destinations.brake import DISABLED


@dataclass(frozen=True, slots=True)
class DeadEntry:
    """One delivery, or one stream entry, that was given up. `at` is RFC 3339. Without personal data."""

    id: str
    kind: str
    ticket_id: str
    number: str
    destination: str
    event_id: str
    reason: str
    attempts: int
    at: str

    @property
    def document(self) -> str:
        """As the hash holds it, under the id."""
        return json.dumps(asdict(self), ensure_ascii=False)


class Dead:
    """The hash of dead entries."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def bury(self, entry: DeadEntry) -> None:
        """Keep an entry; the same id again replaces it."""
        await self._client.hset(keys.DEAD, entry.id, entry.document)

    async def list(self) -> list[DeadEntry]:
        """All, oldest first."""
        found = await cast(Awaitable[dict[bytes, bytes]], self._client.hgetall(keys.DEAD))
        return sorted((_entry(value) for value in found.values()), key=lambda entry: entry.at)

    async def get(self, id: str) -> DeadEntry | None:
        """One entry."""
        found = await cast(Awaitable[bytes | None], self._client.hget(keys.DEAD, id))
        return _entry(found) if found else None

    async def count(self) -> int:
        """How many there are."""
        return int(await self._client.hlen(keys.DEAD))

    async def replay(self, entry: DeadEntry, now: float) -> None:
        """A dead delivery becomes due now (unix seconds) with its attempts forgotten, and its destination, if it was
        disabled, may be called again; a dead stream entry was put right by the operator, so it is only struck off.
        A job at work may still see it as dead: `replays` tells its script not to end the turn by what it saw."""
        async with self._client.pipeline(transaction=True) as pipe:
            if entry.kind == "delivery":
                ticket = keys.ticket(entry.ticket_id)
                pipe.hdel(ticket, *(f"{fact}:{entry.destination}" for fact in ("dead", "tries", "next")))
                pipe.hincrby(ticket, "replays", 1)
                # The brake is the destination's: `alarm:wang:2` is the second alarm told to alarm:wang.
                pipe.delete(DISABLED + ":".join(entry.destination.split(":")[:2]))
                pipe.zadd(keys.DUE, {entry.ticket_id: now})
            pipe.hdel(keys.DEAD, entry.id)
            await pipe.execute()


def _entry(document: bytes) -> DeadEntry:
    fields: dict[str, Any] = json.loads(document)
    return DeadEntry(**fields)
