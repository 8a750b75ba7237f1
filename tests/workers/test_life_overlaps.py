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
from tests.workers.life_far import Cut, Process
from tests.workers.life_world import ACTORS, Word, World
from workers.connect import connect_async

AWAITS = 60
LEAD = next(actor for actor in ACTORS if actor.id == "north_lamp")
LAMP, EMAIL, PHONE = 0, 1, 2
Worlds = Callable[[Callable[[World], Awaitable[None]]], None]


@pytest.fixture
def each(valkey: Any, make_item: Any, tmp_path: Path) -> Iterator[Worlds]:
    """Runs a story in a new world."""
    with asyncio.Runner() as runner:
        client = connect_async(valkey.config, valkey.directory)
        sync = valkey.client()

        def run(story: Callable[[World], Awaitable[None]]) -> None:
            runner.run(story(World(sync, client.connection_pool, make_item, tmp_path, Counter())))

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


@pytest.mark.parametrize("how", ["kill", "cancel", "timeout"])
def test_a_job_that_ends_at_any_await_leaves_nothing_behind(each: Worlds, how: Any) -> None:
    ended: list[bool] = []

    def cut_at(at: int) -> Callable[[World], Awaitable[None]]:
        async def story(world: World) -> None:
            await replied(world, EMAIL)
            job = Process(Cut(at, how))
            await world.job(0, job)
            ended.append(job.was_cut)
            await world.check()
            await world.calm_down()

        return story

    for at in range(1, AWAITS):
        each(cut_at(at))
        if not ended[-1]:
            break
    assert sum(ended) > 20
    assert not ended[-1], "every await was cut"


@pytest.mark.parametrize("after", [0, 2, 4])
def test_a_message_during_a_job_that_then_dies_reaches_everybody(each: Worlds, after: int) -> None:
    """At every await a citizen says more; the job dies so many awaits after it recorded something."""

    def during(at: int) -> Callable[[World], Awaitable[None]]:
        async def story(world: World) -> None:
            await world.receive(LAMP, EMAIL, 0, immediate=False)
            job = Process(Cut(at + after, "kill"), at, lambda: world.follow_up(0, 0))
            await world.job(0, job)
            await world.check()
            await world.calm_down()

        return story

    for at in range(1, AWAITS):
        each(during(at))


@pytest.mark.parametrize("asking", [EMAIL, PHONE])
def test_a_second_job_at_any_await_of_the_first_tells_nobody_twice(each: Worlds, asking: int) -> None:
    """The first has lost its claim by then; a channel that cannot say what it sent is still called once."""

    def during(at: int) -> Callable[[World], Awaitable[None]]:
        async def story(world: World) -> None:
            await replied(world, asking)
            await world.job(0, Process(None, at, lambda: world.rob(0, Process())))
            await world.check()
            await world.calm_down()

        return story

    for at in range(1, AWAITS):
        each(during(at))
