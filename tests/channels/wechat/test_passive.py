"""What the citizen reads within the callback, and what opens no ticket or must come again."""

from __future__ import annotations

from structlog.testing import capture_logs

from channels.wechat.xml import fields_of
from normalizer.errors import TryAgain
from tests.channels.wechat.callbacks import WORDS, push, running
from tests.channels.wechat.wechats import ACCOUNT, CITIZEN, message, query


async def test_the_citizen_reads_number_code_and_where_to_look() -> None:
    async with running() as (host, client):
        _, answer = await push(client, message(Content="五一北路的路灯坏了"))
        said = fields_of(answer)
        assert (said["ToUserName"], said["FromUserName"]) == (CITIZEN, ACCOUNT)
        assert int(said["CreateTime"]) > 1_700_000_000
        receipt = said["Content"].splitlines()
        assert receipt[0] == "您的诉求已收到。"
        assert f"{host.public_url}/t/" in said["Content"]
        assert sum(line.startswith(("编号：", "查询码：")) for line in receipt) == 2
        assert len(said["Content"].encode()) < 2048
        _, answer = await push(client, message(n=2, Content="The street lamp is broken"))
        assert fields_of(answer)["Content"].startswith("Your request was received.")


async def test_whoever_is_in_danger_reads_first_whom_to_call() -> None:
    async with running() as (_, client):
        _, answer = await push(client, message(Content="三楼着火了，有人被困，快救命"))
        first = fields_of(answer)["Content"].splitlines()[0]
        assert "119" in first
        assert "立即拨打" in first


async def test_who_sent_no_words_is_asked_for_words() -> None:
    async with running() as (host, client):
        for n, fields in enumerate(({"kind": "voice", "MediaId": "m"}, {"kind": "video", "MediaId": "m"})):
            _, answer = await push(client, message(**fields, n=n))
            assert "请再用文字说明" in fields_of(answer)["Content"]
        _, answer = await push(client, message(Content="/::)/::)", n=9))
        assert fields_of(answer)["Content"].startswith("消息已收到。如有诉求")
        assert len(host.taken) == 3, "kept all the same"


async def test_an_event_is_taken_and_opens_no_ticket() -> None:
    async with running() as (host, client):
        for n, event in enumerate(("unsubscribe", "CLICK", "LOCATION", "TEMPLATESENDJOBFINISH")):
            body = message("event", n=n, Event=event, EventKey="k", Status="success")
            assert await push(client, body) == (200, b"success")
        _, welcome = await push(client, message("event", n=8, Event="subscribe"))
        assert "政务服务便民热线" in fields_of(welcome)["Content"]
        assert not host.taken


async def test_a_template_message_that_did_not_arrive_is_logged_by_its_reference() -> None:
    async with running() as (_, client):
        with capture_logs() as events:
            body = message("event", Event="TEMPLATESENDJOBFINISH", MsgID=200163840, Status="failed:user block")
            assert await push(client, body) == (200, b"success")
        [event] = [event for event in events if event["event"] == "wechat_template_not_delivered"]
        assert event["reference"] == "template:200163840"
        assert CITIZEN not in str(events)


async def test_while_we_cannot_take_it_wechat_is_told_to_come_again_and_nothing_else() -> None:
    async with running() as (host, client):
        host.outcomes.extend([TryAgain(5), TryAgain(5), None])
        asked = query()
        told = [await push(client, message(Content=WORDS), asked) for _ in range(3)]
        assert [status for status, _ in told] == [503, 503, 200]
        assert len(host.taken) == 1


async def test_refusals_do_not_fill_the_log() -> None:
    async with running() as (_, client):
        with capture_logs() as events:
            for _ in range(60):
                await push(client, message(Content=WORDS), query(token="wrong"))
        assert len(events) <= 21
