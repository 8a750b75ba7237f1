"""The receipt: sent once where the channel asked for it, whatever happens beside it, and its outcome recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

import pytest

from channels.contract import Delivery
from channels.reply import Allowance
from normalizer import identity, normalize
from normalizer.errors import TryAgain
from normalizer.ticket import Flag, Inbound, Raw, ReplyAddress, Requester
from tests.workers.turns import NOW, Answering, Receiver, build, client
from workers import keys
from workers.delivery import deliver
from workers.destinations.contract import TryLater
from workers.queue import item
from workers.words import WORDS

__all__ = ["build", "client"]

TO = ReplyAddress(channel="email", address="Citizen@home.example")
CITIZEN = Requester(receipt_to=TO)
NOTIFIED = "org.jiesu.ticket.notified.v1"


async def outcomes(runtime, ticket_id):
    record = await runtime.store.load(ticket_id)
    return [event["data"] for event in record.events() if event["type"] == NOTIFIED]


async def test_a_ticket_whose_channel_asks_for_a_receipt_gets_one(valkey, queue, make_item, build):
    one, channel = make_item("a", requester=CITIZEN), Answering()
    queue.enqueue([one])
    runtime = build(Receiver("file"), channel=channel)
    assert [await deliver(runtime, one.ticket_id) for _ in range(2)] == ["settled", "settled"]
    [(to, reply)] = channel.sent
    assert to == TO
    assert (reply.operation, reply.purpose, reply.language) == ("receipt", "receipt", "zh-CN")
    assert reply.source_id == "a"
    for part in (one.number, one.code, f"https://hotline.example/t/{one.number}"):
        assert part in reply.text
    [outcome] = await outcomes(runtime, one.ticket_id)
    assert (outcome["operation"], outcome["channel"], outcome["outcome"]) == ("receipt", "email", "sent")
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None
    assert (await runtime.store.load(one.ticket_id)).fields["forwarded"] == "delivered"


async def test_its_event_names_one_moment_however_fast_the_clock_goes(queue, make_item, build):
    one, moments = make_item("a", requester=CITIZEN), count()
    queue.enqueue([one])
    runtime = replace(
        build(Receiver("file"), channel=Answering()), now=lambda: NOW + timedelta(milliseconds=next(moments))
    )
    await deliver(runtime, one.ticket_id)
    record = await runtime.store.load(one.ticket_id)
    [told] = [event for event in record.events() if event["type"] == NOTIFIED]
    assert told["time"] == told["data"]["at"]


async def test_a_ticket_whose_channel_told_the_number_at_once_gets_none(queue, make_item, build):
    one, channel = make_item("a"), Answering()
    queue.enqueue([one])
    runtime = build(Receiver("file"), channel=channel)
    await deliver(runtime, one.ticket_id)
    assert channel.sent == []
    assert await outcomes(runtime, one.ticket_id) == []


async def test_a_follow_up_gets_no_second_receipt(queue, make_item, build):
    one, channel = make_item("a", requester=CITIZEN), Answering()
    later = make_item(
        "b", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",), requester=CITIZEN
    )
    queue.enqueue([one])
    await deliver(build(Receiver("file"), channel=channel), one.ticket_id)
    queue.enqueue([later])
    await deliver(build(Receiver("file"), channel=channel), one.ticket_id)
    assert len(channel.sent) == 1


async def test_a_follow_up_that_arrives_while_the_receipt_is_sent_does_not_send_it_again(
    valkey, queue, make_item, build
):
    one = make_item("a", requester=CITIZEN)
    later = make_item("b", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",))
    queue.enqueue([one])
    channel = Answering(meanwhile=lambda: queue.enqueue([later]))
    receiver = Receiver("file")
    runtime = build(receiver, channel=channel)
    assert await deliver(runtime, one.ticket_id) == "settled"
    assert len(channel.sent) == 1
    assert len(receiver.had) == 2
    assert (await runtime.store.load(one.ticket_id)).fields["forwarded"] == "delivered"
    assert valkey.client().zscore(keys.DUE, one.ticket_id) is None


@pytest.mark.parametrize("why", [TryAgain(7.0), RuntimeError("a bug"), Delivery(outcome="unknown")])
async def test_what_was_not_sent_now_is_tried_again_and_holds_up_no_delivery(valkey, queue, make_item, build, why):
    one = make_item("a", requester=CITIZEN)
    queue.enqueue([one])
    receiver, channel = Receiver("file"), Answering([why, Delivery(outcome="sent")])
    assert await deliver(build(receiver, channel=channel), one.ticket_id) == "later"
    assert len(receiver.had) == 1
    assert valkey.client().zscore(keys.DUE, one.ticket_id) > NOW.timestamp()
    runtime = build(receiver, channel=channel, now=NOW + timedelta(seconds=8))
    assert await deliver(runtime, one.ticket_id) == "settled"
    assert len(receiver.had) == 1
    assert {reply.operation for _, reply in channel.sent} == {"receipt"}
    assert [outcome["outcome"] for outcome in await outcomes(runtime, one.ticket_id)] == ["sent"]


async def test_a_doubt_lasts_until_it_is_read_back_whatever_comes_in_between(queue, make_item, build):
    """TryAgain says that nothing was written by this try, and nothing about the one before."""
    one = make_item("a", requester=CITIZEN)
    queue.enqueue([one])
    unknown, sent = Delivery(outcome="unknown"), Delivery(outcome="sent")
    channel = Answering([TryAgain(1.0), unknown, TryAgain(1.0), TryAgain(1.0), sent])
    for day in range(5):
        runtime = replace(build(Receiver("file"), channel=channel, now=NOW + timedelta(days=day)), max_attempts=10)
        await deliver(runtime, one.ticket_id)
    assert [reply.again for _, reply in channel.sent] == [False, False, True, True, True]


async def test_a_destination_that_is_down_holds_up_no_receipt(queue, make_item, build):
    one, channel = make_item("a", requester=CITIZEN), Answering()
    queue.enqueue([one])
    assert (
        await deliver(build(Receiver("hook", [TryLater("http_500", None)]), channel=channel), one.ticket_id) == "later"
    )
    assert len(channel.sent) == 1


@pytest.mark.parametrize("outcome", ["failed", "not_allowed"])
async def test_an_address_that_cannot_be_reached_is_recorded_with_the_reason(queue, make_item, build, outcome):
    one, channel = make_item("a", requester=CITIZEN), Answering([Delivery(outcome=outcome, reason="smtp_550 5.1.1")])
    queue.enqueue([one])
    runtime = build(Receiver("file"), channel=channel)
    assert [await deliver(runtime, one.ticket_id) for _ in range(2)] == ["settled", "settled"]
    assert len(channel.sent) == 1
    [recorded] = await outcomes(runtime, one.ticket_id)
    assert (recorded["outcome"], recorded["reason"]) == (outcome, "smtp_550 5.1.1")


async def test_a_channel_that_is_switched_off_is_recorded_too(queue, make_item, build):
    one = make_item("a", requester=Requester(receipt_to=ReplyAddress(channel="pager", address="1")))
    queue.enqueue([one])
    runtime = build(Receiver("file"))
    await deliver(runtime, one.ticket_id)
    [recorded] = await outcomes(runtime, one.ticket_id)
    assert (recorded["channel"], recorded["outcome"], recorded["reason"]) == ("pager", "not_allowed", "no_such_channel")


async def test_what_is_tried_enough_is_dead_and_can_be_replayed(queue, make_item, build):
    one, channel = make_item("a", requester=CITIZEN), Answering([TryAgain(1.0)])
    queue.enqueue([one])
    for day in range(4):
        runtime = build(Receiver("file"), channel=channel, now=NOW + timedelta(days=day))
        await deliver(runtime, one.ticket_id)
    assert len(channel.sent) == 3
    [entry] = await runtime.dead.list()
    assert (entry.destination, entry.event_id, entry.reason) == ("reply:receipt", "receipt", "attempts exhausted")
    assert (await runtime.store.load(one.ticket_id)).fields["forwarded"] == "delivered", "the destinations have it"
    channel.answers = [Delivery(outcome="sent")]
    await runtime.dead.replay(entry, NOW.timestamp())
    assert await deliver(runtime, one.ticket_id) == "settled"
    assert [recorded["outcome"] for recorded in await outcomes(runtime, one.ticket_id)] == ["failed", "sent"]


async def test_an_address_gets_so_many_receipts_an_hour_and_no_more(queue, make_item, build):
    channel = Answering()
    items = [make_item(str(n), sequence=n + 1, requester=CITIZEN) for n in range(5)]
    queue.enqueue(items)
    for one in items[:4]:
        runtime = build(Receiver("file"), channel=channel, per_hour=2)
        await deliver(runtime, one.ticket_id)
    assert len(channel.sent) == 2
    [recorded] = await outcomes(runtime, items[3].ticket_id)
    assert (recorded["outcome"], recorded["reason"]) == ("not_allowed", "too_many_receipts")
    after_an_hour = build(Receiver("file"), channel=channel, per_hour=2, now=NOW + timedelta(seconds=3601))
    await deliver(after_an_hour, items[4].ticket_id)
    assert len(channel.sent) == 3


async def test_a_receipt_that_is_tried_again_takes_no_second_place(queue, make_item, build):
    one, channel = make_item("a", requester=CITIZEN), Answering([TryAgain(1.0), Delivery(outcome="sent")])
    queue.enqueue([one])
    await deliver(build(Receiver("file"), channel=channel, per_hour=1), one.ticket_id)
    runtime = build(Receiver("file"), channel=channel, per_hour=1, now=NOW + timedelta(minutes=10))
    await deliver(runtime, one.ticket_id)
    assert [recorded["outcome"] for recorded in await outcomes(runtime, one.ticket_id)] == ["sent"]


async def test_no_key_holds_an_address(valkey, queue, make_item, build):
    one = make_item("a", requester=CITIZEN)
    queue.enqueue([one])
    await deliver(build(Receiver("file"), channel=Answering()), one.ticket_id)
    assert not any(b"citizen" in key.lower() for key in valkey.client().scan_iter())


@pytest.mark.parametrize(
    ("tag", "language"), [("zh-Hans", "zh-CN"), (None, "zh-CN"), ("en", "en"), ("ru", "en"), ("yue", "zh-CN")]
)
async def test_it_is_written_in_a_language_the_citizen_reads(queue, make_item, build, tag, language):
    one, channel = make_item("a", requester=Requester(receipt_to=TO, language=tag)), Answering()
    queue.enqueue([one])
    await deliver(build(Receiver("file"), channel=channel), one.ticket_id)
    if tag is None:
        return  # the normalizer found it in the text, which is Chinese
    assert channel.sent[0][1].language == language


async def test_words_that_tell_of_danger_are_answered_with_whom_to_call(queue, make_item, build):
    one, channel = make_item("a", "家里着火了，有人被困", requester=CITIZEN), Answering()
    queue.enqueue([one])
    await deliver(build(Receiver("file"), channel=channel), one.ticket_id)
    assert channel.sent[0][1].text.startswith(WORDS["zh"]["receipt"]["emergency"].strip()[:10])
    assert Flag.EMERGENCY.value.encode() in one.doc


def test_both_languages_say_the_same_things():
    assert WORDS["zh"]["receipt"].keys() == WORDS["en"]["receipt"].keys()


async def test_a_channel_hears_whether_an_earlier_try_may_have_arrived(queue, make_item, build):
    one = make_item("a", requester=CITIZEN)
    queue.enqueue([one])
    unsure, sent = Delivery(outcome="unknown", reason="timeout"), Delivery(outcome="sent")
    channel = Answering([TryAgain(1, "busy"), unsure, sent])
    for _ in range(3):
        await deliver(
            build(Receiver("file"), channel=channel, now=NOW + timedelta(hours=len(channel.sent))), one.ticket_id
        )
    assert [reply.again for _, reply in channel.sent] == [False, False, True], "after `try again` nothing had been sent"


async def test_a_channel_hears_when_the_citizen_last_wrote_on_it(queue, make_item, build):
    raw = Raw(channel="email", source_id="m", received_at=NOW, body=b"")
    inbound = Inbound(text="路灯坏了", digest="d", requester=CITIZEN)
    ticket = normalize(raw, inbound, number=identity.number(NOW.date(), 0, 9))
    one = item(ticket, inbound, code="ABCD2345", domain="hotline.example")
    elsewhere = make_item("b", sequence=2, threads=(f"number:{one.number}",), senders=("code:ABCD2345",))
    queue.enqueue([one, elsewhere])
    channel = Answering()
    await deliver(build(Receiver("file"), channel=channel), one.ticket_id)
    [(_, reply)] = channel.sent
    assert reply.asked_at == NOW, "the later message came by another channel"


async def test_where_calls_are_counted_a_receipt_is_left_out_when_they_are_nearly_spent(queue, make_item, build):
    @dataclass
    class Counted(Answering):
        allowance: Allowance = field(default_factory=lambda: Allowance(calls=2, per_day=8))

    channel, receiver = Counted(), Receiver("file")
    every = [make_item(name, sequence=n + 1, requester=CITIZEN) for n, name in enumerate("ab")]
    queue.enqueue(every)
    runtime = build(receiver, channel=channel)
    for one in every:
        assert await deliver(runtime, one.ticket_id) == "settled"
    assert len(channel.sent) == 1, "half of what may be used at once is kept for people's words"
    [outcome] = await outcomes(runtime, every[1].ticket_id)
    assert (outcome["outcome"], outcome["reason"]) == ("not_allowed", "allowance_spent")
