"""Messages that Weibo pushes: who is let in, what becomes a ticket, and what the citizen reads at once."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.social.receipt import _BOOK, received
from channels.social.signed import signed
from channels.testing import ChannelContract, Outcome
from channels.weibo import Weibo
from channels.weibo import callback as callbacks
from channels.weibo.callback import BODY_MAX, PATH, Callback
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import push_digest, push_raw_of
from channels.weibo.moment import moment_of
from normalizer.errors import Rejected, TryAgain
from normalizer.identity import receipt_code, ticket_id
from normalizer.ticket import Flag, Inbound, Raw, Receipt
from tests.simulators.weibo import Weibo as Simulator
from tests.simulators.weibo.platform import APP_SECRET
from tests.simulators.weibo.world import OURS, when
from tests.simulators.weibo.writing import weight
from tests.waiting import until

WHO = "王女士"
WORDS = "幸福路8号的路灯坏了三天"
US = "北京12345"


def config(folder: Path) -> dict[str, Any]:
    """Messages only: nothing is polled or answered later."""
    (folder / "secret").write_text(f"{APP_SECRET}\n")
    return {"uid": str(OURS), "names": [US], "app_secret_file": str(folder / "secret")}


def message(text: str = WORDS, kind: str = "text", n: int = 0, **data: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "receiver_id": OURS,
        "sender_id": 5_550_001_112,
        "created_at": when(1_764_000_000 + n),
        "text": text,
        "data": data,
    }


def query(secret: str = APP_SECRET, at: float | None = None, nonce: str = "57155157") -> dict[str, str]:
    stamp = str(int((time.time() if at is None else at) * 1000))
    return {"signature": signed(secret, stamp, nonce), "timestamp": stamp, "nonce": nonce}


def receipt_of(number: str, url: str) -> Receipt:
    ticket = ticket_id("weibo", "push:1")
    return Receipt(ticket_id=ticket, number=number, code=receipt_code(ticket, b"secret"), status_url=url)


class Caller:
    """Somebody who knows the address of the callback."""

    def __init__(self, host: FakeHost, http: ClientSession) -> None:
        self._url = host.public_url + PATH
        self._http = http

    async def push(self, body: object, asked: Mapping[str, str]) -> tuple[int, Any]:
        sent = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        async with self._http.post(self._url, data=sent, params=asked) as answer:
            read = await answer.read()
            return answer.status, json.loads(read) if read else None

    async def ask(self, asked: Mapping[str, str]) -> tuple[int, bytes, Mapping[str, str]]:
        async with self._http.get(self._url, params=asked) as answer:
            return answer.status, await answer.read(), dict(answer.headers)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[FakeHost]:
    """The channel at a host."""
    channel = Weibo(WeiboConfig.model_validate(config(folder)))
    async with FakeHost() as host:
        task = asyncio.create_task(channel.run(host))
        await host.routed.wait()
        yield host
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[FakeHost]:
    async with running(tmp_path) as host:
        yield host


@pytest.fixture
async def caller(host: FakeHost) -> AsyncIterator[Caller]:
    async with ClientSession() as http:
        yield Caller(host, http)


@pytest.fixture
async def weibo(host: FakeHost) -> AsyncIterator[Simulator]:
    async with Simulator(callback=host.public_url + PATH) as platform:
        yield platform


def tickets(host: FakeHost) -> list[dict[str, Any]]:
    """The messages that were accepted."""
    return [json.loads(raw.body) for raw in host.taken.values()]


class TestPushed(ChannelContract):
    """The conformance kit, by the callback."""

    channel = Weibo
    config: ClassVar[Any] = {"uid": str(OURS), "names": [US]}
    private = (WORDS, "5550001112", APP_SECRET)

    @pytest.fixture(autouse=True)
    def _secret(self, request: pytest.FixtureRequest) -> None:
        if inspect.iscoroutinefunction(request.function):
            self.config = config(request.getfixturevalue("tmp_path"))

    def example(self, n: int) -> Raw:
        return push_raw_of(message(n=n), datetime.now(UTC))

    def bad_example(self) -> Raw:
        return push_raw_of(message(kind="telegram"), datetime.now(UTC))

    async def send(self, host: FakeHost, raw: Raw) -> Outcome:
        async with ClientSession() as http:
            status, _ = await Caller(host, http).push(raw.body, query(nonce=push_digest(json.loads(raw.body))[:16]))
        return {200: Outcome.ACCEPTED, 503: Outcome.TRY_AGAIN}.get(status, Outcome.REFUSED)

    async def ready(self, host: FakeHost) -> None:
        await host.routed.wait()


# GET


async def test_weibo_finds_the_address_ours(weibo: Simulator) -> None:
    assert await weibo.verify_callback()


async def test_the_word_is_repeated_as_it_came(caller: Caller) -> None:
    status, body, headers = await caller.ask(query() | {"echostr": "dnPdpTZz85"})
    assert (status, body) == (200, b"dnPdpTZz85")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"signature": "0" * 40}, 401, "signature_invalid"),
        ({"signature": ""}, 401, "signature_invalid"),
        ({"nonce": "7"}, 401, "signature_invalid"),
        ({"echostr": ""}, 400, "echostr_invalid"),
        ({"echostr": "<script>é"}, 400, "echostr_invalid"),
        ({"echostr": "1" * 129}, 400, "echostr_invalid"),
    ],
    ids=str,
)
async def test_for_nobody_else(caller: Caller, change: dict[str, str], status: int, code: str) -> None:
    found, body, _ = await caller.ask(query() | {"echostr": "58374"} | change)
    assert (found, json.loads(body)["code"]) == (status, code)


# Who is let in


VECTOR = {
    "timestamp": "1397022061823",
    "nonce": "57155157",
    "signature": "90e4c22c90a58f26526c2dd5b6c56c8822edeaa1",
}
"""Of the documentation, for the App Secret xyz123xyz."""


async def test_the_vector_of_the_documentation_is_right_and_of_2014(
    host: FakeHost, caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("another\nxyz123xyz\n")
    status, body = await caller.push(message(), VECTOR)
    assert (status, body["code"]) == (403, "signature_stale")
    for change in ({"nonce": "57155158"}, {"timestamp": "1397022061824"}, {"signature": "0" * 40}):
        status, body = await caller.push(message(), VECTOR | change)
        assert (status, body["code"]) == (401, "signature_invalid")
    assert host.taken == {}


async def test_the_vector_of_the_documentation_opened_a_ticket_in_2014(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Then(callbacks.Freshness):
        def __init__(self, tolerance: float) -> None:
            super().__init__(tolerance, clock=lambda: 1397022061.0)

    monkeypatch.setattr(callbacks, "Freshness", Then)
    async with running(tmp_path) as host, ClientSession() as http:
        (tmp_path / "secret").write_text("xyz123xyz")
        assert (await Caller(host, http).push(message(), VECTOR))[0] == 200
        assert tickets(host) == [message()]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"signature": "0" * 40},
        {"signature": "é" * 40},
        {"timestamp": "x"},
        {"timestamp": "１３９７０２２０６１"},
        {"timestamp": "9" * 16},
        {"timestamp": ""},
        {"nonce": ""},
        {"nonce": "a b"},
        {"nonce": "n" * 129},
    ],
    ids=str,
)
async def test_a_wrong_signature_is_401_and_no_ticket(host: FakeHost, caller: Caller, wrong: dict[str, str]) -> None:
    status, body = await caller.push(message(), query() | wrong if wrong else {})
    assert (status, body["code"]) == (401, "signature_invalid")
    assert host.taken == {}


async def test_signed_by_another_secret(host: FakeHost, caller: Caller) -> None:
    assert (await caller.push(message(), query("another")))[0] == 401
    assert host.taken == {}


@pytest.mark.parametrize("age", [601, -601, 86_400])
async def test_a_stale_signature_is_403_and_no_ticket(host: FakeHost, caller: Caller, age: float) -> None:
    status, body = await caller.push(message(), query(at=time.time() - age))
    assert (status, body["code"]) == (403, "signature_stale")
    assert host.taken == {}


async def test_a_timestamp_in_seconds_is_understood(host: FakeHost, caller: Caller) -> None:
    stamp = str(int(time.time()))
    asked = {"timestamp": stamp, "nonce": "1", "signature": signed(APP_SECRET, stamp, "1").upper()}
    assert (await caller.push(message(), asked))[0] == 200
    assert len(host.taken) == 1


async def test_a_signature_that_came_with_another_message_is_403_and_no_ticket(host: FakeHost, caller: Caller) -> None:
    asked = query()
    assert (await caller.push(message(), asked))[0] == 200
    for other in (message("别的"), message() | {"sender_id": 1}, message(kind="position"), message(subtype="x")):
        status, body = await caller.push(other, asked)
        assert (status, body["code"]) == (403, "signature_replayed")
    assert tickets(host) == [message()]


async def test_the_secret_may_be_changed_while_it_runs(host: FakeHost, caller: Caller, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"new-secret\n\n{APP_SECRET}\n")
    assert (await caller.push(message(), query("new-secret")))[0] == 200
    assert (await caller.push(message("还有"), query()))[0] == 200
    (tmp_path / "secret").write_text("new-secret\n")
    assert (await caller.push(message(), query()))[0] == 401


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff\xfe"])
async def test_without_a_secret_nothing_is_lost_and_the_operator_hears_of_it(
    host: FakeHost, caller: Caller, tmp_path: Path, content: bytes | None
) -> None:
    (tmp_path / "secret").unlink()
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with capture_logs() as logs:
        status, _ = await caller.push(message(), query())
    assert status == 503
    assert [one["event"] for one in logs] == ["weibo_secret_unreadable"]
    assert host.taken == {}


async def test_refusals_are_logged_without_drowning_the_log(caller: Caller) -> None:
    with capture_logs() as logs:
        for _ in range(60):
            await caller.push(message(), query("another"))
    assert 0 < len(logs) <= 25
    assert {(one["event"], one["code"]) for one in logs} == {("weibo_push_refused", "signature_invalid")}


# What comes in


async def test_a_message_is_a_ticket_and_the_citizen_reads_the_number_at_once(
    host: FakeHost, weibo: Simulator
) -> None:
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


def test_every_word_of_the_answer_is_in_the_catalogue() -> None:
    receipt = receipt_of("9" * 18, "https://hotline.example/t/9")
    flagged = Inbound(text=WORDS, digest="d", flags=(Flag.NO_REQUEST,))
    alert = callbacks.alerted(receipt, flagged)
    assert received(alert, flagged) == _BOOK.zh.nothing_asked
    assert received(alert, Inbound(text="", digest="d")).endswith(_BOOK.zh.in_words)
