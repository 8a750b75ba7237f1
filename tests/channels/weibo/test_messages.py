"""Messages that Weibo pushes: what becomes a ticket, what the citizen reads at once, and what comes twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.social.receipt import received
from channels.weibo import Weibo
from channels.weibo import callback as callbacks
from channels.weibo.callback import BODY_MAX, PATH, Callback
from channels.weibo.config import WeiboConfig
from channels.weibo.moment import moment_of
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Inbound, Raw
from tests.channels.weibo.pushing import (
    US,
    WHO,
    WORDS,
    Caller,
    caller,
    config,
    host,
    message,
    query,
    receipt_of,
    tickets,
    weibo,
)
from tests.simulators.weibo import Weibo as Simulator
from tests.simulators.weibo.world import OURS
from tests.simulators.weibo.writing import weight
from tests.waiting import until

__all__ = ["caller", "host", "weibo"]

# What comes in


async def test_a_message_is_a_ticket_and_the_citizen_reads_the_number_at_once(host: FakeHost, weibo: Simulator) -> None:
    assert await weibo.say(WHO, WORDS)
    (ticket,) = tickets(host)
    assert (ticket["text"], ticket["sender_id"]) == (WORDS, weibo.world.user(WHO).id)
    (told,) = weibo.messages_sent()
    assert (told["via"], told["name"]) == ("passive", WHO)
    assert all(word in told["text"] for word in ("编号", "查询码", "/t/", "直接在这里发送即可"))
    assert weibo.bad_answers == []


async def test_who_is_in_danger_reads_first_whom_to_call(weibo: Simulator) -> None:
    assert await weibo.say(WHO, "我家着火了，快来救人")
    (told,) = weibo.messages_sent()
    assert told["text"].startswith("情况紧急请立即拨打")
    assert "119" in told["text"].splitlines()[0]


async def test_an_answer_in_english_for_who_wrote_english(weibo: Simulator) -> None:
    assert await weibo.say("Wang", "The street lamp in front of our house has been broken for three days")
    assert "Your request was received." in weibo.messages_sent()[0]["text"]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("danger", [False, True])
def test_the_longest_answer_is_taken_by_weibo(language: str, danger: bool) -> None:
    text = "着火了" if language == "zh" else "there is a fire in the house, please help us"
    receipt = receipt_of("9" * 24, f"https://{'h' * 60}.example/t/{'9' * 24}")
    numbers = ("110", "119", "120", "122") if danger else ()
    alert = callbacks.alerted(receipt, Inbound(text=text, digest="d")).model_copy(update={"call_now": numbers})
    assert weight(received(alert, Inbound(text=text, digest="d"))) < 300


KINDS = [
    ("position", "我在这里", {"longitude": "116.308586", "latitude": "39.982525"}),
    ("image", "发了一张图片", {"vfid": 821804459, "tovfid": 821804469}),
    ("voice", "发了一段语音", {"vfid": 821804459, "tovfid": 821804469}),
    ("text", "", {}),
]


@pytest.mark.parametrize(("kind", "text", "data"), KINDS, ids=[kind for kind, *_ in KINDS])
async def test_every_kind_of_message_is_a_ticket_and_answered(
    host: FakeHost, weibo: Simulator, kind: str, text: str, data: dict[str, Any]
) -> None:
    assert await weibo.say(WHO, text, kind, data)
    (raw,) = host.taken.values()
    inbound = Weibo(WeiboConfig()).parse(raw)
    assert [one.result for one in inbound.verified] == ["pass"]
    assert inbound.requester.receipt_to is None, "the citizen had the number within the callback"
    if kind == "position":
        assert inbound.place is not None
        assert (inbound.place.lat, inbound.place.lon) == (39.982525, 116.308586)
    if kind in ("image", "voice"):
        assert {"image": "picture_not_fetched", "voice": "voice_not_fetched"}[kind] in {n.code for n in inbound.notes}
    (told,) = weibo.messages_sent()
    assert "编号" in told["text"]
    assert weibo.bad_answers == []


@pytest.mark.parametrize("subtype", ["status", "comment"])
async def test_a_mention_is_a_ticket_that_the_worker_answers_in_public(
    host: FakeHost, weibo: Simulator, subtype: str
) -> None:
    post = weibo.post(WHO, f"@{US} {WORDS}")
    assert await weibo.mention(WHO, post, f"@{US} {WORDS}", subtype)
    (raw,) = host.taken.values()
    receipt_to = Weibo(WeiboConfig()).parse(raw).requester.receipt_to
    assert receipt_to is not None
    uid = weibo.world.user(WHO).id
    assert receipt_to.address == (f"comment:{post}" if subtype == "status" else f"message:{uid}")
    assert weibo.messages_sent() == []
    assert [push.answer for push in weibo.pushes] == [b""]


@pytest.mark.parametrize("subtype", ["follow", "unfollow", "click", "scan_follow", "subscribe"])
async def test_an_event_opens_no_ticket_and_gets_an_empty_200(host: FakeHost, weibo: Simulator, subtype: str) -> None:
    assert await weibo.event(WHO, subtype, key="k")
    assert host.taken == {}
    assert [(push.tries[0].status, push.answer) for push in weibo.pushes] == [(200, b"")]


async def test_what_our_own_account_says_opens_no_ticket(host: FakeHost, caller: Caller) -> None:
    assert await caller.push(message() | {"sender_id": OURS}, query()) == (200, None)
    assert host.taken == {}


NO_MESSAGES = [
    (b"", 422, "not_json"),
    (b"{", 422, "not_json"),
    (b"\xff\xfe", 422, "not_json"),
    (b'{"type": "text", "created_at": NaN}', 422, "not_json"),
    (b'{"sender_id": ' + b"9" * 5000 + b"}", 422, "not_json"),
    (b"[" * 20_000, 422, "not_json"),
    (b"[]", 422, "not_an_object"),
    (b"null", 422, "not_an_object"),
    (b'"text"', 422, "not_an_object"),
    (b"{}", 422, "no_post"),
    (b'{"type": "text", "text": "x"}', 422, None),
    (b'{"type": "text", "sender_id": "x", "receiver_id": 1, "text": "x"}', 422, "bad_post"),
    (b'{"type": "text", "sender_id": 1, "receiver_id": 1, "text": null}', 422, "bad_post"),
    (b'{"type": "telegram", "sender_id": 1, "receiver_id": 1, "text": "x"}', 422, "unknown_push"),
    (b" " * (BODY_MAX + 1), 413, "body_too_large"),
]


@pytest.mark.parametrize(("body", "status", "code"), NO_MESSAGES, ids=[str(one[0][:30]) for one in NO_MESSAGES])
async def test_what_is_no_message(host: FakeHost, caller: Caller, body: bytes, status: int, code: str | None) -> None:
    with capture_logs() as logs:
        found, answer = await caller.push(body, query())
    assert found == status
    assert code in (None, answer["code"])
    assert host.taken == {}
    assert [one["event"] for one in logs] == ["weibo_push_refused"], "the sender is a program, people read the log"


async def test_the_largest_message_is_taken(host: FakeHost, caller: Caller) -> None:
    body = json.dumps(message("字" * 10_000)).encode()
    assert (await caller.push(body + b" " * (BODY_MAX - len(body)), query()))[0] == 200
    assert len(host.taken) == 1


@pytest.mark.parametrize("text", ["半个\\ud83d字", "\\u0000\\u0007 路灯", "a" * 3000, "😀" * 200])
async def test_strange_text_is_a_ticket_too(host: FakeHost, caller: Caller, text: str) -> None:
    body = json.dumps(message("TEXT")).replace("TEXT", text).encode()
    status, answer = await caller.push(body, query())
    assert status == 200
    assert "text" in json.loads(unquote(answer["data"]))
    assert len(host.taken) == 1


async def test_an_error_of_ours_in_reading_it_loses_nothing(tmp_path: Path) -> None:
    """The same bytes are read again behind the spool, and parked there if that fails too."""

    def broken(raw: Raw) -> Inbound:
        raise ZeroDivisionError(WORDS)

    config(tmp_path)
    async with FakeHost() as host, ClientSession() as http:
        Callback(host, tmp_path / "secret", broken).register()
        with capture_logs() as logs:
            assert await Caller(host, http).push(message(), query()) == (200, None)
        assert tickets(host) == [message()]
        assert logs == [{"event": "weibo_parse_failed", "error": "ZeroDivisionError", "log_level": "error"}]


# Again, and late


async def test_crossing_and_late_repetitions_are_one_ticket_and_answered_again(
    host: FakeHost, weibo: Simulator
) -> None:
    assert await weibo.say(WHO, WORDS, times=3)
    assert await weibo.push_again() == [True]
    assert len(host.taken) == 1
    texts = [one["text"] for one in weibo.messages_sent()]
    assert len(texts) == 4
    assert len(set(texts)) == 1


async def test_two_messages_with_the_same_words_at_different_times_are_two(host: FakeHost, weibo: Simulator) -> None:
    assert await weibo.say(WHO, WORDS)
    weibo.advance(1)
    assert await weibo.say(WHO, WORDS)
    assert len(host.taken) == 2


async def test_out_of_order_pushes_are_told_apart(host: FakeHost, weibo: Simulator) -> None:
    weibo.callback, later = None, weibo.callback
    for n in range(3):
        await weibo.say(WHO, f"{WORDS} {n}")
    weibo.callback = later
    assert await weibo.push_again(3) == [True] * 3
    assert [one["text"][-1] for one in tickets(host)] == ["2", "1", "0"]
    times = [moment_of(one["created_at"]) for one in tickets(host)]
    assert None not in times


async def test_a_busy_line_is_503_and_the_next_try_is_taken_and_answered(host: FakeHost, weibo: Simulator) -> None:
    host.outcomes.extend([TryAgain(1.0), TryAgain(1.0)])
    assert await weibo.say(WHO, WORDS)
    assert [one.status for one in weibo.pushes[0].tries] == [503, 503, 200]
    assert len(host.taken) == 1
    assert "编号" in weibo.messages_sent()[0]["text"]


async def test_what_cannot_be_accepted_is_never_called_taken(host: FakeHost, weibo: Simulator, caller: Caller) -> None:
    host.otherwise = TryAgain(7.0)
    assert not await weibo.say(WHO, WORDS)
    assert [one.status for one in weibo.pushes[0].tries] == [503] * 4
    assert host.taken == {}
    assert weibo.messages_sent() == []
    host.otherwise = OSError("disk full")
    assert (await caller.push(message(), query()))[0] == 503
    host.otherwise = Rejected("conflict", "other content")
    assert (await caller.push(message(), query()))[0] == 422


async def test_a_disk_slower_than_weibos_patience_makes_one_ticket_and_an_answer(host: FakeHost) -> None:
    """Weibo hangs up and tries again; whatever comes first, the number is in the answer that it waits for."""
    async with Simulator(callback=host.public_url + PATH, patience=0.2) as weibo:
        host.hold()
        said = asyncio.create_task(weibo.say(WHO, WORDS))
        await host.arrived.wait()
        host.arrived.clear()
        await host.arrived.wait()  # the second try
        host.release()
        assert await said
        assert weibo.pushes[0].tries[0].error == "ConnectionTimeoutError" or not weibo.pushes[0].tries[0].status
        await until(lambda: len(host.taken) == 1, "the first try is on disk too")
        assert "编号" in weibo.messages_sent()[0]["text"]


async def test_the_answer_is_what_the_documentation_wants(caller: Caller) -> None:
    status, answer = await caller.push(message(), query())
    assert status == 200
    assert {name: answer[name] for name in ("result", "sender_id", "receiver_id", "type")} == {
        "result": True,
        "sender_id": OURS,
        "receiver_id": 5_550_001_112,
        "type": "text",
    }
    assert answer["data"] == quote(unquote(answer["data"]), safe="")
    assert list(json.loads(unquote(answer["data"]))) == ["text"]
