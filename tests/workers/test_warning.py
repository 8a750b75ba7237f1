"""Early warning: an alarm is put on record once, told level by level, and rests when somebody has it in hand."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from channels.contract import Delivery
from normalizer.errors import TryAgain
from normalizer.life import Actor, Role
from normalizer.ticket import Flag, Tier
from tests.workers.regions import town
from tests.workers.turns import NOW, Answering, Receiver, build, client
from workers import keys
from workers.alarm_config import AlarmsConfig, AlikeConfig, PersonConfig
from workers.alarms import page, take
from workers.delivery import deliver, warn
from workers.destinations.contract import TryLater
from workers.warning import Alarms, Person, acknowledge

__all__ = ["build", "client"]

ALARMED = "org.jiesu.ticket.alarmed.v1"
LATER = timedelta(seconds=601)
EVERY = timedelta(minutes=13)


def hook(level: int = 1) -> PersonConfig:
    return PersonConfig.model_validate(
        {"level": level, "via": {"type": "webhook", "url": "https://duty.example", "secret_file": "s"}}
    )


def alarms(*people: tuple[Receiver, int], **more) -> Alarms:
    return Alarms(AlarmsConfig(**more), {one.name: Person(one.name, hook(level), one) for one, level in people})


async def told(runtime, ticket_id) -> list[tuple[str | None, str | None]]:
    record = await runtime.store.load(ticket_id)
    found = [event["data"] for event in record.events() if event["type"] == ALARMED]
    return [(data.get("person"), data.get("outcome")) for data in found]


@pytest.mark.parametrize(
    "what", [{"tier": Tier.IMMEDIATE}, {"flags": (Flag.GROUP_EVENT,)}, {"flags": (Flag.VIOLENCE,)}]
)
async def test_what_cannot_wait_is_told_at_once_and_goes_by_the_urgent_lane(valkey, queue, make_item, build, what):
    one, duty = make_item("a", **what), Receiver("duty")
    queue.enqueue([one])
    assert valkey.client().sismember(keys.IMMEDIATE, one.ticket_id)
    runtime = build(Receiver("file"), alarms=alarms((duty, 1)))
    assert [await deliver(runtime, one.ticket_id) for _ in range(2)] == ["settled"] * 2
    assert await told(runtime, one.ticket_id) == [(None, None), ("duty", "told")]
    document = json.loads(duty.had[0].document)
    assert (document["id"], document["type"]) == (f"{one.ticket_id}.alarm:duty", ALARMED)
    assert "路灯" not in duty.had[0].document.decode(), "no words of the citizen leave"
    assert len(duty.had) == 1


async def test_an_ordinary_ticket_alarms_nobody(queue, make_item, build):
    one, duty = make_item("a"), Receiver("duty")
    queue.enqueue([one])
    runtime = build(Receiver("file"), alarms=alarms((duty, 1)))
    await deliver(runtime, one.ticket_id)
    assert duty.had == []
    assert await told(runtime, one.ticket_id) == []


async def test_the_next_level_is_told_when_nobody_acknowledges(valkey, queue, make_item, build):
    one, duty, chief = make_item("a", tier=Tier.IMMEDIATE), Receiver("duty"), Receiver("chief")
    queue.enqueue([one])
    both = alarms((duty, 1), (chief, 2))
    assert await deliver(build(Receiver("file"), alarms=both), one.ticket_id) == "later"
    assert (len(duty.had), len(chief.had)) == (1, 0)
    assert valkey.client().zscore(keys.DUE, one.ticket_id) == (NOW + timedelta(seconds=600)).timestamp()
    runtime = build(Receiver("file"), alarms=both, now=NOW + LATER)
    assert await deliver(runtime, one.ticket_id) == "settled"
    assert (len(duty.had), len(chief.had)) == (1, 1)


async def test_an_acknowledgement_spares_the_next_level_and_takes_it_off_the_list(valkey, queue, make_item, build):
    one, duty, chief = make_item("a", tier=Tier.IMMEDIATE), Receiver("duty"), Receiver("chief")
    queue.enqueue([one])
    both = alarms((duty, 1), (chief, 2))
    runtime = build(Receiver("file"), alarms=both)
    await deliver(runtime, one.ticket_id)
    listed = keys.waiting(keys.ALARMS)
    assert valkey.client().zrange(listed, 0, -1) == [one.ticket_id.encode()]
    by = Actor(role=Role.OPERATOR, id="zhang")
    assert [await acknowledge(runtime.store, one.ticket_id, by, NOW) for _ in range(2)] == [True, False]
    assert valkey.client().zcard(listed) == 0
    assert await deliver(build(Receiver("file"), alarms=both, now=NOW + LATER), one.ticket_id) == "settled"
    assert chief.had == []
    last = (await runtime.store.load(one.ticket_id)).events()[-1]
    assert last["data"]["by"] == {"role": "operator", "id": "zhang"}


async def test_a_person_whose_webhook_is_down_holds_up_nobody(queue, make_item, build):
    one, down, other = make_item("a", tier=Tier.IMMEDIATE), Receiver("a", [TryLater("timeout", None)]), Receiver("b")
    queue.enqueue([one])
    file = Receiver("file")
    runtime = build(file, alarms=alarms((down, 1), (other, 1)))
    assert await deliver(runtime, one.ticket_id) == "later"
    assert (len(other.had), len(file.had)) == (1, 1)


async def follow_up(queue, make_item, one, **what) -> None:
    more = make_item(
        "b", "还没有修", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",), **what
    )
    queue.enqueue([more])


async def test_a_reason_that_comes_later_is_an_alarm_of_its_own_though_the_first_is_in_hand(
    valkey, queue, make_item, build
):
    one, duty, chief = make_item("a", flags=(Flag.GROUP_EVENT,)), Receiver("duty"), Receiver("chief")
    queue.enqueue([one])
    both = alarms((duty, 1), (chief, 2))
    runtime = build(Receiver("file"), alarms=both)
    await deliver(runtime, one.ticket_id)
    zhang, li = (Actor(role=Role.OPERATOR, id=id) for id in ("zhang", "li"))
    assert await acknowledge(runtime.store, one.ticket_id, zhang, NOW)
    await follow_up(queue, make_item, one, flags=(Flag.SELF_HARM, Flag.GROUP_EVENT), tier=Tier.IMMEDIATE)
    assert [await deliver(runtime, one.ticket_id) for _ in range(2)] == ["later"] * 2
    first, second = (json.loads(event.document) for event in duty.had)
    assert (first["id"], second["id"]) == (f"{one.ticket_id}.alarm:duty", f"{one.ticket_id}.alarm:duty:2")
    assert second["data"]["reasons"] == ["flag group_event", "tier immediate", "flag self_harm"]
    listed = keys.waiting(keys.ALARMS)
    assert valkey.client().zrange(listed, 0, -1) == [one.ticket_id.encode()]
    assert await deliver(build(Receiver("file"), alarms=both, now=NOW + LATER), one.ticket_id) == "settled"
    [row] = (await page(runtime.store, NOW, start=0, count=9)).rows
    assert [one["person"] for one in row["told"]] == ["duty", "chief"], "who was told of the last alarm"
    assert len(chief.had) == 1, "zhang's word silences the first alarm only"
    taken = [await take(runtime.store, one.number, by, NOW) for by in (li, zhang)]
    assert [(hand.by, hand.repeated) for hand in taken] == [("operator:li", False), ("operator:li", True)]
    assert valkey.client().zcard(listed) == 0


async def test_a_follow_up_without_a_new_reason_alarms_nobody_again(queue, make_item, build):
    one, duty = make_item("a", flags=(Flag.SELF_HARM,), tier=Tier.IMMEDIATE), Receiver("duty")
    queue.enqueue([one])
    runtime = build(Receiver("file"), alarms=alarms((duty, 1)))
    await deliver(runtime, one.ticket_id)
    await follow_up(queue, make_item, one, flags=(Flag.SELF_HARM,), tier=Tier.IMMEDIATE)
    assert await deliver(runtime, one.ticket_id) == "settled"
    assert len(duty.had) == 1


async def test_a_later_reason_does_not_put_off_who_was_to_be_told_next(valkey, queue, make_item, build):
    one, duty, chief = make_item("a", flags=(Flag.GROUP_EVENT,)), Receiver("duty"), Receiver("chief")
    queue.enqueue([one])
    both = alarms((duty, 1), (chief, 2))
    await deliver(build(Receiver("file"), alarms=both), one.ticket_id)
    await follow_up(queue, make_item, one, tier=Tier.IMMEDIATE)
    later = NOW + timedelta(seconds=500)
    assert await deliver(build(Receiver("file"), alarms=both, now=later), one.ticket_id) == "later"
    assert (len(duty.had), len(chief.had)) == (2, 0)
    assert valkey.client().zscore(keys.DUE, one.ticket_id) == (NOW + timedelta(seconds=600)).timestamp()
    assert valkey.client().zscore(keys.waiting(keys.ALARMS), one.ticket_id) == NOW.timestamp(), "it keeps its place"
    await deliver(build(Receiver("file"), alarms=both, now=NOW + LATER), one.ticket_id)
    assert [json.loads(event.document)["data"]["reasons"] for event in chief.had] == [
        ["flag group_event", "tier immediate"]
    ]


async def test_with_nobody_on_duty_it_is_on_record_and_on_the_list(valkey, queue, make_item, build):
    one = make_item("a", tier=Tier.IMMEDIATE)
    queue.enqueue([one])
    runtime = build(Receiver("file"))
    assert await deliver(runtime, one.ticket_id) == "settled"
    assert await told(runtime, one.ticket_id) == [(None, None)]
    assert valkey.client().zcard(keys.waiting(keys.ALARMS)) == 1


@pytest.mark.parametrize(
    ("answer", "outcome"), [(Delivery(outcome="sent"), "told"), (Delivery(outcome="failed", reason="x"), "failed")]
)
async def test_a_person_can_be_told_by_a_channel(queue, make_item, build, answer, outcome):
    one, channel = make_item("a", tier=Tier.IMMEDIATE), Answering([TryAgain(1.0), answer])
    queue.enqueue([one])
    config = PersonConfig(channel="email", address="duty@city.example")
    duty = Alarms(AlarmsConfig(), {"duty": Person("duty", config, None)})
    assert await deliver(build(Receiver("file"), alarms=duty, channel=channel), one.ticket_id) == "later"
    runtime = build(Receiver("file"), alarms=duty, channel=channel, now=NOW + timedelta(minutes=10))
    await deliver(runtime, one.ticket_id)
    assert (await told(runtime, one.ticket_id))[-1] == ("duty", outcome)
    assert {(to.address, reply.purpose) for to, reply in channel.sent} == {("duty@city.example", "alarm")}
    assert len({reply.operation for _, reply in channel.sent}) == 1


async def test_many_alike_in_one_street_are_an_alarm_once_a_round(queue, make_item, build):
    duty = Receiver("duty")
    few = alarms((duty, 1), alike=AlikeConfig(count=3, minutes=60))
    for n in range(5):
        one = make_item(f"lamp{n}", "城北柳树街的路灯坏了", sequence=n + 1)
        queue.enqueue([one])
        await deliver(build(Receiver("file"), alarms=few, region=town()), one.ticket_id)
    assert len(duty.had) == 1
    assert json.loads(duty.had[0].document)["data"]["reasons"] == ["3 alike in willow"]


async def test_at_a_steady_rate_many_alike_are_one_alarm_a_span(valkey, build):
    alike = build(alarms=alarms(alike=AlikeConfig(count=5, minutes=60))).alike

    async def counted(first: int, last: int) -> list[tuple[str, int]]:
        found = [(f"t{n}", await alike.crosses("willow", "lamp", f"t{n}", NOW + n * EVERY)) for n in range(first, last)]
        return [(ticket, count) for ticket, count in found if count is not None]

    assert await counted(0, 20) == [("t4", 5)], "the count stays at five, and t5, t6, … are no alarms"
    assert await alike.crosses("willow", "lamp", "t4", NOW + 4 * EVERY) is not None, "a job cut short asks again"
    told = keys.alike_told("willow", "lamp")
    assert 0 < valkey.client().pttl(told) <= 3_600_000
    valkey.client().delete(told)  # as its time does: it runs by the clock of Redis
    assert await counted(20, 25) == [("t20", 5)]


async def test_alike_in_other_streets_or_too_far_apart_are_none(queue, make_item, build):
    duty = Receiver("duty")
    few = alarms((duty, 1), alike=AlikeConfig(count=2, minutes=60))
    for n, (text, hours) in enumerate(
        [("城北柳树街的路灯坏了", 0), ("城南榆树街的路灯坏了", 0), ("城北柳树街的路灯坏了", 2)]
    ):
        one = make_item(f"lamp{n}", text, sequence=n + 1)
        queue.enqueue([one])
        now = NOW + timedelta(hours=hours)
        await deliver(build(Receiver("file"), alarms=few, region=town(), now=now), one.ticket_id)
    assert duty.had == []


async def test_on_its_own_lane_people_are_told_and_nothing_else_is_done(valkey, queue, make_item, build):
    one, duty, file = make_item("a", tier=Tier.IMMEDIATE), Receiver("duty"), Receiver("file")
    queue.enqueue([one])
    runtime = build(file, alarms=alarms((duty, 1)))
    assert [await warn(runtime, one.ticket_id) for _ in range(2)] == ["told", "told"]
    assert (len(duty.had), file.had) == (1, [])
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is not None, "the rest is still to be done"
    assert await deliver(runtime, one.ticket_id) == "settled"
    assert (len(duty.had), len(file.had)) == (1, 1)


async def test_a_person_who_cannot_be_reached_now_is_tried_again_by_the_delivery(queue, make_item, build):
    one, duty = make_item("a", tier=Tier.IMMEDIATE), Receiver("duty", [TryLater("timeout", None)])
    queue.enqueue([one])
    people = alarms((duty, 1))
    assert await warn(build(Receiver("file"), alarms=people), one.ticket_id) == "told"
    assert await deliver(build(Receiver("file"), alarms=people), one.ticket_id) == "later"
    assert len(duty.had) == 1
    await deliver(build(Receiver("file"), alarms=people, now=NOW + timedelta(minutes=1)), one.ticket_id)
    assert len(duty.had) == 2
