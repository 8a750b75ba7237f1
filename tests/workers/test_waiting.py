"""Waiting lists and their portions: pages that miss and repeat nothing, leases that nobody else gets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workers.turns import NOW, client
from workers import keys
from workers.connect import connect_async
from workers.waiting import WaitingList

__all__ = ["client"]

OWN = "crowd"
PORTIONS = ("crowd:a", "crowd:b", "crowd:c")
LAW = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
PLACES = st.lists(
    st.tuples(st.sampled_from(PORTIONS), st.integers(0, 9)), max_size=30
)  # several at one moment, and portions with nothing in them
CHOSEN = st.lists(st.sampled_from(PORTIONS), max_size=4)  # one may be named twice
ENTRY = st.integers(0, 29).map("e{:02}".format)
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("lease"), st.sampled_from("xyz"), CHOSEN, st.integers(1, 6), st.integers(0, 20)),
        st.tuples(st.just("hold"), st.sampled_from("xyz"), CHOSEN, st.lists(ENTRY, min_size=1, max_size=4)),
        st.tuples(st.just("give_back"), ENTRY),
        st.tuples(st.just("move"), ENTRY, st.sampled_from([*PORTIONS, ""])),
        st.tuples(st.just("advance"), st.integers(1, 15)),
    ),
    max_size=25,
)


@dataclass
class Crowd:
    """A list in three portions on the server, and what should be on it."""

    client: Any
    places: dict[str, tuple[str, int]]
    held: dict[str, tuple[float, str]] = field(default_factory=dict)
    seconds: int = 0

    @property
    def now(self) -> float:
        return NOW.timestamp() + self.seconds

    def of(self, portions: list[str] | None) -> WaitingList:
        return WaitingList(self.client, OWN, portions)

    def oldest(self, portions: list[str]) -> list[str]:
        """Everything in these portions; of one moment, in the order in which they are named."""
        order = list(dict.fromkeys(portions))
        there = [(since, order.index(name), entry) for entry, (name, since) in self.places.items() if name in order]
        return [entry for _, _, entry in sorted(there)]

    def free(self, entry: str, holder: str) -> bool:
        until, who = self.held.get(entry, (0.0, ""))
        return until <= self.now or who == holder

    async def settle(self) -> None:
        async with self.client.pipeline() as pipe:
            for entry, (name, since) in self.places.items():
                pipe.zadd(keys.waiting(OWN), {entry: since})
                pipe.zadd(keys.waiting(name), {entry: since})
            await pipe.execute()

    async def lease(self, holder: str, portions: list[str], count: int, seconds: int) -> None:
        due = [entry for entry in self.oldest(portions) if self.free(entry, holder)][:count]
        found = await self.of(portions).lease(holder, self._time(), seconds=seconds, count=count)
        assert found == due, "the oldest of these portions that nobody else holds"
        self.held |= dict.fromkeys(due, (self.now + seconds, holder))

    async def hold(self, holder: str, portions: list[str], wanted: list[str]) -> None:
        there = set(self.oldest(portions))
        due = [entry for entry in wanted if entry in there and self.free(entry, holder)]
        assert await self.of(portions).lease(holder, self._time(), seconds=9, count=9, only=wanted) == due
        self.held |= dict.fromkeys(due, (self.now + 9, holder))

    async def give_back(self, entry: str) -> None:
        await self.of(None).give_back(entry)
        self.held.pop(entry, None)

    async def move(self, entry: str, name: str) -> None:
        """As a step does it: it keeps its place, and stays leased while it is on the list at all."""
        if entry not in self.places:
            return
        was, since = self.places.pop(entry)
        async with self.client.pipeline() as pipe:
            pipe.zrem(keys.waiting(was), entry)
            if name:
                self.places[entry] = name, since
                pipe.zadd(keys.waiting(name), {entry: since})
            else:
                pipe.zrem(keys.waiting(OWN), entry)
            await pipe.execute()

    async def advance(self, seconds: int) -> None:
        self.seconds += seconds

    async def holds(self) -> None:
        """The whole list shows every entry once, with who holds it."""
        rows = await self.of(None).entries(self._time(), count=100)
        assert {row.id: row.since for row in rows} == {entry: since for entry, (_, since) in self.places.items()}
        for row in rows:
            until, holder = self.held.get(row.id, (0.0, ""))
            assert row.holder == (holder if until > self.now else None)

    def _time(self) -> Any:
        return NOW + timedelta(seconds=self.seconds)


def crowded(places: list[tuple[str, int]]) -> dict[str, tuple[str, int]]:
    return {f"e{n:02}": place for n, place in enumerate(places)}


def in_a_crowd(valkey, places: list[tuple[str, int]], work: Callable[[Crowd], Awaitable[None]]) -> None:
    valkey.client().flushall()

    async def run() -> None:
        async with connect_async(valkey.config, valkey.directory) as redis:
            crowd = Crowd(redis, crowded(places))
            await crowd.settle()
            await work(crowd)

    asyncio.run(run())


@LAW
@given(places=PLACES, deeds=DEEDS)
def test_law_a_lease_gives_the_oldest_of_the_portions_that_nobody_else_holds(valkey, places, deeds):
    async def work(crowd: Crowd) -> None:
        for name, *words in deeds:
            await getattr(crowd, name)(*words)
        await crowd.holds()

    in_a_crowd(valkey, places, work)


@LAW
@given(places=PLACES, chosen=CHOSEN, count=st.integers(1, 12))
def test_law_any_page_of_portions_is_that_piece_of_all_of_them_by_age(valkey, places, chosen, count):
    async def work(crowd: Crowd) -> None:
        everything = crowd.oldest(chosen)
        for start in range(len(everything) + 3):
            page = await crowd.of(chosen).entries(NOW, start=start, count=count)
            assert [entry.id for entry in page] == everything[start : start + count]
        assert await crowd.of(chosen).count() == len(everything)

    in_a_crowd(valkey, places, work)


async def test_a_page_deep_in_long_portions_is_found_without_reading_what_is_before_it(client):
    each = 3_000
    for offset, name in enumerate(PORTIONS):
        await client.zadd(keys.waiting(name), {f"{name}:{n}": 3 * n + offset for n in range(each)})
    await client.config_resetstat()
    page = await WaitingList(client, OWN, PORTIONS).entries(NOW, start=3 * each - 100, count=10)
    assert [entry.since for entry in page] == list(range(3 * each - 100, 3 * each - 90))
    ranges = (await client.info("commandstats"))["cmdstat_zrange"]["calls"]
    assert ranges < 100, "and each but the last three reads one entry"
