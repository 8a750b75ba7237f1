"""Lives of several tickets at random, with workers that crash, jobs that overlap and citizens that say more: whatever
happens, the table is kept, no event is lost, nobody is told twice, and nothing is left behind.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis.asyncio import ConnectionPool

from tests.workers.life_cast import ASKING, FLAGS, TEXTS
from tests.workers.life_far import Cut, Process
from tests.workers.life_world import World
from workers.calls import CallOutcome
from workers.connect import connect_async

PHASES = (Phase.generate,)
"""A life that breaks something is printed as it was: `Phase.shrink` makes it short, in some minutes."""
TICKETS = 3
PICK = st.integers(0, TICKETS - 1)
CHOICE = st.integers(0, 200)
CUTS = st.none() | st.builds(Cut, st.integers(1, 24), st.sampled_from(["kill", "kill", "cancel", "timeout"]))
WEATHER = st.lists(
    st.sampled_from(["takes", "takes", "takes", "lies", "down", "braked", "refuses", "gone"]), min_size=1, max_size=4
)
MOODS = st.lists(
    st.sampled_from(["sent", "sent", "failed", "try_again", "unknown", "lost_answer", "bug"]), min_size=1, max_size=4
)
Kind = Literal["follow_up", "act", "job", "rob", "acknowledge", "advance", "call", "bounce"]


@dataclass(frozen=True)
class Meanwhile:
    """What others do while one is at its `at`-th await."""

    at: int
    kind: Kind
    pick: int
    choice: int
    cut: Cut | None

    def of(self, world: World) -> Callable[[], Awaitable[None]]:
        return lambda: self._happen(world)

    async def _happen(self, world: World) -> None:
        world.tally[f"meanwhile:{self.kind}"] += 1
        match self.kind:
            case "follow_up":
                await world.follow_up(self.pick, self.choice % len(FLAGS))
            case "act":
                await world.act(self.pick, self.choice, legal=True, lacking=False)
            case "job":
                await world.job(self.pick, Process(self.cut))
            case "rob":
                await world.rob(self.pick, Process(self.cut))
            case "acknowledge":
                await world.acknowledge(self.pick)
            case "advance":
                await world.advance(self.choice)
            case "call":
                await world.call(self.choice, CallOutcome.REACHED)
            case "bounce":
                await world.bounce(self.choice)


KINDS: list[Kind] = ["follow_up", "act", "act", "rob", "rob", "job", "acknowledge", "advance", "call", "bounce"]
OTHERS = st.none() | st.builds(Meanwhile, st.integers(1, 24), st.sampled_from(KINDS), PICK, CHOICE, CUTS)


class Lives(RuleBasedStateMachine):
    """`make`: a new world; `run`: carries out what somebody does."""

    make: Callable[[], World]
    run: Callable[[Awaitable[None]], None]

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).make()

    def do(self, work: Awaitable[None]) -> None:
        self.world.tally["steps"] += 1
        type(self).run(work)

    def process(self, cut: Cut | None, others: Meanwhile | None) -> Process:
        if others is None:
            return Process(cut)
        return Process(cut, others.at, others.of(self.world))

    @initialize(text=st.integers(0, len(TEXTS) - 1), asking=st.integers(0, len(ASKING) - 1), by_sms=st.booleans())
    def first(self, text: int, asking: int, by_sms: bool) -> None:
        self.world.off = set() if by_sms else {"sms"}
        self.do(self.world.receive(text, asking, 0, immediate=False))

    @precondition(lambda self: len(self.world.items) < TICKETS)
    @rule(
        text=st.integers(0, len(TEXTS) - 1),
        asking=st.integers(0, len(ASKING) - 1),
        flags=st.integers(0, len(FLAGS) - 1),
        immediate=st.booleans(),
    )
    def receive(self, text: int, asking: int, flags: int, immediate: bool) -> None:
        self.do(self.world.receive(text, asking, flags, immediate))

    @rule(pick=PICK, flags=st.integers(0, len(FLAGS) - 1), again=CHOICE)
    def follow_up(self, pick: int, flags: int, again: int) -> None:
        self.do(self.world.follow_up(pick, flags))
        self.do(self.world.say_again(again))

    @rule(pick=PICK, choice=CHOICE, cut=CUTS)
    def act_and_deliver(self, pick: int, choice: int, cut: Cut | None) -> None:
        self.do(self.world.act(pick, choice, legal=True, lacking=False))
        self.do(self.world.rob(pick, Process(cut)))

    @rule(pick=PICK, choices=st.lists(CHOICE, min_size=2, max_size=6))
    def live_on(self, pick: int, choices: list[int]) -> None:
        for choice in choices:
            self.do(self.world.act(pick, choice, legal=True, lacking=False))
            self.do(self.world.rob(pick, Process()))
            self.everything_holds()

    @rule(pick=PICK, choice=CHOICE, legal=st.booleans(), lacking=st.booleans())
    def act_wrongly(self, pick: int, choice: int, legal: bool, lacking: bool) -> None:
        self.do(self.world.act(pick, choice, legal, lacking))

    @rule(pick=PICK, choice=CHOICE, cut=CUTS, others=OTHERS)
    def act_disturbed(self, pick: int, choice: int, cut: Cut | None, others: Meanwhile | None) -> None:
        self.do(self.world.act(pick, choice, legal=True, lacking=False, process=self.process(cut, others)))

    @rule(pick=CHOICE)
    def act_again(self, pick: int) -> None:
        self.do(self.world.act_again(pick))

    @rule(pick=PICK, cut=CUTS, others=OTHERS)
    def deliver_disturbed(self, pick: int, cut: Cut | None, others: Meanwhile | None) -> None:
        self.do(self.world.rob(pick, self.process(cut, others)))

    @rule(pick=PICK, choice=CHOICE, at=st.integers(1, 24), kind=st.sampled_from(KINDS), cut=CUTS, other=CUTS)
    def deliver_together(self, pick: int, choice: int, at: int, kind: Kind, cut: Cut | None, other: Cut | None) -> None:
        """Both about one ticket."""
        self.do(self.world.rob(pick, self.process(cut, Meanwhile(at, kind, pick, choice, other))))

    @rule(minutes=st.sampled_from([1, 11, 60, 600]), pick=PICK)
    def advance(self, minutes: int, pick: int) -> None:
        self.do(self.world.advance(minutes))
        self.do(self.world.job(pick, Process()))

    @rule(which=CHOICE, outlook=WEATHER, way=st.sampled_from(["email", "sms"]), mood=MOODS)
    def weather(self, which: int, outlook: list[str], way: str, mood: list[str]) -> None:
        world = self.world
        fars = [*world.destinations.values(), *world.units.values(), *world.people.values()]
        fars[which % len(fars)].outlook = list(outlook)
        world.ways[way].outlook = list(mood)

    @rule(pick=PICK, choice=CHOICE, outcome=st.sampled_from(CallOutcome))
    def attend(self, pick: int, choice: int, outcome: CallOutcome) -> None:
        """People look after what went wrong."""
        for work in (
            self.world.acknowledge(pick),
            self.world.call(choice, outcome),
            self.world.bounce(choice),
            self.world.replay(),
        ):
            self.do(work)

    @invariant()
    def everything_holds(self) -> None:
        type(self).run(self.world.check())

    def teardown(self) -> None:
        if self.world.items:
            type(self).run(self.world.calm_down())


@pytest.fixture
def live(valkey: Any, make_item: Any, tmp_path: Path) -> Iterator[Callable[[int, int, bool], Counter[str]]]:
    """Runs so many examples of so many steps; returns what happened in all of them."""
    tally: Counter[str] = Counter()
    with asyncio.Runner() as runner:
        client = connect_async(valkey.config, valkey.directory)
        pool: ConnectionPool = client.connection_pool
        sync = valkey.client()

        class Machine(Lives):
            make = staticmethod(lambda: World(sync, pool, make_item, tmp_path, tally))
            run = staticmethod(runner.run)

        def run(examples: int, steps: int, derandomize: bool) -> Counter[str]:
            chosen = settings(
                max_examples=examples,
                stateful_step_count=steps,
                derandomize=derandomize,
                deadline=None,
                database=None,
                print_blob=not derandomize,
                suppress_health_check=list(HealthCheck),
                phases=PHASES,
            )
            run_state_machine_as_test(Machine, settings=chosen)
            return tally

        yield run
        runner.run(pool.disconnect())
        runner.run(client.aclose())


def test_random_lives_keep_the_table_and_lose_nothing(live: Callable[[int, int, bool], Counter[str]]) -> None:
    tally = live(20, 40, True)
    assert tally["crashes"] > 20
    assert tally["job:settled"] > 50


@pytest.mark.soak
def test_ten_thousand_random_steps(live: Callable[[int, int, bool], Counter[str]]) -> None:
    tally = live(120, 60, False)
    print(f"{tally['steps']} steps, {tally['crashes']} crashes")
    for name, count in sorted(tally.items()):
        print(f"  {name} {count}")
    assert tally["steps"] >= 10_000
