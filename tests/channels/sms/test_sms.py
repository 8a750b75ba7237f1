"""The channel sms against a vendor: what each answer means, what is never sent twice, and what no log may hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from channels.contract import Channel, Delivery, Repeating, Reply, Replying
from channels.fake_host import FakeHost
from channels.sms import Sms
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Raw, ReplyAddress
from tests.simulators.sms import KEY, Vendor, block

TO = ReplyAddress(channel="sms", address="+8613800138000")
NUMBER = "2026011500000012"
SHORT = f"您的诉求（编号 {NUMBER}）已办结：路灯已修好。"


def reply(**of: object) -> Reply:
    return Reply.model_validate({"operation": "reply:7", "number": NUMBER, "text": "长的", "short": SHORT} | of)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as vendor:
        yield vendor


@pytest.fixture
def channel(vendor: Vendor, tmp_path: Path):
    def build(**settings: object) -> Sms:
        secret = tmp_path / "sms-secret"
        secret.write_text(f"{KEY}\n")
        url = str(settings.pop("url", vendor.url))
        return Sms(Sms.config_type.model_validate(block(url, str(secret), **settings)))

    return build


async def test_it_is_a_channel_that_only_replies(channel) -> None:
    sms = channel()
    assert isinstance(sms, Channel)
    assert isinstance(sms, Replying)
    assert isinstance(sms, Repeating)
    with pytest.raises(Rejected) as refused:
        sms.parse(Raw(channel="sms", source_id="1", received_at=datetime.now(UTC), body=b"hello"))
    assert refused.value.code == "replies_only"
    async with FakeHost() as host:
        running = asyncio.create_task(sms.run(host))
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running}, timeout=5)
        assert running.cancelled()


async def test_the_short_form_is_sent_and_the_vendors_name_of_it_kept(channel, vendor) -> None:
    assert await channel().reply(TO, reply()) == Delivery(outcome="sent", reference="m1")
    [message] = vendor.sent
    assert (message.to, message.text) == (TO.address, SHORT)


async def test_a_long_text_is_cut_off_behind_the_number(channel, vendor) -> None:
    await channel(prefix="【12345】", max_chars=100).reply(TO, reply(short=SHORT + "字" * 500))
    [message] = vendor.sent
    assert len(message.text) == 100
    assert message.text.startswith("【12345】")
    assert NUMBER in message.text
    assert message.text.endswith("…")


async def test_what_the_text_holds_is_no_template_and_ends_no_string(channel, vendor) -> None:
    nasty = 'a"b\\ {secret} {to} &x=1 \n换行'
    await channel().reply(TO, reply(short=nasty))
    [message] = vendor.sent
    assert message.text == 'a"b\\ {secret} {to} &x=1 换行'


@pytest.mark.parametrize("code", ["blocked"])
async def test_a_number_that_may_not_be_written_to(channel, vendor, code) -> None:
    vendor.blocked = {TO.address}
    assert await channel().reply(TO, reply()) == Delivery(outcome="not_allowed", reason="code_blocked")


async def test_an_unknown_code_is_a_failure_that_says_no_number(channel, vendor) -> None:
    delivery = await channel(national="+86").reply(TO, reply())
    assert delivery == Delivery(outcome="failed", reason="code_bad_number")


@pytest.mark.parametrize("number", ["+861088888888", "12345", "", "+4930123456"])
async def test_what_no_vendor_can_reach_is_not_asked_for(channel, vendor, number) -> None:
    delivery = await channel().reply(ReplyAddress(channel="sms", address=number), reply())
    assert delivery.outcome in ("failed", "not_allowed")
    assert vendor.asked == 0


@pytest.mark.parametrize(("mood", "after"), [("busy", 60.0), ("429", 7.0), ("302", 300.0)])
@pytest.mark.parametrize("repeatable", [False, True])
async def test_what_was_not_taken_is_tried_again(channel, vendor, mood, after, repeatable) -> None:
    vendor.mood = [mood]
    with pytest.raises(TryAgain) as later:
        await channel(repeatable=repeatable).reply(TO, reply())
    assert later.value.after == after
    assert vendor.sent == []


async def test_a_limit_of_the_vendor_is_waited_for(channel, vendor) -> None:
    vendor.per_number = 1
    sms = channel()
    await sms.reply(TO, reply())
    with pytest.raises(TryAgain):
        await sms.reply(TO, reply(operation="reply:9"))


DOUBTFUL = [
    ("500 but sent", "status_500"),
    ("500", "status_500"),
    ("break but sent", "connection_lost"),
    ("slow but sent", "timeout"),
    ("html", "no_code"),
]


@pytest.mark.parametrize(("mood", "reason"), DOUBTFUL)
async def test_a_doubtful_sending_is_unknown_where_a_repetition_could_arrive(channel, vendor, mood, reason) -> None:
    vendor.mood = [mood]
    sms = channel(timeout=0.3)
    assert not sms.repeatable
    assert await sms.reply(TO, reply()) == Delivery(outcome="unknown", reason=reason)


@pytest.mark.parametrize(("mood", "reason"), DOUBTFUL)
async def test_a_doubtful_sending_is_repeated_under_its_id_where_the_vendor_knows_it(
    channel, vendor, mood, reason
) -> None:
    vendor.knows_ids, vendor.mood = True, [mood]
    sms = channel(repeatable=True, timeout=0.3)
    with pytest.raises(TryAgain):
        await sms.reply(TO, reply())
    assert (await sms.reply(TO, reply())).outcome == "sent"
    assert len(vendor.sent) == 1


async def test_the_id_is_of_sending_and_number(channel, vendor) -> None:
    sms = channel()
    other = ReplyAddress(channel="sms", address="+8613900139000")
    for to, operation in ((TO, "reply:7"), (TO, "reply:8"), (other, "reply:7"), (TO, "reply:7")):
        await sms.reply(to, reply(operation=operation))
    ids = [message.id for message in vendor.sent]
    assert ids[0] == ids[3]
    assert len(set(ids)) == 3
    assert not any("138" in id and TO.address[3:] in id for id in ids)


async def test_a_vendor_that_is_away_or_refuses_our_key_blames_no_citizen(channel, vendor, tmp_path) -> None:
    sms = channel()
    (tmp_path / "sms-secret").write_text("wrong")
    with pytest.raises(TryAgain):
        await sms.reply(TO, reply())
    (tmp_path / "sms-secret").unlink()
    with pytest.raises(TryAgain):
        await sms.reply(TO, reply())
    (tmp_path / "sms-secret").write_text(KEY)
    assert (await sms.reply(TO, reply())).outcome == "sent", "it was put right while we ran"
    with pytest.raises(TryAgain):
        await channel(url="http://127.0.0.1:1/").reply(TO, reply())


async def test_an_address_that_is_not_public_is_never_called(channel, vendor) -> None:
    local = vendor.url.replace("127.0.0.1", "localhost")
    with pytest.raises(TryAgain):
        await channel(url=local, allow_private=[]).reply(TO, reply())
    assert vendor.asked == 0


async def test_logs_and_reasons_hold_no_number_text_or_key(channel, vendor, tmp_path) -> None:
    said = []
    with capture_logs() as events:
        for mood in ("500", "html", "busy", "break but sent", "302"):
            vendor.mood = [mood]
            try:
                said.append(str(await channel().reply(TO, reply())))
            except TryAgain as error:
                said.append(repr(error))
    for word in (KEY, TO.address, "13800138000", "路灯", NUMBER):
        assert word not in f"{events}{said}"
