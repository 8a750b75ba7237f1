"""The list of calls: nobody holds what is held, each try is on record, and each call comes to its end."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from normalizer.errors import Rejected
from normalizer.life import StepName
from normalizer.ticket import ReplyAddress, Requester
from tests.workers.lives import CALLER, LAMP, NOTIFIED, OPERATOR, OTHER_PHONE, PHONE, Walk
from tests.workers.regions import town
from tests.workers.turns import NOW, Receiver, build, client
from workers import keys
from workers.calls import CallOutcome, Calls, Try
from workers.lifecycle import Illegal

__all__ = ["build", "client"]


@pytest.fixture
def called(queue, make_item, build):
    """A ticket whose answer waits on the list."""

    async def start(n: int = 1, requester: Requester = CALLER) -> Walk:
        one = make_item(str(n), LAMP, sequence=n, requester=requester)
        queue.enqueue([one])
        it = Walk(build(Receiver("file"), region=town()), one.ticket_id, {})
        await it.turn()
        await it.reply()
        return it

    return start


def calls_of(it: Walk, attempts: int = 3) -> Calls:
    return Calls(it.runtime.store, town(), it.runtime.site, attempts=attempts)


def said(operator: str, outcome: CallOutcome, words: str | None = None) -> Try:
    """Under a key of its own."""
    return Try(operator, uuid4().hex, outcome, words)


async def test_a_call_says_whom_and_what(called):
    it = await called()
    calls = calls_of(it)
    [row] = await calls.rows(NOW, start=0, count=10)
    assert PHONE not in repr(row)
    [call] = await calls.lease("wang", NOW, seconds=60)
    assert (call.phone, call.tries, call.id) == (PHONE, 0, row.id)
    assert "路灯已修好。" in call.text


async def test_who_was_reached_was_told_and_the_ticket_is_closed(called, valkey):
    it = await called()
    calls = calls_of(it)
    [call] = await calls.lease("wang", NOW, seconds=60)
    done = await calls.record(call.id, said("wang", CallOutcome.REACHED, "本人，表示满意"), NOW)
    assert not done.stays
    data = [event["data"] for event in (await it.record()).events() if event["type"] == NOTIFIED][-1]
    assert (data["outcome"], data["channel"], data["by"], data["said"]) == ("sent", "call", "wang", "本人，表示满意")
    assert valkey.client().zscore(keys.DUE, it.ticket_id) == NOW.timestamp()
    await it.turn()
    record = await it.record()
    assert record.state == "closed"
    assert record.events()[-1]["data"]["reason"] == "told by call"
    assert await calls.count() == 0
    assert valkey.client().hlen(keys.leases(keys.CALLS)) == 0


async def test_without_an_answer_it_stays_so_many_times_and_then_it_is_on_record(called):
    it = await called()
    calls = calls_of(it, attempts=3)
    stays = []
    for _ in range(3):
        it.later(hours=1)
        [call] = await calls.lease("wang", it.now, seconds=60)
        stays.append((await calls.record(call.id, said("wang", CallOutcome.NO_ANSWER), it.now)).stays)
        await it.turn()
    assert stays == [True, True, False]
    record = await it.record()
    assert record.state == "closed"
    assert record.events()[-1]["data"]["reason"] == "could not be told: no_answer"
    assert [outcome for _, outcome in (await it.outcomes())][-4:] == ["waiting", "failed", "failed", "failed"]


async def test_who_does_not_answer_waits_behind_the_others(called):
    first, second = await called(1), await called(2)
    calls = calls_of(first)
    first.later(minutes=1)
    [call] = await calls.lease("wang", first.now, seconds=60)
    await calls.record(call.id, said("wang", CallOutcome.NO_ANSWER), first.now)
    [next_one] = await calls.lease("wang", first.now, seconds=60)
    assert {call.id.partition(":")[0], next_one.id.partition(":")[0]} == {first.ticket_id, second.ticket_id}


async def test_a_wrong_number_is_the_end_of_that_number_only(called):
    two = Requester(phone=OTHER_PHONE, reply_to=(ReplyAddress(channel="phone", address=PHONE),))
    it = await called(requester=two)
    calls = calls_of(it)
    [call] = await calls.lease("wang", NOW, seconds=60)
    assert call.phone == PHONE
    await calls.record(call.id, said("wang", CallOutcome.WRONG_NUMBER), NOW)
    await it.turn()
    [call] = await calls.lease("wang", NOW, seconds=60)
    assert call.phone == OTHER_PHONE
    await calls.record(call.id, said("wang", CallOutcome.WRONG_NUMBER), NOW)
    await it.turn()
    assert (await it.record()).events()[-1]["data"]["reason"] == "could not be told: wrong_number"


async def test_two_operators_never_hold_one_call_and_none_is_forgotten(called):
    walks = [await called(n) for n in range(1, 6)]
    calls = calls_of(walks[0])
    operators = [f"operator{n}" for n in range(8)]
    found = await asyncio.gather(*(calls.lease(one, NOW, seconds=60, count=2) for one in operators))
    held = [call.id for each in found for call in each]
    assert len(held) == len(set(held)) == 5
    walks[0].later(seconds=61)
    again = await calls.lease("later", walks[0].now, seconds=60, count=10)
    assert len(again) == 5, "a lease ends by itself"


async def test_only_who_holds_it_records_it(called):
    it = await called()
    calls = calls_of(it)
    [call] = await calls.lease("wang", NOW, seconds=60)
    with pytest.raises(Illegal) as refused:
        await calls.record(call.id, said("li", CallOutcome.REACHED), NOW)
    assert refused.value.code == "not_held"
    await calls.give_back("wang", call.id, NOW)
    with pytest.raises(Illegal):
        await calls.record(call.id, said("wang", CallOutcome.REACHED), NOW)
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("call", "waiting")]


async def test_what_was_recorded_cannot_be_recorded_again(called):
    it = await called()
    calls = calls_of(it)
    [call] = await calls.lease("wang", NOW, seconds=60)
    await calls.record(call.id, said("wang", CallOutcome.REACHED), NOW)
    with pytest.raises(Illegal) as refused:
        await calls.record(call.id, said("wang", CallOutcome.WRONG_NUMBER), NOW)
    assert refused.value.code == "missing"


@pytest.mark.parametrize("outcome", CallOutcome)
async def test_an_outcome_whose_answer_was_lost_is_said_again_and_counts_once(called, outcome):
    """Also after the line went on: the list forgot it, or somebody else holds it now."""
    it = await called()
    calls = calls_of(it, attempts=2)
    [call] = await calls.lease("wang", NOW, seconds=60)
    once = Try("wang", "k", outcome, "本人")
    first = await calls.record(call.id, once, NOW)
    assert first.stays == (outcome is CallOutcome.NO_ANSWER)
    assert await calls.record(call.id, once, NOW) == first
    await calls.lease("li", NOW, seconds=60)
    if first.stays:
        assert not (await calls.record(call.id, Try("li", "k", outcome), NOW)).stays, "a key is its sender's own"
    await it.turn()
    before = (await it.record()).version
    assert await calls.record(call.id, once, NOW) == first
    assert (await it.record()).version == before


@pytest.mark.parametrize("other", [(CallOutcome.WRONG_NUMBER, "本人"), (CallOutcome.REACHED, None)])
async def test_a_key_says_one_thing_only(called, other):
    it = await called()
    calls = calls_of(it)
    [call] = await calls.lease("wang", NOW, seconds=60)
    await calls.record(call.id, Try("wang", "k", CallOutcome.REACHED, "本人"), NOW)
    with pytest.raises(Rejected) as refused:
        await calls.record(call.id, Try("wang", "k", *other), NOW)
    assert refused.value.code == "conflict"


async def test_a_call_that_a_later_answer_makes_pointless_leaves_the_list(called, queue, make_item):
    it = await called()
    calls = calls_of(it)
    [old] = await calls.rows(NOW, start=0, count=10)
    follow_up = make_item(
        "more",
        "又坏了",
        sequence=9,
        threads=(f"number:{(await it.record()).number}",),
        senders=(f"code:{(await it.record()).fields['code']}",),
    )
    queue.enqueue([follow_up])
    await it.turn()
    assert (await it.record()).state == "triage"
    assert [row.id for row in await calls.rows(NOW, start=0, count=10)] == [old.id], "the answer is still owed"
    await it.take(StepName.DISPATCH, OPERATOR, lead="north_lamp", reason="再办")
    await it.reply("换了新灯。")
    [new] = await calls.rows(NOW, start=0, count=10)
    assert new.id != old.id
    [call] = await calls.lease("wang", NOW, seconds=60)
    assert "换了新灯。" in call.text
