"""The caller's story with a real text-message channel and a vendor: told by SMS, or called, and never twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.sms import Sms
from normalizer.life import StepName
from tests.simulators.sms import KEY, Vendor, block
from tests.workers.lives import CALLER, LAMP, PHONE, Walk
from tests.workers.regions import town
from tests.workers.turns import Receiver, build, client
from workers.calls import CallOutcome, Calls, Try

__all__ = ["build", "client"]


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as vendor:
        yield vendor


@pytest.fixture
def story(vendor: Vendor, queue, make_item, build, tmp_path: Path):
    async def start(**settings: object) -> Walk:
        secret = tmp_path / "sms-secret"
        secret.write_text(KEY)
        sms = Sms(Sms.config_type.model_validate(block(vendor.url, str(secret), **settings)))
        one = make_item("call-1", LAMP, requester=CALLER)
        queue.enqueue([one])
        it = Walk(build(Receiver("file"), region=town()), one.ticket_id, {"sms": sms})
        await it.turn()
        return it

    return start


async def test_the_caller_gets_the_answer_by_sms_and_the_ticket_is_closed(story, vendor) -> None:
    it = await story()
    await it.take(StepName.SIGN)
    await it.take(StepName.CONTACT, text="已电话联系")
    await it.reply()
    number = (await it.record()).number
    assert [message.to for message in vendor.sent] == [PHONE, PHONE]
    assert "城北区城管局" in vendor.sent[0].text
    assert "路灯已修好。" in vendor.sent[1].text
    assert all(number in message.text for message in vendor.sent)
    assert (await it.record()).events()[-1]["data"]["reason"] == "told by sms"


async def test_with_sms_failing_it_stands_on_the_call_list_until_somebody_records_the_outcome(story, vendor) -> None:
    vendor.blocked = {PHONE}
    it = await story()
    await it.reply()
    assert vendor.sent == []
    assert (await it.record()).state == "replied"
    calls = Calls(it.runtime.store, town(), it.runtime.site, attempts=3)
    [call] = await calls.lease("wang", it.now, seconds=60)
    assert call.phone == PHONE
    await calls.record(call.id, Try("wang", "k", CallOutcome.REACHED, "本人"), it.now)
    await it.turn()
    assert (await it.record()).state == "closed"


async def test_a_vendor_that_sends_and_says_500_never_makes_a_second_message(story, vendor) -> None:
    vendor.mood = ["500 but sent", "500 but sent"]
    it = await story()
    await it.reply()
    for _ in range(3):
        it.later(days=1)
        await it.turn()
    assert len(vendor.sent) == 2, "that it was passed on, and the answer"
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("sms", "unknown"), ("call", "waiting")]


async def test_a_vendor_that_knows_ids_is_asked_again_and_sends_one(story, vendor) -> None:
    vendor.knows_ids = True
    it = await story(repeatable=True)
    vendor.mood = ["break but sent", "500"]
    await it.reply()
    for _ in range(3):
        it.later(days=1)
        await it.turn()
    assert [message.text for message in vendor.sent].count(vendor.sent[-1].text) == 1
    assert await it.outcomes(await it.operation(StepName.REPLY)) == [("sms", "sent")]
    assert (await it.record()).state == "closed"


async def test_a_busy_vendor_is_waited_for(story, vendor) -> None:
    it = await story()
    vendor.mood = ["busy", "429"]
    await it.reply()
    assert (await it.record()).state == "replied"
    for _ in range(2):
        it.later(days=1)
        await it.turn()
    assert (await it.record()).state == "closed"
    assert len(vendor.sent) == 2
