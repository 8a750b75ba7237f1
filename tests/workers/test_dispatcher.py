"""From the stream to RQ: what is read, swept, taken over and trimmed; ids only, and nothing before its time."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from workers import keys
from workers.dispatcher import Dispatcher

NOW = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)


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


def test_with_people_on_duty_what_cannot_wait_is_also_told_on_a_lane_of_its_own(valkey, queue, make_item):
    client, calm, fire = valkey.client(), make_item("a"), make_item("b", "着火了，快来人", sequence=2)
    queue.enqueue([calm, fire])
    dispatcher = Dispatcher(client, consumer="here", lease=60, groups=("dispatch",), keep_days=7, alarm="alarm")
    dispatcher.prepare()
    dispatcher.turn()
    assert jobs(client, "alarm") == [(f"{fire.ticket_id}-1-0-alarm", [fire.ticket_id], fire.number)]
    assert jobs(client, "urgent") == [(f"{fire.ticket_id}-1-0", [fire.ticket_id], fire.number)]
