"""From the stream to a destination: dispatcher, claim, delivery, schedule, dead; each step recorded once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from redis.asyncio import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from workers import keys
from workers.blobs import Blobs
from workers.connect import connect_async
from workers.dead import Dead
from workers.delivery import deliver
from workers.destinations.contract import Delivered, Disabled, Event, Outcome, Refused, TryLater
from workers.dispatcher import Dispatcher
from workers.runtime import Runtime
from workers.store import Store

NOW = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)


@dataclass
class Receiver:
    """A downstream system that answers as it is told; its last answer stays."""

    name: str
    answers: list[Outcome] = field(default_factory=lambda: [Delivered()])
    had: list[Event] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def deliver(self, event: Event) -> Outcome:
        self.had.append(event)
        self.meanwhile()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def close(self) -> None: ...


@pytest.fixture
async def client(valkey) -> AsyncIterator[Redis]:
    async with connect_async(valkey.config, valkey.directory) as client:
        yield client


@pytest.fixture
def build(client, tmp_path):
    def make(*receivers: Receiver, now: datetime = NOW) -> Runtime:
        return Runtime(
            store=Store(client, domain="hotline.example"),
            dead=Dead(client),
            blobs=Blobs(tmp_path),
            destinations={r.name: r for r in receivers},
            lease=60,
            max_attempts=3,
            now=lambda: now,
            jitter=lambda: 0.0,
            runner=None,
        )

    return make


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


@pytest.fixture
def dispatcher(valkey) -> Dispatcher:
    dispatcher = Dispatcher(
        valkey.client(), consumer="here", lease=60, groups=("dispatch",), keep_days=7, clock=lambda: 0.0
    )
    dispatcher.prepare()
    return dispatcher


def jobs(client, name: str) -> list[tuple[str, list, str]]:
    found = Queue(name, connection=client, serializer=JSONSerializer).get_jobs()
    return [(job.id, list(job.args), job.description) for job in found]


def test_the_dispatcher_enqueues_ids_only_and_acknowledges(valkey, queue, make_item, dispatcher):
    client, calm, fire = valkey.client(), make_item("a"), make_item("b", "着火了，快来人", sequence=2)
    queue.enqueue([calm, fire])
    dispatcher.turn()
    assert jobs(client, "dispatch") == [(f"{calm.ticket_id}-1-0", [calm.ticket_id], calm.number)]
    assert jobs(client, "urgent") == [(f"{fire.ticket_id}-1-0", [fire.ticket_id], fire.number)]
    assert client.xpending(keys.TICKETS, keys.GROUP)["pending"] == 0


def test_what_is_overdue_is_enqueued_again_and_then_left_alone(valkey, queue, make_item, dispatcher):
    client, one = valkey.client(), make_item("a")
    queue.enqueue([one])
    assert dispatcher.sweep() == 0
    client.zadd(keys.DUE, {one.ticket_id: 1})
    assert [dispatcher.sweep(), dispatcher.sweep()] == [1, 0]
    assert [id for id, _, _ in jobs(client, "dispatch")] == [f"{one.ticket_id}-1-1"]


def follow(make_item, one, text: str):
    return make_item("m", text, sequence=90, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",))


def test_an_emergency_in_a_follow_up_is_an_urgent_job_at_the_next_turn(valkey, queue, make_item, dispatcher):
    client, one = valkey.client(), make_item("a")
    queue.enqueue([one])
    dispatcher.turn()
    queue.enqueue([follow(make_item, one, "着火了，有人被困")])
    assert dispatcher.sweep() == 1
    assert jobs(client, "urgent") == [(f"{one.ticket_id}-2-1", [one.ticket_id], one.number)]


@pytest.fixture
def overdue(valkey, queue, make_item):
    """A calm ticket and a fire, whose jobs were lost."""
    calm, fire = make_item("calm"), make_item("fire", "着火了，快来人", sequence=2)
    queue.enqueue([calm, fire])
    valkey.client().zadd(keys.DUE, {calm.ticket_id: 1, fire.ticket_id: 2})
    return calm, fire


def test_a_long_line_for_dispatch_does_not_stop_what_is_urgent(valkey, overdue, dispatcher, monkeypatch):
    client, (calm, fire) = valkey.client(), overdue
    Queue("dispatch", connection=client, serializer=JSONSerializer).enqueue("workers.jobs.deliver", "t")
    monkeypatch.setattr("workers.dispatcher.HIGH_WATER", 0)
    assert dispatcher.sweep() == 1
    assert [args for _, args, _ in jobs(client, "urgent")] == [[fire.ticket_id]]
    assert client.zscore(keys.DUE, calm.ticket_id) == 1, "waits for room"


def test_a_long_line_of_the_urgent_does_not_stop_the_others(valkey, overdue, dispatcher, monkeypatch):
    client, (calm, fire) = valkey.client(), overdue
    Queue("urgent", connection=client, serializer=JSONSerializer).enqueue("workers.jobs.deliver", "t")
    monkeypatch.setattr("workers.dispatcher.HIGH_WATER", 0)
    assert dispatcher.sweep() == 1
    assert [args for _, args, _ in jobs(client, "dispatch")] == [[calm.ticket_id]]
    assert client.hget(keys.ticket(fire.ticket_id), "attempts") is None
    assert client.zscore(keys.DUE, fire.ticket_id) > 2, "comes round again"


def test_the_urgent_are_swept_before_any_number_that_is_due_longer(
    valkey, queue, make_item, overdue, dispatcher, monkeypatch
):
    _, fire = overdue
    monkeypatch.setattr("workers.dispatcher.COUNT", 1)
    dispatcher.sweep()
    assert [args for _, args, _ in jobs(valkey.client(), "urgent")] == [[fire.ticket_id]]


def test_an_emergency_that_is_delivered_is_looked_at_no_more(valkey, overdue, dispatcher):
    client, (_, fire) = valkey.client(), overdue
    assert client.smembers(keys.IMMEDIATE) == {fire.ticket_id.encode()}
    client.zrem(keys.DUE, fire.ticket_id)
    dispatcher.sweep()
    assert not client.exists(keys.IMMEDIATE)
    assert jobs(client, "urgent") == []


def test_entries_of_a_dead_consumer_are_taken_over(valkey, queue, make_item, dispatcher, monkeypatch):
    client, one = valkey.client(), make_item("a")
    queue.enqueue([one])
    client.xreadgroup(keys.GROUP, "gone", {keys.TICKETS: ">"})
    monkeypatch.setattr("workers.dispatcher.ABANDONED_AFTER", 0)
    dispatcher.keep_house()
    assert [args for _, args, _ in jobs(client, "dispatch")] == [[one.ticket_id]]


def test_entries_read_but_not_enqueued_before_a_crash_are_read_again(valkey, queue, make_item, dispatcher):
    client, one = valkey.client(), make_item("a")
    queue.enqueue([one])
    client.xreadgroup(keys.GROUP, "here", {keys.TICKETS: ">"})
    dispatcher.keep_house()
    assert [args for _, args, _ in jobs(client, "dispatch")] == [[one.ticket_id]]


def test_an_entry_that_announces_no_ticket_is_dead_after_three_recorded_failures(valkey, dispatcher):
    client = valkey.client()
    client.xadd(keys.TICKETS, {"event": "no json"})
    client.xadd(keys.TICKETS, {"other": "1"})
    dispatcher.turn()
    dispatcher.keep_house()
    assert client.hlen(keys.DEAD) == 2
    assert client.xpending(keys.TICKETS, keys.GROUP)["pending"] == 0


def test_the_group_is_made_again_when_an_older_copy_lacks_it(valkey, queue, make_item, dispatcher):
    client, one = valkey.client(), make_item("a")
    queue.enqueue([one])
    client.xgroup_destroy(keys.TICKETS, keys.GROUP)
    dispatcher.turn()
    dispatcher.turn()
    assert [args for _, args, _ in jobs(client, "dispatch")] == [[one.ticket_id]]


@pytest.mark.parametrize("acknowledged", [0, 2, 5])
def test_trimming_stops_at_the_first_entry_somebody_needs(valkey, queue, make_item, dispatcher, acknowledged):
    client = valkey.client()
    queue.enqueue([make_item(f"s{n}", sequence=n + 1) for n in range(5)])
    ids = [id for id, _ in client.xrange(keys.TICKETS)]
    client.xreadgroup(keys.GROUP, "other", {keys.TICKETS: ">"})
    if acknowledged:
        client.xack(keys.TICKETS, keys.GROUP, *ids[:acknowledged])
    dispatcher.keep_house()
    assert [id for id, _ in client.xrange(keys.TICKETS)] == ids[acknowledged:]


def test_another_group_holds_entries_but_not_for_ever(valkey, queue, make_item, dispatcher):
    client = valkey.client()
    client.xgroup_create(keys.TICKETS, "downstream", id="0")
    old = client.xadd(keys.TICKETS, {"event": "{}"}, id="1-1")
    queue.enqueue([make_item("a")])
    client.xreadgroup(keys.GROUP, "other", {keys.TICKETS: ">"})
    client.xack(keys.TICKETS, keys.GROUP, *(id for id, _ in client.xrange(keys.TICKETS)))
    dispatcher.keep_house()
    left = [id for id, _ in client.xrange(keys.TICKETS)]
    assert old not in left
    assert len(left) == 1


def hold_house(valkey, *groups: str) -> Dispatcher:
    dispatcher = Dispatcher(valkey.client(), consumer="here", lease=60, groups=groups, keep_days=7, clock=lambda: 0.0)
    dispatcher.prepare()
    return dispatcher


def read_all(client, group: str) -> list[bytes]:
    """Read and acknowledged."""
    answer = client.xreadgroup(group, "reader", {keys.TICKETS: ">"})
    ids = [id for id, _ in (answer[0][1] if answer else [])]
    if ids:
        client.xack(keys.TICKETS, group, *ids)
    return ids


def test_a_named_group_has_every_entry_though_its_reader_never_started(valkey, queue, make_item):
    client, dispatcher = valkey.client(), hold_house(valkey, "dispatch", "city")
    queue.enqueue([make_item(f"s{n}", sequence=n + 1) for n in range(3)])
    dispatcher.turn()
    dispatcher.keep_house()
    assert len(read_all(client, "city")) == 3
    dispatcher.keep_house()
    assert client.xlen(keys.TICKETS) == 0


def test_nothing_is_trimmed_while_a_named_group_is_gone_and_it_is_made_again(valkey, queue, make_item):
    client, dispatcher = valkey.client(), hold_house(valkey, "dispatch", "city")
    queue.enqueue([make_item("a")])
    dispatcher.turn()
    client.xgroup_destroy(keys.TICKETS, "city")
    dispatcher.keep_house()
    assert client.xlen(keys.TICKETS) == 1
    assert len(read_all(client, "city")) == 1


def test_a_queue_that_is_nearly_full_is_told_once_every_time(own_valkey):
    client, dispatcher = own_valkey.client(), hold_house(own_valkey, "dispatch")
    dispatcher.keep_house()  # scripts and connections take their memory
    with structlog.testing.capture_logs() as told:
        for share in (0, 0.5, 0.8, 0.8, 0.5, 0.8):
            used = client.info("memory")["used_memory"]
            client.config_set("maxmemory", round(used / share) if share else 0)
            dispatcher.keep_house()
    assert [(entry["event"], entry["log_level"]) for entry in told] == [("queue_memory_high", "error")] * 2
    assert all(70 <= entry["percent"] <= 95 for entry in told)


@pytest.mark.parametrize("subject", ["a b", "t" * 28, "", "../../x"])
def test_a_foreign_entry_with_an_impossible_id_does_not_stop_the_next(valkey, queue, make_item, dispatcher, subject):
    client, one = valkey.client(), make_item("a")
    data = {"number": one.number, "urgency": {"tier": "7d"}}
    client.xadd(keys.TICKETS, {"event": json.dumps({"subject": subject, "data": data})})
    queue.enqueue([one])
    dispatcher.turn()
    assert [args for _, args, _ in jobs(client, "dispatch")] == [[one.ticket_id]]
