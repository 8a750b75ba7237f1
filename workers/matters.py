"""The index of matters in Redis: a ticket joins it once, and finds the earlier ones that may be about the same.

May not score: it knows rare keys in common, nothing more. Bounded in time, in number, and in each bucket.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import numpy as np
from redis.asyncio import Redis

from normalizer.matter import keys as of
from normalizer.matter.reading import Matter
from normalizer.ticket import Ticket
from workers import keys
from workers.linking_config import LinkingConfig

GENERATIONS: Final = 6
"""Parts of the span that is remembered; one more is growing."""
BUCKETS: Final = 1 << 15
ENTRIES: Final = 256
"""In a bucket of a generation: what very many share finds the newest only."""
DAY: Final = 86400
WIDTH: Final = 17
"""Bytes of a ticket id."""
SURE: Final = 60.0
"""What the same citizen, or a ticket number in common, counts beside the weights of runs (at most 15)."""
_ENTRY: Final = np.dtype([("rest", ">u2"), ("position", ">u4")])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ticket stands: everything before it is earlier."""

    generation: int
    position: int

    @classmethod
    def of(cls, text: str) -> Place:
        """As the script writes it."""
        generation, _, position = text.partition(":")
        return cls(int(generation), int(position))


class Matters:
    """`config`: which tickets are remembered. A ticket that comes again finds the same earlier ones."""

    def __init__(self, client: Redis, config: LinkingConfig) -> None:
        self._client = client
        self.config = config
        self._add = client.register_script(keys.script("index"))

    async def earlier(self, ticket: Ticket, matter: Matter, now: datetime, count: int) -> list[str]:
        """Put the ticket into the index; the ids of `count` earlier tickets that may be about the same, likeliest
        first.

        Raises:
            redis.RedisError: Redis is away.
        """
        sure = [of.hashed(one) for one in sorted((*of.of_citizen(ticket), *of.of_numbers(matter, ticket.number)))]
        runs = of.of_runs(matter, of.ASKED)
        kept = [key for key, _ in of.of_runs(matter, of.KEPT)]
        found = await self.join(ticket.ticket_id, [*sure, *kept], now)
        if found is None:
            return []
        own, generations = found
        asked = {**dict(runs), **dict.fromkeys(sure, SURE)}
        return await self._tickets(await self._common(asked, own, generations), count)

    async def join(self, ticket_id: str, under: Sequence[int], now: datetime) -> tuple[Place, list[int]] | None:
        """Where the ticket stands now, or stood before, and the generations there are; None: there is no such ticket.

        Raises:
            redis.RedisError: Redis is away.
        """
        config = self.config
        grows = config.days * DAY / GENERATIONS
        arguments: list[str | bytes | int | float] = [
            ticket_id, _packed(ticket_id), now.timestamp(), round(grows), -(-config.tickets // GENERATIONS),
            GENERATIONS + 1, round(config.days * DAY), ENTRIES,
        ]  # fmt: skip
        for key in under:
            arguments += [_bucket(key), _rest(key).to_bytes(2)]
        answer = await cast(Awaitable[Any], self._add(keys=[keys.LINKING_GENERATIONS], args=arguments))
        return None if answer is None else (Place.of(answer[0].decode()), [int(one) for one in answer[1]])

    async def _common(self, asked: dict[int, float], own: Place, generations: Sequence[int]) -> Mapping[Place, float]:
        """Earlier tickets with the weight of the keys they share with this one."""
        fields = [_bucket(key) for key in asked]
        generations = [one for one in generations if one <= own.generation]
        async with self._client.pipeline(transaction=False) as pipe:
            for one in generations:
                pipe.hmget(keys.linking_buckets(one), fields)
            answers = await pipe.execute()
        found: dict[Place, float] = defaultdict(float)
        for generation, buckets in zip(generations, answers, strict=True):
            for (key, weight), bucket in zip(asked.items(), buckets, strict=True):
                if bucket is None:
                    continue
                entries = np.frombuffer(bucket, _ENTRY)
                for position in set(entries["position"][entries["rest"] == _rest(key)].tolist()):
                    if generation < own.generation or position < own.position:
                        found[Place(generation, position)] += weight
        return found

    async def _tickets(self, found: Mapping[Place, float], count: int) -> list[str]:
        likely = sorted(found, key=lambda at: (-found[at], -at.generation, -at.position))[:count]
        if not likely:
            return []
        async with self._client.pipeline(transaction=False) as pipe:
            for at in likely:
                first = at.position * WIDTH
                pipe.getrange(keys.linking_tickets(at.generation), first, first + WIDTH - 1)
            answers = await pipe.execute()
        return [_unpacked(one) for one in answers if len(one) == WIDTH]


def _bucket(key: int) -> bytes:
    return (key >> 16).to_bytes(2)


def _rest(key: int) -> int:
    return key & 0xFFFF


def _packed(ticket_id: str) -> bytes:
    """26 characters of base32 are 130 bits: two more make them whole bytes."""
    return base64.b32decode(ticket_id[1:].upper() + "AA====")


def _unpacked(packed: bytes) -> str:
    return "t" + base64.b32encode(packed).decode().lower()[:26]
