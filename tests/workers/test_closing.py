"""The end of a ticket: never before its citizen knows, or it is on record why not; and it can be left again."""

from __future__ import annotations

import pytest

from channels.contract import Delivery
from normalizer.errors import TryAgain
from normalizer.life import Actor, Role, StepName
from normalizer.ticket import Decision, Disposition, Flag
from tests.workers.lives import CALLER, LAMP, OPERATOR, WRITER, Walk
from tests.workers.regions import town
from tests.workers.turns import Answering, Receiver, build, client
from workers.life import Lives, make
from workers.lifecycle import Illegal

__all__ = ["build", "client"]


@pytest.fixture
def walk(queue, make_item, build):
    async def start(requester, channels, text: str = LAMP, **of) -> Walk:
        one = make_item("a", text, requester=requester, **of)
        queue.enqueue([one])
        it = Walk(build(Receiver("file"), region=town()), one.ticket_id, channels)
        await it.turn()
        return it

    return start


@pytest.fixture
def says_more(queue, make_item):
    async def more(it: Walk, source: str, sequence: int, **of) -> None:
        record = await it.record()
        queue.enqueue(
            [
                make_item(
                    source,
                    "还是没修好",
                    sequence=sequence,
                    threads=(f"number:{record.number}",),
                    senders=(f"code:{record.fields['code']}",),
                    **of,
                )
            ]
        )
        await it.turn()

    return more


def types(record) -> list[str]:
    return [event["type"].split(".")[3] for event in record.events()]


async def test_it_is_closed_when_the_citizen_was_told_and_says_how(walk):
    it = await walk(WRITER, {"email": Answering()})
    await it.reply()
    record = await it.record()
    assert record.state == "closed"
    last = record.events()[-1]["data"]
    assert last["reason"] == "told by email"
    assert last["by"] == {"role": "system", "id": "closing"}


async def test_it_stays_open_while_the_answer_is_on_its_way(walk):
    it = await walk(WRITER, {"email": Answering([TryAgain(60.0)])})
    await it.reply()
    assert (await it.record()).state == "replied"


@pytest.mark.parametrize("by", [OPERATOR, Actor(role=Role.SYSTEM, id="closing")])
@pytest.mark.parametrize("channels", [{"email": Answering([TryAgain(60.0)])}, {}])
async def test_nobody_closes_what_the_citizen_was_not_told(walk, by, channels):
    it = await walk(WRITER if channels else CALLER, channels)
    await it.reply()
    record = await it.record()
    with pytest.raises(Illegal) as refused:
        make(record, StepName.CLOSE, by, it.now, operation="x", says={"reason": "等不及了"})
    assert refused.value.code == "not_told"
    with pytest.raises(Illegal):
        await Lives(it.runtime.store).take(
            it.ticket_id, StepName.CLOSE, by, it.now, operation="x", says={"reason": "等不及了"}
        )


async def test_a_referral_and_an_answer_of_the_desk_are_told_and_closed(walk):
    it = await walk(WRITER, {"email": Answering()}, "请问公司欠薪怎么起诉", flags=(Flag.LEGAL,))
    record = await it.record()
    assert types(record)[-2:] == ["notified", "closed"]
    assert "请拨打 12348。" in it.channels["email"].sent[-1][1].text
    other = it.channels["email"].sent[-1][1]
    assert other.purpose == "answer"


async def test_a_follow_up_opens_it_again_once(walk, says_more):
    it = await walk(WRITER, {"email": Answering()})
    await it.reply()
    await says_more(it, "b", 2)
    record = await it.record()
    assert record.state == "triage"
    reopened = record.events()[-1]["data"]
    assert reopened["by"]["role"] == "citizen"
    await it.turn()
    await it.take(StepName.DISPATCH, OPERATOR, lead="north_lamp", reason="再办")
    await it.reply("换了新灯。")
    await it.turn()
    record = await it.record()
    assert record.state == "closed"
    assert types(record).count("reopened") == 1
    assert types(record).count("closed") == 2
    await says_more(it, "c", 3)
    assert types(await it.record()).count("reopened") == 2


@pytest.mark.parametrize("flag", [Flag.AUTOMATED, Flag.NO_REQUEST])
async def test_a_program_or_a_message_that_asks_nothing_opens_nothing(walk, says_more, flag):
    it = await walk(WRITER, {"email": Answering()})
    await it.reply()
    await says_more(it, "b", 2, flags=(flag,))
    assert (await it.record()).state == "closed"


async def test_a_follow_up_before_the_answer_opens_nothing(walk, says_more):
    it = await walk(WRITER, {"email": Answering()})
    await says_more(it, "b", 2)
    await it.reply()
    assert (await it.record()).state == "closed"


ANSWERED = Disposition(decision=Decision.ANSWERED, reason="已当场答复")


async def test_an_answer_given_in_the_call_is_owed_to_nobody(queue, make_item, build):
    one = make_item("a", "请问热线几点上班", requester=CALLER, disposition=ANSWERED)
    queue.enqueue([one])
    sms = Answering([Delivery(outcome="sent")])
    it = Walk(build(Receiver("file"), region=town()), one.ticket_id, {"sms": sms})
    await it.turn()
    record = await it.record()
    assert sms.sent == []
    assert record.state == "closed"
    assert record.events()[-1]["data"]["reason"] == "told at intake"
