"""A unit's own list by part and state: pages and leases of the states asked for, however long the list is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from normalizer.life import Actor, Role, StepName
from tests.workers.regions import town
from tests.workers.turns import NOW, client
from workers import keys
from workers.life import Lives
from workers.once import Word
from workers.store import Record, Store
from workers.unit_side import UnitSide

__all__ = ["client"]

LEAD, STREET, OTHER = "north_lamp", "willow", "south_lamp"
CATALOGUE = Actor(role=Role.SYSTEM, id="catalogue")
OPERATOR = Actor(role=Role.OPERATOR, id="zhang")
EVERY = ("dispatched", "signed", "in_progress", "objected", "replied")


@dataclass
class Side:
    """The units' side under a clock that moves by hand."""

    store: Store
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.units = UnitSide(self.store, town(), lambda: self.now)
        self.lives = Lives(self.store)

    async def take(self, number: str, step: StepName, unit: str = LEAD, **says: object) -> None:
        word = Word(step, Actor(role=Role.UNIT, id=unit), f"{step}:{self.now}", says)
        await self.units.take(number, word)

    async def rule(self, number: str, step: StepName, **says: object) -> None:
        """The centre's part."""
        id = await self.store.resolve(number)
        assert id is not None
        await self.lives.take(id, step, OPERATOR, self.now, operation=f"{step}:{self.now}", says={"reason": "?"} | says)

    async def shown(self, unit: str, *states: str) -> list[str]:
        page = await self.units.page(unit, start=0, count=100, states=states)
        assert (page.total, page.next) == (len(page.rows), None)
        return [row["number"] for row in page.rows]

    async def lease(self, holder: str, *states: str, count: int = 10, unit: str = LEAD) -> list[str]:
        found = await self.units.lease(unit, holder, seconds=60, count=count, states=states)
        return [record.number for record in found]


@pytest.fixture
def side(client) -> Side:
    return Side(Store(client, domain="hotline.example"))


async def dispatch(side: Side, queue, make_item, count: int, lead: str = LEAD) -> list[str]:
    items = [make_item(f"t{n}", sequence=n) for n in range(1, count + 1)]
    for start in range(0, count, 200):
        queue.enqueue(items[start : start + 200])
    says = {"lead": lead, "cc": (STREET,), "reason": "市容"}
    for start in range(0, count, 50):
        steps = (
            side.lives.take(
                one.ticket_id, StepName.DISPATCH, CATALOGUE, NOW + timedelta(seconds=n), operation="d", says=says
            )
            for n, one in enumerate(items[start : start + 50], start)
        )
        await asyncio.gather(*steps)
    side.now = NOW + timedelta(seconds=count)
    return [one.number for one in items]


async def test_pages_of_states_are_whole_and_in_the_order_of_the_list(side, queue, make_item):
    numbers = await dispatch(side, queue, make_item, 6)
    for number in (numbers[4], numbers[1]):  # signed in another order than they came
        side.now += timedelta(minutes=1)
        await side.take(number, StepName.SIGN)
    await side.take(numbers[4], StepName.PROGRESS, text="开工")
    await side.take(numbers[0], StepName.OBJECT, reason="不归我们")
    for unit in (LEAD, STREET):
        assert await side.shown(unit) == numbers
        assert await side.shown(unit, "dispatched") == [numbers[2], numbers[3], numbers[5]]
        assert await side.shown(unit, "signed", "in_progress") == [numbers[1], numbers[4]]
        assert await side.shown(unit, "replied") == []
        first = await side.units.page(unit, start=0, count=3, states=EVERY)
        rest = await side.units.page(unit, start=3, count=3, states=EVERY)
        assert [row["number"] for row in (*first.rows, *rest.rows)] == numbers
        assert (first.total, first.next, rest.next) == (6, 3, None)
        unfiltered = await side.units.page(unit, start=0, count=6)
        assert [row["since"] for row in (*first.rows, *rest.rows)] == [row["since"] for row in unfiltered.rows]


async def test_the_lists_follow_lead_helpers_and_informed(side, queue, make_item):
    (number,) = await dispatch(side, queue, make_item, 1)
    await side.take(number, StepName.SIGN)
    await side.take(number, StepName.ASK_HELP, co=("water",), reason="水管")
    assert await side.shown("water", "in_progress") == [number]
    assert await side.shown("water", "signed") == [], "it helps since it is in progress"
    await side.take(number, StepName.REPLY, text="修好了", outcome="resolved")
    await side.rule(number, StepName.REOPEN)
    for unit in (LEAD, STREET, "water"):
        assert await side.shown(unit) == await side.shown(unit, *EVERY) == []
    await side.rule(number, StepName.DISPATCH, lead=STREET, cc=(LEAD,))
    assert await side.lease("p", "dispatched") == [], "who was the lead is only informed now"
    assert await side.lease("p", "dispatched", unit=STREET) == [number]


async def test_a_lease_gives_the_oldest_of_all_the_states_and_none_twice(side, queue, make_item):
    numbers = await dispatch(side, queue, make_item, 5)
    for number in (numbers[3], numbers[1]):
        await side.take(number, StepName.SIGN)
    assert await side.lease("one", "signed", "dispatched", "signed", count=3) == numbers[:3]
    assert await side.lease("two", "signed", "dispatched") == numbers[3:]
    assert await side.lease("one", "dispatched", count=1) == [numbers[0]], "its own it may hold anew"
    assert await side.lease("one") == [], "of no state there is none"
    assert await side.lease("street", *EVERY, unit=STREET) == [], "the informed lead nothing"


async def test_what_is_leased_stays_so_when_it_comes_to_another_state(side, queue, make_item):
    (number,) = await dispatch(side, queue, make_item, 1)
    await side.take(number, StepName.SIGN)
    assert await side.lease("one", "signed") == [number]
    await side.take(number, StepName.CONTACT, text="已联系")
    assert await side.lease("two", "in_progress") == []
    (row,) = (await side.units.page(LEAD, start=0, count=1, states=("in_progress",))).rows
    assert row["leased_until"] is not None
    side.now += timedelta(seconds=61)
    assert await side.lease("two", "in_progress") == [number]


async def test_programs_at_once_never_hold_one_ticket_and_forget_none(side, queue, make_item):
    numbers = await dispatch(side, queue, make_item, 60)
    signed = numbers[::2]
    for number in signed:
        await side.take(number, StepName.SIGN)
    holders: dict[str, str] = {}
    taken: Counter[str] = Counter()

    async def program(name: str) -> None:
        while found := await side.lease(name, "signed", "dispatched", count=3):
            for number in found:
                assert holders.setdefault(number, name) == name, "held by two"
                taken[number] += 1
                if number in signed:
                    await side.take(number, StepName.REPLY, text="修好了", outcome="resolved")
                else:
                    await side.take(number, StepName.OBJECT, reason="不归我们")

    async with asyncio.TaskGroup() as group:
        for n in range(8):
            group.create_task(program(f"p{n}"))
    assert taken == Counter(numbers)


class Interrupted(Store):
    """Reads a ticket only after something else happened to it."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def load(self, ticket_id: str) -> Record | None:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            await happens()
        return await super().load(ticket_id)


async def test_nothing_is_shown_of_what_was_taken_away_while_the_list_was_read(side, queue, make_item):
    (number,) = await dispatch(side, queue, make_item, 1)

    async def lose() -> None:
        side.now += timedelta(seconds=1)
        await side.take(number, StepName.OBJECT, reason="不归我们")
        await side.rule(number, StepName.UPHOLD, lead=OTHER)

    async def win() -> None:
        await side.take(number, StepName.OBJECT, unit=OTHER, reason="不归我们")
        await side.rule(number, StepName.UPHOLD, lead=LEAD)

    store = Interrupted(side.store.client, domain="hotline.example")
    units = UnitSide(store, town(), lambda: side.now)
    for states in ((), ("dispatched",)):
        store.meanwhile = lose
        assert (await units.page(LEAD, start=0, count=1, states=states)).rows == []
        side.now += timedelta(seconds=1)
        await win()
    store.meanwhile = lose
    assert await units.lease(LEAD, "p", seconds=60, count=1, states=("dispatched",)) == []


async def test_a_lease_costs_the_same_however_long_the_list_is(side, queue, make_item, valkey):
    """Counted in commands, those of the scripts too, and in tickets read."""
    numbers = await dispatch(side, queue, make_item, 2_000)
    await side.take(numbers[-2], StepName.SIGN)
    redis = valkey.client()
    for states, expected in ((("signed",), numbers[-2]), (("dispatched", "in_progress"), numbers[0])):
        redis.config_resetstat()
        assert await side.lease("p", *states, count=1) == [expected]
        calls = {name: stat["calls"] for name, stat in redis.info("commandstats").items()}
        assert sum(calls.values()) < 30, calls
        assert calls["cmdstat_hgetall"] == 1, "one ticket is read"
    redis.config_resetstat()
    assert await side.shown(LEAD, "signed") == [numbers[-2]]
    assert sum(stat["calls"] for stat in redis.info("commandstats").values()) < 30


async def test_the_lists_are_no_longer_than_what_is_open(side, queue, make_item, valkey):
    numbers = await dispatch(side, queue, make_item, 3)
    redis = valkey.client()
    entries = sum(redis.zcard(key) for key in redis.keys(keys.waiting("unit:*")))
    assert entries == 3 * 2 * 2, "of each ticket two for each of its units"
    for number in numbers:
        await side.take(number, StepName.SIGN)
        await side.take(number, StepName.REPLY, text="修好了", outcome="resolved")
        await side.rule(number, StepName.REOPEN)
    assert redis.keys(keys.waiting("unit:*")) == []
