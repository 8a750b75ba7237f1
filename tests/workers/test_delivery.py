"""From a job to a destination: claim, delivery, schedule, dead; each step recorded once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.workers.turns import NOW, Receiver, build, builder, client
from workers import keys
from workers.connect import connect_async
from workers.dead import DeadEntry
from workers.delivery import deliver
from workers.destinations.contract import Delivered, Disabled, Event, Outcome, Refused, TryLater
from workers.runtime import Runtime

__all__ = ["build", "client"]


async def test_a_delivery_is_recorded_and_the_ticket_leaves_the_schedule(valkey, queue, make_item, build):
    one, receiver = make_item("a"), Receiver("file")
    queue.enqueue([one])
    runtime = build(receiver)
    await deliver(runtime, one.ticket_id)
    assert [event.document for event in receiver.had] == [valkey.client().xrange(keys.TICKETS)[0][1][b"event"]]
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None
    record = await runtime.store.load(one.ticket_id)
    assert record.fields["forwarded"] == "delivered"
    [event] = [event for event in record.events() if event["data"].get("destination")]
    assert event["type"] == "org.jiesu.ticket.delivered.v1"
    assert event["data"]["event_id"] == f"{one.ticket_id}.accepted"
    assert not valkey.client().exists(keys.claim(one.ticket_id))


async def test_a_second_run_of_the_job_delivers_nothing(valkey, queue, make_item, build):
    one, receiver = make_item("a"), Receiver("file")
    queue.enqueue([one])
    runtime = build(receiver)
    assert [await deliver(runtime, one.ticket_id) for _ in range(3)] == ["settled"] * 3
    assert len(receiver.had) == 1
    events = [json.loads(fields[b"event"])["type"] for _, fields in valkey.client().xrange(keys.EVENTS)]
    assert events.count("org.jiesu.ticket.delivered.v1") == 1


async def test_two_jobs_at_once_only_one_has_the_claim(queue, make_item, build):
    one, receiver = make_item("a"), Receiver("file")
    queue.enqueue([one])
    runtime = build(receiver)
    words = await asyncio.gather(*(deliver(runtime, one.ticket_id) for _ in range(5)))
    assert len(receiver.had) == 1
    assert words.count("settled") >= 1


async def test_a_follow_up_is_delivered_after_its_ticket(valkey, queue, make_item, build):
    one, receiver = make_item("a"), Receiver("file")
    later = make_item("b", "还有", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",))
    runtime = build(receiver)
    queue.enqueue([one])
    await deliver(runtime, one.ticket_id)
    queue.enqueue([later])
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is not None
    await deliver(runtime, one.ticket_id)
    assert [event.id for event in receiver.had] == [f"{one.ticket_id}.accepted", f"{one.ticket_id}.4"]
    assert json.loads(receiver.had[1].document)["data"]["turn"]["text"] == "还有"
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None


async def test_a_follow_up_that_arrives_during_the_delivery_is_not_forgotten(queue, make_item, build, valkey):
    one = make_item("a")
    later = make_item("b", "还有", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",))
    queue.enqueue([one])
    receiver = Receiver("file", meanwhile=lambda: queue.enqueue([later]))
    await deliver(build(receiver), one.ticket_id)
    assert {event.id for event in receiver.had} == {f"{one.ticket_id}.accepted", f"{one.ticket_id}.3"}
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None


async def test_a_job_that_is_cut_short_repeats_one_event_at_most(queue, make_item, build):
    """RQ ends a job that takes too long; then what it had delivered stays delivered."""
    one = make_item("a")
    later = [
        make_item(f"m{n}", f"还有{n}", sequence=n + 2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",))
        for n in range(3)
    ]
    queue.enqueue([one, *later])
    receiver = Receiver("hook")

    def cut() -> None:
        if len(receiver.had) % 2 == 0:
            raise TimeoutError("the job's time is over")

    receiver.meanwhile = cut
    runs = 0
    while (record := await build().store.load(one.ticket_id)).fields.get("forwarded") != "delivered":
        runs += 1
        assert runs < 10, "never done"
        with contextlib.suppress(TimeoutError):
            await deliver(build(receiver), one.ticket_id)
    ids = [event.id.partition(".")[2] for event in receiver.had]
    assert ids == ["accepted", "2", "2", "3", "3", "4", "4"]
    outcomes = [e["data"]["event_id"] for e in record.events() if e["type"] == "org.jiesu.ticket.delivered.v1"]
    assert [id.partition(".")[2] for id in outcomes] == ["accepted", "2", "3", "4"]


async def test_a_passing_failure_waits_as_the_schedule_says(valkey, queue, make_item, build):
    one = make_item("a")
    queue.enqueue([one])
    receiver = Receiver("hook", [TryLater("http_500", None)])
    assert await deliver(build(receiver), one.ticket_id) == "later"
    assert valkey.client().zscore(keys.DUE, one.ticket_id) == (NOW + timedelta(seconds=5)).timestamp()


async def test_the_receivers_wish_to_wait_longer_is_respected(valkey, queue, make_item, build):
    one = make_item("a")
    queue.enqueue([one])
    receiver = Receiver("hook", [TryLater("http_429", 600.0)])
    await deliver(build(receiver), one.ticket_id)
    assert valkey.client().zscore(keys.DUE, one.ticket_id) == (NOW + timedelta(seconds=600)).timestamp()


async def test_a_receiver_that_was_not_called_uses_up_no_attempt(queue, make_item, build):
    one = make_item("a")
    queue.enqueue([one])
    receiver = Receiver("hook", [TryLater("braked", 30.0, tried=False)])
    for run in range(10):
        runtime = build(receiver, now=NOW + timedelta(minutes=run))
        assert await deliver(runtime, one.ticket_id) == "later"
    assert len(receiver.had) == 10
    assert await runtime.dead.count() == 0


async def test_a_destination_that_must_wait_holds_up_no_other(valkey, queue, make_item, build):
    one = make_item("a")
    later = make_item("b", "还有", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",))
    queue.enqueue([one])
    down, fine = Receiver("hook", [TryLater("http_500", None)]), Receiver("file")
    assert await deliver(build(down, fine), one.ticket_id) == "later"
    assert [event.id for event in fine.had] == [f"{one.ticket_id}.accepted"]
    due = (NOW + timedelta(seconds=5)).timestamp()
    assert valkey.client().zscore(keys.DUE, one.ticket_id) == due

    queue.enqueue([later])  # due at once, for whoever can take it; the other one keeps its schedule
    assert await deliver(build(down, fine), one.ticket_id) == "later"
    assert (len(fine.had), len(down.had)) == (2, 1)
    assert valkey.client().zscore(keys.DUE, one.ticket_id) == due

    down.answers = [Delivered()]
    assert await deliver(build(down, fine, now=NOW + timedelta(seconds=6)), one.ticket_id) == "settled"
    assert (len(fine.had), len(down.had)) == (2, 3)
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None


async def test_a_follow_up_that_arrives_while_another_destination_waits_is_not_put_off_with_it(queue, make_item, build):
    one = make_item("a")
    later = make_item("b", "还有", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",))
    queue.enqueue([one])
    fine = Receiver("file")
    down = Receiver("hook", [TryLater("http_500", None)], meanwhile=lambda: queue.enqueue([later]))
    await deliver(build(fine, down), one.ticket_id)
    assert len(fine.had) == 2


@pytest.mark.parametrize(
    ("answers", "runs", "reason"),
    [
        ([TryLater("http_500", None)], 3, "attempts exhausted"),
        ([Refused("too_large")], 1, "too_large"),
        ([Disabled("gone")], 1, "gone"),
    ],
)
async def test_what_cannot_be_delivered_is_dead_and_can_be_replayed(
    valkey, queue, make_item, build, answers, runs, reason
):
    one, other = make_item("a"), Receiver("file")
    queue.enqueue([one])
    receiver = Receiver("hook", answers)
    for run in range(runs):
        runtime = build(receiver, other, now=NOW + timedelta(days=run))
        await deliver(runtime, one.ticket_id)
    [entry] = await runtime.dead.list()
    assert (entry.destination, entry.reason, entry.number) == ("hook", reason, one.number)
    assert len(other.had) == 1, "another destination does not suffer"
    record = await runtime.store.load(one.ticket_id)
    assert record.fields["forwarded"] == "undelivered"
    assert "org.jiesu.ticket.delivery_failed.v1" in [event["type"] for event in record.events()]
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None

    receiver.answers = [Delivered()]
    await runtime.dead.replay(entry, NOW.timestamp())
    await deliver(runtime, one.ticket_id)
    assert await runtime.dead.list() == []
    assert (await runtime.store.load(one.ticket_id)).fields["forwarded"] == "delivered"
    assert len(other.had) == 1


@dataclass
class Replaying:
    """A receiver during whose delivery an operator replays something."""

    name: str
    answers: list[Outcome]
    replay: tuple[Runtime, DeadEntry] | None = None
    had: list[Event] = field(default_factory=list)

    async def deliver(self, event: Event) -> Outcome:
        self.had.append(event)
        if self.replay is not None:
            runtime, entry = self.replay
            await runtime.dead.replay(entry, runtime.now().timestamp())
            self.replay = None
        return self.answers.pop(0)

    async def close(self) -> None: ...


@pytest.mark.parametrize("answer", [Delivered(), TryLater("http_500", 86400.0), Refused("status_400")])
async def test_what_is_replayed_while_a_job_is_at_work_is_delivered_by_it(valkey, queue, make_item, build, answer):
    """The job loaded the ticket when the other was dead, and must not end the turn by what it saw."""
    one = make_item("a")
    queue.enqueue([one])
    dead, slow = Receiver("a", [Refused("status_400"), Delivered()]), Replaying("b", [TryLater("timeout", 60), answer])
    assert await deliver(build(dead, slow), one.ticket_id) == "later"
    later = build(dead, slow, now=NOW + timedelta(hours=1))
    [entry] = await later.dead.list()
    slow.replay = later, entry
    await deliver(later, one.ticket_id)
    assert (len(dead.had), len(slow.had)) == (2, 2)
    record = await later.store.load(one.ticket_id)
    assert record.fields.get("forwarded") == {
        Delivered: "delivered", TryLater: None, Refused: "undelivered"
    }[type(answer)]  # fmt: skip
    left = valkey.client().zscore(keys.DUE, one.ticket_id)
    assert (left is None) == (not isinstance(answer, TryLater))


async def test_a_turn_does_not_end_by_a_record_from_before_a_replay(valkey, queue, make_item, build):
    one, runtime = make_item("a"), build(Receiver("a", [Refused("status_400")]), Receiver("b", [TryLater("x", 60)]))
    queue.enqueue([one])
    await deliver(runtime, one.ticket_id)
    before = await runtime.store.load(one.ticket_id)
    [entry] = await runtime.dead.list()
    await runtime.dead.replay(entry, NOW.timestamp())
    assert not await runtime.store.settle(before)
    assert not await runtime.store.put_off(before, NOW.timestamp() + 60)
    assert valkey.client().zscore(keys.DUE, one.ticket_id) == NOW.timestamp()
    after = await runtime.store.load(one.ticket_id)
    assert await runtime.store.put_off(after, NOW.timestamp() + 60)
    assert valkey.client().zscore(keys.DUE, one.ticket_id) == NOW.timestamp() + 60
    assert await runtime.store.settle(after)
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None


async def test_after_half_of_its_lease_a_job_begins_nothing_more(valkey, queue, make_item, build):
    one = make_item("a")
    queue.enqueue([one])
    seconds = [0.0]
    slow, other = Receiver("a", meanwhile=lambda: seconds.append(30.0)), Receiver("b")
    runtime = replace(build(slow, other), clock=lambda: seconds[-1])
    assert await deliver(runtime, one.ticket_id) == "later"
    assert (len(slow.had), len(other.had)) == (1, 0)
    assert valkey.client().zscore(keys.DUE, one.ticket_id) == NOW.timestamp()
    assert await deliver(runtime, one.ticket_id) == "settled"
    assert (len(slow.had), len(other.had)) == (1, 1)


def test_a_job_whose_time_is_over_leaves_nothing_behind_for_the_next(valkey, queue, make_item, tmp_path):
    """On the process's one loop: what was pending would go on beside the next job's work."""
    one = make_item("a")
    queue.enqueue([one])
    ends: list[str] = []

    class Hanging(Receiver):
        async def deliver(self, event: Event) -> Outcome:
            try:
                await asyncio.Event().wait()
            finally:
                ends.append("cancelled")
            return Delivered()

    async def others() -> str:
        return str(len(asyncio.all_tasks()) - 1)

    with asyncio.Runner() as runner:
        client = connect_async(valkey.config, valkey.directory)
        runtime = replace(builder(client, tmp_path)(Hanging("a")), lease=8, runner=runner)
        assert runtime.run(deliver(runtime, one.ticket_id)) == "timeout"
        assert ends == ["cancelled"]
        assert not valkey.client().exists(keys.claim(one.ticket_id))
        assert runtime.run(others()) == "0"
        runner.run(client.aclose())
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is not None


def test_a_time_out_of_the_work_itself_is_not_the_end_of_the_jobs_time(valkey, tmp_path):
    async def fails() -> str:
        raise TimeoutError

    with asyncio.Runner() as runner:
        client = connect_async(valkey.config, valkey.directory)
        with pytest.raises(TimeoutError):
            replace(builder(client, tmp_path)(), runner=runner).run(fails())
        runner.run(client.aclose())
