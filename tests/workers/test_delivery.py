"""From a job to a destination: claim, delivery, schedule, dead; each step recorded once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import timedelta

import pytest

from tests.workers.turns import NOW, Receiver, build, client
from workers import keys
from workers.delivery import deliver
from workers.destinations.contract import Delivered, Disabled, Refused, TryLater

__all__ = ["build", "client"]


async def test_a_delivery_is_recorded_and_the_ticket_leaves_the_schedule(valkey, queue, make_item, build):
    one, receiver = make_item("a"), Receiver("file")
    queue.enqueue([one])
    runtime = build(receiver)
    await deliver(runtime, one.ticket_id)
    assert [event.document for event in receiver.had] == [valkey.client().xrange(keys.TICKETS)[0][1][b"event"]]
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None
    record = await runtime.store.load(one.ticket_id)
    assert (record.state, record.version) == ("delivered", 2)
    [event] = record.events()
    assert event["type"] == "org.jiesu.ticket.delivered.v1"
    assert event["data"]["event_id"] == f"{one.ticket_id}.accepted"
    assert not valkey.client().exists(keys.claim(one.ticket_id))


async def test_a_second_run_of_the_job_delivers_nothing(valkey, queue, make_item, build):
    one, receiver = make_item("a"), Receiver("file")
    queue.enqueue([one])
    runtime = build(receiver)
    assert [await deliver(runtime, one.ticket_id) for _ in range(3)] == ["settled"] * 3
    assert len(receiver.had) == 1
    assert valkey.client().xlen(keys.EVENTS) == 1


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
    assert [event.id for event in receiver.had] == [f"{one.ticket_id}.accepted", f"{one.ticket_id}.3"]
    assert json.loads(receiver.had[1].document)["data"]["turn"]["text"] == "还有"
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None


async def test_a_follow_up_that_arrives_during_the_delivery_is_not_forgotten(queue, make_item, build, valkey):
    one = make_item("a")
    later = make_item("b", "还有", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",))
    queue.enqueue([one])
    receiver = Receiver("file", meanwhile=lambda: queue.enqueue([later]))
    await deliver(build(receiver), one.ticket_id)
    assert {event.id for event in receiver.had} == {f"{one.ticket_id}.accepted", f"{one.ticket_id}.2"}
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
    while (record := await build().store.load(one.ticket_id)).state != "delivered":
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
    assert record.state == "undelivered"
    assert "org.jiesu.ticket.delivery_failed.v1" in [event["type"] for event in record.events()]
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None

    receiver.answers = [Delivered()]
    await runtime.dead.replay(entry, NOW.timestamp())
    await deliver(runtime, one.ticket_id)
    assert await runtime.dead.list() == []
    assert (await runtime.store.load(one.ticket_id)).state == "delivered"
    assert len(other.had) == 1
