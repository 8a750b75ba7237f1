"""What waits for the centre's people: nobody decides about what another holds, and nothing is forgotten."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from normalizer.errors import Rejected
from normalizer.life import EVENT_TYPES, Actor, Role, State, StepName
from tests.workers.regions import town
from tests.workers.turns import NOW, client
from workers import keys
from workers.centre import Centre
from workers.life import Lives
from workers.lifecycle import Illegal
from workers.once import Word
from workers.store import Store

__all__ = ["client"]

CATALOGUE = Actor(role=Role.SYSTEM, id="catalogue")
DISPATCHED = EVENT_TYPES[StepName.DISPATCH]


@dataclass
class Desk:
    """The centre under a clock that moves by hand."""

    store: Store
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.centre = Centre(self.store, town(), lambda: self.now)

    def word(self, operator: str, step: StepName = StepName.DISPATCH, key: str = "k", **says: object) -> Word:
        said = says or {"lead": "north_lamp", "reason": "市容"}
        return Word(step, Actor(role=Role.OPERATOR, id=operator), key, said)


@pytest.fixture
def desk(client) -> Desk:
    return Desk(Store(client, domain="hotline.example"))


async def wait_in_triage(desk, queue, make_item, count: int) -> list[str]:
    items = [make_item(f"t{n}", sequence=n) for n in range(1, count + 1)]
    for start in range(0, count, 200):
        queue.enqueue(items[start : start + 200])
    lives = Lives(desk.store)
    for start in range(0, count, 50):
        await asyncio.gather(
            *(
                lives.take(
                    one.ticket_id,
                    StepName.TRIAGE,
                    CATALOGUE,
                    NOW + timedelta(milliseconds=start + n),
                    operation="t",
                    says={"reason": "?", "candidates": ("north", "willow")},
                )
                for n, one in enumerate(items[start : start + 50])
            )
        )
    return [one.number for one in items]


@dataclass
class Shift:
    """Operators who lease and decide, vanish, or come back to it when their lease has ended."""

    desk: Desk
    chance: random.Random
    held: dict[str, list[tuple[datetime, datetime, str]]] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)

    async def operate(self, name: str) -> None:
        late: list[tuple[datetime, str]] = []
        while await self.left():
            seconds = self.chance.choice((30, 60, 120))
            at = self.desk.now
            until = at + timedelta(seconds=seconds)
            found = await self.desk.centre.lease(keys.TRIAGE, name, seconds=seconds, count=self.chance.randint(1, 4))
            for record in found:
                self.held.setdefault(record.number, []).append((at, until, name))
            # Where nothing is free, all that is left is held by people who are at it, are late or have gone.
            self.desk.now += timedelta(seconds=0.1 if found else 1)
            match self.chance.random():
                case vanish if vanish < 0.05:  # and somebody else sits down
                    name, late = f"{name}'", []
                case slow if slow < 0.15:
                    late += [(until, record.number) for record in found]
                case _:
                    for record in found:
                        await self.decide(name, record.number)
            for number in [number for moment, number in late if moment <= self.desk.now]:
                await self.decide(name, number)
            late = [one for one in late if one[0] > self.desk.now]

    def overlapping(self) -> list[str]:
        """Tickets that two operators held at one moment."""
        found = []
        for number, leases in self.held.items():
            for (_, until, one), (since, _, other) in pairwise(sorted(leases)):
                if one != other and since < until:
                    found.append(number)
        return found

    async def decide(self, name: str, number: str) -> None:
        try:
            taken = await self.desk.centre.take(number, self.desk.word(name, key=f"{name}:{number}"))
        except Illegal as refused:
            self.told[refused.code] += 1
        else:
            self.told["repeated" if taken.repeated else "decided"] += 1

    async def left(self) -> bool:
        return (await self.desk.centre.page(keys.TRIAGE, start=0, count=1)).total > 0


@pytest.mark.parametrize("tickets", [500, pytest.param(5000, marks=pytest.mark.soak)])
async def test_a_hundred_operators_take_no_ticket_twice_and_forget_none(
    desk, valkey, queue, make_item, tickets: int
) -> None:
    numbers = await wait_in_triage(desk, queue, make_item, tickets)
    shift = Shift(desk, random.Random(12345))
    async with asyncio.TaskGroup() as group:
        for n in range(100):
            group.create_task(shift.operate(f"op{n}"))
    assert shift.overlapping() == []
    assert shift.told["decided"] == tickets
    assert shift.told["not_leased"] > 0, "somebody came back too late"
    for number in numbers:
        record = await desk.store.find(number)
        assert record.state == State.DISPATCHED
        assert [event["type"] for event in record.events()].count(DISPATCHED) == 1
    client = valkey.client()
    assert client.zcard(keys.waiting(keys.TRIAGE)) == client.hlen(keys.leases(keys.TRIAGE)) == 0
    assert client.zcard(keys.waiting(keys.of_unit("north_lamp"))) == tickets


async def test_a_list_tells_why_a_person_must_decide_and_names_nobody(desk, queue, make_item):
    (number,) = await wait_in_triage(desk, queue, make_item, 1)
    await desk.centre.lease(keys.TRIAGE, "li", seconds=60, count=1)
    (row,) = (await desk.centre.page(keys.TRIAGE, start=0, count=10)).rows
    assert (row["number"], row["reason"], row["candidates"]) == (number, "?", ["north", "willow"])
    assert (row["holder"], row["by"]) == ("li", {"role": "system", "id": "catalogue"})


async def test_a_lease_ends_and_what_was_given_back_is_free_at_once(desk, queue, make_item):
    await wait_in_triage(desk, queue, make_item, 2)
    first, second = [await desk.centre.lease(keys.TRIAGE, name, seconds=60, count=1) for name in ("li", "wu")]
    assert first[0].number != second[0].number
    assert await desk.centre.lease(keys.TRIAGE, "xu", seconds=60, count=1) == []
    await desk.centre.give_back(keys.TRIAGE, "xu", first[0].number)
    assert await desk.centre.lease(keys.TRIAGE, "xu", seconds=60, count=1) == [], "it was not theirs to give"
    await desk.centre.give_back(keys.TRIAGE, "li", first[0].number)
    (third,) = await desk.centre.lease(keys.TRIAGE, "xu", seconds=60, count=1)
    assert third.number == first[0].number
    desk.now += timedelta(seconds=61)
    with pytest.raises(Illegal, match="not_leased"):
        await desk.centre.take(second[0].number, desk.word("wu"))


async def test_leases_of_what_left_the_list_by_another_way_do_not_pile_up(desk, valkey, queue, make_item):
    await wait_in_triage(desk, queue, make_item, 3)
    held = await desk.centre.lease(keys.TRIAGE, "li", seconds=60, count=3)
    for record in held[:2]:
        await Lives(desk.store).take(
            record.ticket_id, StepName.ANSWER, CATALOGUE, desk.now, operation="a", says={"text": "已答复"}
        )
    client = valkey.client()
    assert client.hlen(keys.leases(keys.TRIAGE)) == 3
    await desk.centre.lease(keys.TRIAGE, "wu", seconds=60, count=1)
    assert [id.decode() for id in client.hkeys(keys.leases(keys.TRIAGE))] == [held[2].ticket_id]


async def test_who_is_referred_is_told_in_the_regions_words_unless_there_are_better_ones(desk, queue, make_item):
    first, second = await wait_in_triage(desk, queue, make_item, 2)
    await desk.centre.lease(keys.TRIAGE, "li", seconds=60, count=2)
    await desk.centre.take(first, desk.word("li", StepName.REFER, referral="advice", reason="法律"))
    await desk.centre.take(second, desk.word("li", StepName.REFER, referral="advice", reason="法律", text="找律师"))
    told = [(await desk.store.find(number)).events()[-1]["data"]["text"] for number in (first, second)]
    assert told == ["请拨打 12348。", "找律师"]
    again = await desk.centre.take(first, desk.word("li", StepName.REFER, referral="advice", reason="法律"))
    assert again.repeated


async def test_what_the_region_does_not_have_is_named_and_nothing_is_changed(desk, queue, make_item):
    (number,) = await wait_in_triage(desk, queue, make_item, 1)
    await desk.centre.lease(keys.TRIAGE, "li", seconds=60, count=1)
    for says, pointer in (
        ({"lead": "moon", "reason": "?"}, "/lead"),
        ({"lead": "north", "cc": ("willow", "moon"), "reason": "?"}, "/cc/1"),
        ({"referral": "moon", "reason": "?"}, "/referral"),
    ):
        step = StepName.REFER if "referral" in says else StepName.DISPATCH
        with pytest.raises(Rejected) as refused:
            await desk.centre.take(number, desk.word("li", step, **says))
        assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert (await desk.store.find(number)).state == State.TRIAGE
