"""The index of matters in Redis: a ticket joins it once, and finds the earlier ones that may be about the same.

May not score: it knows rare keys in common, nothing more. Bounded in time, in number, and in each bucket.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
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
POSITION: Final = 32
"""Bits of a position."""
_NONE: Final = np.zeros(0, np.int64)
_ENTRY: Final = np.dtype([("rest", ">u2"), ("position", ">u4")])
WIDE: Final = _ENTRY.itemsize


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

    @classmethod
    def packed(cls, number: int) -> Place:
        """Generation and position in one number; the later, the greater."""
        return cls(number >> POSITION, number & ((1 << POSITION) - 1))


@dataclass(frozen=True, slots=True)
class Found:
    """Earlier places, once each: what the words weigh that they share, and whether the citizen or a ticket number is
    the same."""

    places: NDArray[np.int64]
    weights: NDArray[np.float64]
    sure: NDArray[np.bool_]

    @classmethod
    def of(cls, places: NDArray[np.int64], weights: NDArray[np.float64]) -> Found:
        """From places, as often as they were found, with the weight of what they share; no weight is sure."""
        each, at = np.unique(places, return_inverse=True)
        unweighed = np.isnan(weights)
        sure = np.zeros(len(each), bool)
        sure[at[unweighed]] = True
        return cls(each, np.bincount(at, np.where(unweighed, 0.0, weights), len(each)).astype(np.float64), sure)

    def likeliest(self, count: int) -> list[Place]:
        """Half of them, if there are so many, by citizen and number; the rest by words, so that who writes every day is
        found beside the neighbours who wrote about the same. Of equal ones the newest."""
        order = np.lexsort((self.places, self.weights))[::-1]
        own, others = order[self.sure[order]], order[~self.sure[order]]
        own = own[: max(count // 2, count - len(others))]
        chosen = np.concatenate((own, others[: count - len(own)]))
        return [Place.packed(one) for one in self.places[chosen].tolist()]


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
        return await self._tickets(await self._common(dict(runs), sure, own, generations), count)

    async def join(self, ticket_id: str, under: Sequence[int], now: datetime) -> tuple[Place, list[int]] | None:
        """Where the ticket stands now, or stood before, and the generations there are; None: there is no such ticket.

        Raises:
            redis.RedisError: Redis is away.
        """
        answer = await cast(
            Awaitable[Any], self._add(keys=[keys.LINKING_GENERATIONS], args=self.arguments(ticket_id, under, now))
        )
        return None if answer is None else (Place.of(answer[0].decode()), [int(one) for one in answer[1]])

    def arguments(self, ticket_id: str, under: Sequence[int], now: datetime) -> list[str | bytes | int | float]:
        """What `index.lua` is told."""
        config = self.config
        grows = config.days * DAY / GENERATIONS
        arguments: list[str | bytes | int | float] = [
            ticket_id, _packed(ticket_id), now.timestamp(), round(grows), -(-config.tickets // GENERATIONS),
            GENERATIONS + 1, round(config.days * DAY), ENTRIES,
        ]  # fmt: skip
        for key in under:
            arguments += [_bucket(key), _rest(key).to_bytes(2)]
        return arguments

    async def _common(
        self, runs: Mapping[int, float], sure: Sequence[int], own: Place, generations: Sequence[int]
    ) -> Found:
        """Earlier tickets with what they share with this one."""
        asked = [*runs, *sure]
        fields = [_bucket(key) for key in asked]
        generations = [one for one in generations if one <= own.generation]
        async with self._client.pipeline(transaction=False) as pipe:
            for one in generations:
                pipe.hmget(keys.linking_buckets(one), fields)
            answers = await pipe.execute()
        rests = np.array([_rest(key) for key in asked], np.uint16)
        worth = np.array([*runs.values(), *(np.nan for _ in sure)], np.float64)
        places, weights = [_NONE], [np.zeros(0)]
        for generation, buckets in zip(generations, answers, strict=True):
            before = own.position if generation == own.generation else 1 << POSITION
            entries, which = _entries(buckets)
            fits = (entries["rest"] == rests[which]) & (entries["position"] < before)
            places.append(entries["position"][fits].astype(np.int64) + (generation << POSITION))
            weights.append(worth[which[fits]])
        return Found.of(np.concatenate(places), np.concatenate(weights))

    async def _tickets(self, found: Found, count: int) -> list[str]:
        likely = found.likeliest(count)
        if not likely:
            return []
        async with self._client.pipeline(transaction=False) as pipe:
            for at in likely:
                first = at.position * WIDTH
                pipe.getrange(keys.linking_tickets(at.generation), first, first + WIDTH - 1)
            answers = await pipe.execute()
        return [_unpacked(one) for one in answers if len(one) == WIDTH]


def _entries(buckets: Sequence[bytes | None]) -> tuple[NDArray[np.void], NDArray[np.intp]]:
    """What is in all of them, and which each was in."""
    held = [bucket or b"" for bucket in buckets]
    return np.frombuffer(b"".join(held), _ENTRY), np.repeat(np.arange(len(held)), [len(one) // WIDE for one in held])


def _bucket(key: int) -> bytes:
    return (key >> 16).to_bytes(2)


def _rest(key: int) -> int:
    return key & 0xFFFF


def _packed(ticket_id: str) -> bytes:
    """26 characters of base32 are 130 bits: two more make them whole bytes."""
    return base64.b32decode(ticket_id[1:].upper() + "AA====")


def _unpacked(packed: bytes) -> str:
    return "t" + base64.b32encode(packed).decode().lower()[:26]
