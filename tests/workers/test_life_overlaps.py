"""Jobs that overlap with each other, with people and with their own end, at every await of a job: one by one what the
random lives of test_life_model.py find only by luck.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from normalizer.life import Outcome, State, StepName
from tests.workers.life_cast import ACTORS, Word
from tests.workers.life_far import Cut, Process
from tests.workers.life_world import World
from workers.connect import connect_async

AWAITS = 200
LEAD, WATER, DESK = (next(actor for actor in ACTORS if actor.id == id) for id in ("north_lamp", "water", "zhang"))
LAMP, TAP = 0, 1
NOBODY, EMAIL, PHONE = 0, 1, 2
Worlds = Callable[[Callable[[World], Awaitable[Any]]], Any]


@pytest.fixture
def each(valkey: Any, make_item: Any, tmp_path: Path) -> Iterator[Worlds]:
    """Runs a story in a new world."""
    with asyncio.Runner() as runner:
        client = connect_async(valkey.config, valkey.directory)
        sync = valkey.client()

        def run(story: Callable[[World], Awaitable[Any]]) -> Any:
            return runner.run(story(World(sync, client.connection_pool, make_item, tmp_path, Counter())))

        yield run
        runner.run(client.aclose())


async def replied(world: World, asking: int) -> str:
    """A ticket whose unit has answered, with that answer still to be told."""
    await world.receive(LAMP, asking, 0, immediate=False)
    await world.job(0, Process())
    id = world.items[0].ticket_id
    await world.take(Word(id, StepName.SIGN, LEAD, {}, "sign"))
    says = {"text": "修好了", "outcome": Outcome.RESOLVED}
    await world.take(Word(id, StepName.REPLY, LEAD, says, "reply"))
    return id


def test_an_answer_that_comes_back_reopens_the_unit_s_list(each: Worlds) -> None:
    async def story(world: World) -> None:
        id = await replied(world, EMAIL)
        await world.job(0, Process())
        assert (await world.load(id)).state == State.CLOSED
        await world.check()
        sent = sorted((reference, key) for key, reference in world.ways["email"].sent.items())
        answer = next(n for n, (_, key) in enumerate(sent) if key[1].startswith("reply:"))
        await world.bounce(answer)
        assert (await world.load(id)).state == State.REPLIED
        await world.check()
        await world.calm_down()
        assert (await world.load(id)).state == State.CLOSED

    each(story)


def every(each: Worlds, during: Callable[[int], Callable[[World], Awaitable[bool]]]) -> int:
    """The story once for every await that the job has; how many these were."""
    for at in range(1, AWAITS):
        if not each(during(at)):
            return at - 1
    raise AssertionError("the job never ends")


@pytest.mark.parametrize("how", ["kill", "cancel", "timeout"])
def test_a_job_that_ends_at_any_await_leaves_nothing_behind(each: Worlds, how: Any) -> None:
    def cut_at(at: int) -> Callable[[World], Awaitable[bool]]:
        async def story(world: World) -> bool:
            await replied(world, EMAIL)
            job = Process(Cut(at, how))
            await world.job(0, job)
            await world.check()
            await world.calm_down()
            return job.was_cut

        return story

    assert every(each, cut_at) > 20


@pytest.mark.parametrize("after", [0, 4, 8, 9])
@pytest.mark.parametrize("what", ["message", "review"])
def test_what_happens_during_a_job_that_then_dies_reaches_everybody(each: Worlds, what: str, after: int) -> None:
    """At every await a citizen says more, or an objection is overruled; the job dies so many awaits later, among them
    those at which it has just recorded what it did before."""

    async def overruled(world: World) -> None:
        id = world.items[0].ticket_id
        if (await world.load(id)).state == State.DISPATCHED:
            await world.take(Word(id, StepName.OBJECT, WATER, {"reason": "不归我们"}, "object"))
            await world.take(Word(id, StepName.OVERRULE, DESK, {"reason": "归"}, "overrule"))

    def during(at: int) -> Callable[[World], Awaitable[bool]]:
        async def story(world: World) -> bool:
            await world.receive(TAP, NOBODY, 0, immediate=False)
            await world.job(0, Process())
            await world.follow_up(0, 0)
            meanwhile = {"message": lambda: world.follow_up(0, 0), "review": lambda: overruled(world)}[what]
            job = Process(Cut(at + after, "kill"), at, meanwhile)
            await world.job(0, job)
            await world.check()
            await world.calm_down()
            return job.ticks >= at

        return story

    assert every(each, during) > 20


@pytest.mark.parametrize("asking", [EMAIL, PHONE])
def test_a_second_job_at_any_await_of_the_first_tells_nobody_twice(each: Worlds, asking: int) -> None:
    """The first has lost its claim by then; a channel that cannot say what it sent is still called once."""

    def during(at: int) -> Callable[[World], Awaitable[bool]]:
        async def story(world: World) -> bool:
            await replied(world, asking)
            job = Process(None, at, lambda: world.rob(0, Process()))
            await world.job(0, job)
            await world.check()
            await world.calm_down()
            return job.ticks >= at

        return story

    assert every(each, during) > 20
