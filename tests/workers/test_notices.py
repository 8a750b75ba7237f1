"""What a citizen is told, in which words, along which addresses: each at most once, and how it ended is on record."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.contract import Delivery
from normalizer.errors import TryAgain
from normalizer.life import Outcome, StepName
from normalizer.ticket import Flag, ReplyAddress, Requester, Undelivered
from tests.workers.lives import BOTH, CALLER, LAMP, MAIL, OPERATOR, SMS, WRITER, OnceOnly, Walk
from tests.workers.regions import town
from tests.workers.turns import NOW, Answering, Receiver, build, builder, client
from workers import keys
from workers.connect import connect_async
from workers.ending import is_over
from workers.region import Notices
from workers.returned import Returns
from workers.words import WORDS

__all__ = ["build", "client"]

SENT = Delivery(outcome="sent", reference="ref")
FAILED = Delivery(outcome="failed", reason="gone")
NOT_ALLOWED = Delivery(outcome="not_allowed", reason="window_closed")
UNKNOWN = Delivery(outcome="unknown", reason="timeout")


@pytest.fixture
def walk(queue, make_item, build):
    async def start(requester: Requester, channels=None, text: str = LAMP, region=None, **of) -> Walk:
        one = make_item("a", text, requester=requester, **of)
        queue.enqueue([one])
        runtime = build(Receiver("file"), region=region or town())
        walk = Walk(runtime, one.ticket_id, {"email": Answering()} if channels is None else channels)
        await walk.turn()
        return walk

    return start


async def test_each_step_that_the_region_names_is_told_once(walk):
    it = await walk(WRITER)
    mail = it.channels["email"]
    await it.take(StepName.SIGN)
    await it.take(StepName.PROGRESS, text="在修")
    await it.take(StepName.EXTEND, until=NOW + timedelta(days=9), reason="等配件")
    await it.reply()
    for _ in range(2):
        await it.turn()
    said = [reply.text for _, reply in mail.sent]
    assert len(said) == 3
    assert "城北区城管局" in said[0]
    assert "2026年1月24日" in said[1]
    assert "等配件" in said[1]
    assert "路灯已修好。" in said[2]
    number = (await it.record()).number
    for text in said:
        assert number in text
    assert [reply.purpose for _, reply in mail.sent] == ["notice", "notice", "answer"]
    assert len({reply.operation for _, reply in mail.sent}) == 3
    assert await it.outcomes() == [("email", "sent")] * 3


async def test_a_region_may_tell_the_answer_only(walk):
    region = town()
    quiet = region.facts.model_copy(update={"notices": Notices(dispatched=False, extended=False)})
    it = await walk(WRITER, region=type(region)(quiet, region.units, region.rules, region.referrals))
    await it.take(StepName.SIGN)
    await it.take(StepName.EXTEND, until=NOW + timedelta(days=9), reason="等配件")
    assert await it.outcomes() == []
    await it.reply()
    assert await it.outcomes() == [("email", "sent")]


async def test_an_objection_is_told_to_nobody_and_the_new_lead_is(walk):
    it = await walk(WRITER)
    await it.take(StepName.OBJECT, reason="不归我们管，举报人弄错了")
    assert len(it.channels["email"].sent) == 1
    await it.take(StepName.UPHOLD, OPERATOR, lead="willow", reason="属地")
    said = [reply.text for _, reply in it.channels["email"].sent]
    assert len(said) == 2
    assert "柳树街道" in said[1]
    assert "不归我们管" not in "".join(said)
    assert "属地" not in "".join(said)


async def test_one_address_after_another_until_one_has_it(walk):
    it = await walk(BOTH, {"email": Answering([FAILED]), "sms": Answering([SENT])})
    await it.reply()
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("email", "failed"), ("sms", "sent")]
    assert [to for to, _ in it.channels["sms"].sent] == [SMS, SMS], "dispatched, and the answer"


async def test_a_caller_is_told_by_sms_then_called(walk, valkey):
    it = await walk(CALLER, {"sms": Answering([FAILED])})
    await it.reply()
    operation = await it.operation(StepName.REPLY)
    assert await it.outcomes(operation) == [("sms", "failed"), ("call", "waiting")]
    assert valkey.client().zrange(keys.waiting(keys.CALLS), 0, -1) == [f"{it.ticket_id}:{operation}".encode()]
    assert valkey.client().zscore(keys.DUE, it.ticket_id) is None, "only a person can go on"


async def test_nobody_is_called_only_to_hear_that_it_was_passed_on(walk, valkey):
    it = await walk(CALLER, {"sms": Answering([FAILED])})
    operation = await it.operation(StepName.DISPATCH)
    assert await it.outcomes(operation) == [("sms", "failed")]
    assert is_over(await it.record(), operation)
    assert valkey.client().zcard(keys.waiting(keys.CALLS)) == 0


async def test_without_an_sms_channel_the_caller_is_called_at_once(walk):
    it = await walk(CALLER, {})
    await it.reply()
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("call", "waiting")]


async def test_an_address_on_a_channel_that_is_off_is_recorded(walk):
    weibo = Requester(reply_to=(ReplyAddress(channel="weibo", address="1"),))
    it = await walk(weibo, {})
    await it.reply()
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("weibo", "not_allowed")]
    assert (await it.record()).state == "closed"


async def test_who_left_no_address_has_the_progress_page_and_that_is_recorded(walk):
    it = await walk(Requester(anonymous=True), {})
    await it.reply()
    operation = await it.operation(StepName.REPLY)
    assert await it.outcomes(operation) == [("none", "not_allowed")]
    record = await it.record()
    assert record.fields[f"why:{operation}"] == "no_address"
    assert "could not be told: no_address" in record.events()[-1]["data"]["reason"]


async def test_an_address_given_twice_is_tried_once(walk):
    twice = Requester(phone="13800138000", reply_to=(SMS, ReplyAddress(channel="phone", address=SMS.address)))
    it = await walk(twice, {"sms": Answering([FAILED])})
    await it.reply()
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("sms", "failed"), ("call", "waiting")]


async def test_what_is_tried_enough_at_one_address_goes_on_at_the_next(walk):
    it = await walk(BOTH, {"email": Answering([TryAgain(1.0)]), "sms": Answering([SENT])})
    await it.reply()
    for _ in range(4):
        it.later(days=1)
        await it.turn()
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("email", "failed"), ("sms", "sent")]
    assert await it.runtime.dead.list() == [], "the citizen has it: there is nothing to replay"


async def test_a_notice_that_a_later_one_makes_pointless_is_not_sent_any_more(walk):
    mail = Answering([TryAgain(60.0)])
    it = await walk(WRITER, {"email": mail})
    tried = len(mail.sent)
    mail.answers = [SENT]
    await it.reply()
    said = [reply.text for _, reply in mail.sent[tried:]]
    assert len(said) == 1
    assert "路灯已修好。" in said[0]
    assert (await it.record()).fields[f"why:{await it.operation(StepName.DISPATCH)}"] == "superseded"


async def test_a_program_that_wrote_gets_answers_of_people_only(walk):
    it = await walk(WRITER, flags=(Flag.AUTOMATED,))
    assert await it.outcomes() == []
    record = await it.record()
    if record.state == "triage":
        await it.take(StepName.DISPATCH, OPERATOR, lead="north_lamp", reason="有事")
        assert await it.outcomes() == []
    await it.reply()
    assert await it.outcomes() == [("email", "sent")]


async def test_a_bounce_sends_it_on_to_the_next_address_and_takes_the_closing_back(walk, valkey):
    mail = Answering([Delivery(outcome="sent", reference="r0"), Delivery(outcome="sent", reference="r1")])
    it = await walk(BOTH, {"email": mail, "sms": Answering([FAILED])})
    await it.reply()
    operation = await it.operation(StepName.REPLY)
    record = await it.record()
    assert record.state == "closed"
    report = Undelivered(number=record.number, reference="r1", reason="bounced_5.1.1")
    returns = Returns(valkey.client(), domain="hotline.example")
    assert [returns.record("email", report, NOW) for _ in range(2)] == ["done", "repeated"]
    assert (await it.record()).state == "replied"
    assert valkey.client().zscore(keys.DUE, it.ticket_id) == NOW.timestamp()
    await it.turn()
    assert await it.outcomes(operation) == [
        ("email", "sent"),
        ("email", "failed"),
        ("sms", "failed"),
        ("call", "waiting"),
    ]
    assert (await it.record()).state == "replied", "not over before somebody reached the citizen"


async def test_a_bounce_with_nothing_left_to_try_closes_it_with_that_reason(walk, valkey):
    it = await walk(WRITER, {"email": Answering([Delivery(outcome="sent", reference="r")])})
    await it.reply()
    record = await it.record()
    report = Undelivered(number=record.number, reference="r", reason="bounced_5.1.1")
    assert Returns(valkey.client(), domain="hotline.example").record("email", report, NOW) == "done"
    await it.turn()
    record = await it.record()
    assert record.state == "closed"
    assert record.events()[-1]["data"]["reason"] == "could not be told: no_other_address"


async def test_a_flood_of_forged_requests_is_no_flood_of_notices_and_an_answer_only_waits(queue, make_item, build):
    mail = Answering([Delivery(outcome="sent")])

    async def start(n: int, text: str = LAMP, **of) -> Walk:
        one = make_item(str(n), text, sequence=n, requester=WRITER, **of)
        queue.enqueue([one])
        it = Walk(build(Receiver("file"), region=town(), per_hour=2), one.ticket_id, {"email": mail})
        await it.turn()
        return it

    walks = [await start(n) for n in range(1, 5)]
    assert len(mail.sent) == 2
    assert await walks[3].outcomes() == [("email", "not_allowed")]
    referred = await start(5, "请问怎么起诉", flags=(Flag.LEGAL,))
    assert (await referred.record()).state == "referred", "it is owed, and waits"
    await walks[3].reply()
    assert await walks[3].outcomes() == [("email", "not_allowed"), ("email", "sent")], "a person's answer does not wait"
    referred.later(hours=2)
    await referred.turn()
    assert (await referred.record()).state == "closed"


# A channel that cannot tell a repetition


async def test_an_unknown_outcome_is_never_sent_again_there(walk):
    sms = OnceOnly([UNKNOWN])
    it = await walk(CALLER, {"sms": sms})
    await it.reply()
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("sms", "unknown"), ("call", "waiting")]
    assert len({reply.operation for _, reply in sms.sent}) == len(sms.sent) == 2


async def test_a_job_that_died_while_sending_does_not_send_it_again(walk):
    def killed() -> None:
        raise asyncio.CancelledError

    it = await walk(CALLER, {"sms": Answering([SENT])})
    sms = OnceOnly([SENT], meanwhile=killed)
    it.channels = {"sms": sms}
    with pytest.raises(asyncio.CancelledError):
        await it.reply()
    sms.meanwhile = lambda: None
    await it.turn()
    assert len(sms.sent) == 1
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("sms", "unknown"), ("call", "waiting")]


async def test_what_was_surely_not_sent_is_sent_again(walk):
    sms = OnceOnly([TryAgain(1.0), SENT])
    it = await walk(CALLER, {"sms": sms})
    it.later(minutes=5)
    await it.turn()
    assert await it.outcomes() == [("sms", "sent")]


async def test_a_channel_that_reads_back_is_asked_again(walk):
    it = await walk(WRITER, {"email": Answering([UNKNOWN, SENT])})
    it.later(minutes=5)
    await it.turn()
    assert await it.outcomes() == [("email", "sent")]


ANSWERS = st.sampled_from([SENT, FAILED, NOT_ALLOWED, UNKNOWN, TryAgain(1.0), RuntimeError("a bug")])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(answers=st.lists(st.lists(ANSWERS, min_size=1, max_size=3), min_size=3, max_size=3), once=st.booleans())
def test_law_each_address_is_tried_once_unless_it_said_try_again_and_the_end_is_recorded(
    valkey, queue, make_item, tmp_path, answers, once
):
    valkey.client().flushall()
    one = make_item("a", LAMP, requester=Requester(reply_to=tuple(at(n) for n in range(3))))
    queue.enqueue([one])
    kind = OnceOnly if once else Answering
    channels = {f"c{n}": kind([of(answer, n) for answer in answers[n]]) for n in range(3)}
    outcomes = asyncio.run(told(valkey, tmp_path, one.ticket_id, channels))
    assert len({channel for channel, _ in outcomes}) == len(outcomes), "one end at one address"
    assert all(outcome != "sent" for _, outcome in outcomes[:-1]), "nobody is told twice"
    for n, channel in enumerate(channels.values()):
        assert {reply.operation for _, reply in channel.sent} <= {sending(n)}
        tried_again = [TryAgain] if once else [TryAgain, RuntimeError, Delivery]
        for answer in ([*answers[n], *[answers[n][-1]] * 9])[: max(0, len(channel.sent) - 1)]:
            assert isinstance(answer, tuple(tried_again)), "only what was not sent, or can be read back, is sent again"
            assert not isinstance(answer, Delivery) or answer.outcome == "unknown"


async def told(valkey, tmp_path, ticket_id, channels) -> list[tuple[str, str]]:
    """What became of the notice that it was dispatched, after days of tries."""
    async with connect_async(valkey.config, valkey.directory) as redis:
        it = Walk(builder(redis, tmp_path)(Receiver("file"), region=town()), ticket_id, channels)
        for _ in range(12):
            await it.turn()
            it.later(days=1)
        assert await it.operation(StepName.DISPATCH) == "dispatch:2"
        assert is_over(await it.record(), "dispatch:2")
        return await it.outcomes()


def at(n: int) -> ReplyAddress:
    return ReplyAddress(channel=f"c{n}", address="x")


def sending(n: int) -> str:
    return f"dispatch:2.{n}" if n else "dispatch:2"


def of(answer, n: int):
    return answer.model_copy(update={"reference": f"ref{n}"}) if isinstance(answer, Delivery) else answer


# Words


def keys_of(book, path=()):
    return {
        leaf
        for name, value in book.items()
        for leaf in (keys_of(value, (*path, name)) if isinstance(value, dict) else {(*path, name)})
    }


def test_both_languages_say_the_same_things_and_fill_in_the_same():
    assert keys_of(WORDS["zh"]) == keys_of(WORDS["en"])
    for path in keys_of(WORDS["zh"]):
        filled = []
        for book in WORDS.values():
            value = book
            for name in path:
                value = value[name]
            filled.append(set(re.findall(r"\{([a-z]+)", value)))
        assert filled[0] == filled[1], path


def test_every_outcome_of_a_reply_has_words_that_hold_the_units_own():
    for book in WORDS.values():
        assert set(book["replied"]) == {outcome.value for outcome in Outcome}
        for words in book["replied"].values():
            assert "{text}" in words["text"]
            assert words["short"].endswith("{text}")


def test_a_short_form_keeps_the_number_when_it_is_cut_off():
    number = "2026011500000012"
    shorts = [path for path in keys_of(WORDS["zh"]) if path[-1] == "short"]
    for path in shorts:
        value = WORDS["zh"]
        for name in path:
            value = value[name]
        head = re.split(r"\{(?:text|reason|unit)\}", value)[0]
        filled = head.format(site="12345", number=number, code="ABCD1234", until="2026年12月31日")
        assert number in filled
        assert len(filled) <= 70, path


async def test_what_a_unit_wrote_is_never_a_place_to_fill_in(walk):
    it = await walk(WRITER)
    await it.reply("见 {code} {number.__class__} {}")
    assert "见 {code} {number.__class__} {}" in it.channels["email"].sent[-1][1].text


async def test_no_notice_names_the_requester(walk):
    it = await walk(Requester(name="欧阳小明", phone=SMS.address, reply_to=(MAIL,)))
    await it.reply()
    said = "".join(f"{reply.text}{reply.short}" for _, reply in it.channels["email"].sent)
    assert "欧阳" not in said
    assert "13800138000" not in said


async def test_english_words_for_who_wrote_in_english(walk):
    it = await walk(Requester(language="en", reply_to=(MAIL,)))
    await it.reply("The lamp works again.", "explained_not_supported")
    last = it.channels["email"].sent[-1][1]
    assert last.language == "en"
    assert "The lamp works again." in last.text
    assert "cannot be met" in last.text
