"""Lists of what waits for people (triage, objections, calls, each unit's own), with leases: nobody holds what is held.

May not say what is done with an entry. An entry joins and leaves its list in the step that moves the ticket.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, cast

from redis.asyncio import Redis

from workers import keys


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: since when it waits (unix seconds), who holds it and until when, if anybody does."""

    id: str
    since: float
    holder: str | None = None
    until: float | None = None


class WaitingList:
    """The list `name`, or only the `portions` of it: lists of their own, which share no entry but the list's leases.

    Every call raises redis.RedisError when Redis is away.
    """

    def __init__(self, client: Redis, name: str, portions: Sequence[str] | None = None) -> None:
        self._client = client
        self._list, self._leases = keys.waiting(name), keys.leases(name)
        self._lists = [keys.waiting(one) for one in ((name,) if portions is None else dict.fromkeys(portions))]
        self._lease = client.register_script(keys.script("lease"))
        self._page = client.register_script(keys.script("page"))

    async def lease(
        self, holder: str, now: datetime, *, seconds: float, count: int = 1, only: Sequence[str] = ()
    ) -> list[str]:
        """Up to `count` entries for `holder`, the oldest first, of `only` if given; those it holds already are kept
        for it anew. A lease ends by itself after `seconds`."""
        until = now + timedelta(seconds=seconds)
        arguments: list[str | float] = [holder, now.timestamp(), until.timestamp(), count, *only]
        names = [self._leases, self._list, *self._lists]
        found = await cast(Awaitable[list[bytes]], self._lease(keys=names, args=arguments))
        return [entry.decode() for entry in found]

    async def holder(self, entry: str, now: datetime) -> str | None:
        """Who holds it now."""
        held = await cast("Awaitable[bytes | None]", self._client.hget(self._leases, entry))
        name, until = _held(held)
        return name if until is not None and until > now.timestamp() else None

    async def give_back(self, entry: str) -> None:
        """End a lease: it is done, or somebody else shall have it."""
        await cast(Awaitable[Any], self._client.hdel(self._leases, entry))

    async def entries(self, now: datetime, *, start: int = 0, count: int = 100) -> list[Entry]:
        """A page of the list, the oldest first."""
        skip, *each = await cast(Awaitable[list[Any]], self._page(keys=self._lists, args=[start, count]))
        of_all = ((id, float(since)) for rows in each for id, since in zip(rows[::2], rows[1::2], strict=True))
        rows = sorted(of_all, key=itemgetter(1))[skip : skip + count]
        if not rows:
            return []
        held = await cast(Awaitable[list[Any]], self._client.hmget(self._leases, [id for id, _ in rows]))
        found = []
        for (id, since), lease in zip(rows, held, strict=True):
            holder, until = _held(lease)
            alive = until is not None and until > now.timestamp()
            found.append(Entry(id.decode(), since, holder if alive else None, until if alive else None))
        return found

    async def count(self) -> int:
        """How many wait."""
        async with self._client.pipeline(transaction=True) as pipe:
            for name in self._lists:
                pipe.zcard(name)
            return sum(await pipe.execute())


def _held(lease: bytes | None) -> tuple[str | None, float | None]:
    if lease is None:
        return None, None
    until, _, holder = lease.decode().partition(" ")
    return holder, float(until)
