"""The callback of the channel wechat: who is let in, what becomes a ticket, and what the citizen reads at once."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.testing import ChannelContract, Outcome
from channels.wechat import Wechat
from channels.wechat.callback import PATH
from channels.wechat.xml import fields_of
from normalizer.errors import TryAgain
from normalizer.ticket import Raw
from tests.channels.wechat.wechats import (
    ACCOUNT,
    CITIZEN,
    FIXTURES,
    KEY,
    PLAIN,
    SEALED,
    message,
    query,
    sealed,
    unsealed,
)

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
WORDS = "五一北路的路灯坏了，我叫欧阳测试，电话 13800138000"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class TestWechat(ChannelContract):
    channel = Wechat
    config = PLAIN
    private = ("欧阳测试", "13800138000", CITIZEN)
    corpus = Path(__file__).parents[2] / "corpus/wechat"
    how = "signature"

    def example(self, n: int) -> Raw:
        body = message(n=n, Content=f"{WORDS}，{n} 号门口")
        return Raw(
            channel="wechat",
            source_id=f"msg:{n}",
            received_at=NOW,
            body=body,
            content_type="application/xml",
            meta={"verified": self.how},
        )

    def bad_example(self) -> Raw:
        body = message(sender=f"{CITIZEN} 欧阳测试", Content=WORDS)
        return Raw(channel="wechat", source_id="bad", received_at=NOW, body=body, content_type="application/xml")

    def request(self, body: bytes) -> tuple[bytes, Mapping[str, str]]:
        return body, query()

    async def send(self, host: FakeHost, raw: Raw) -> Outcome:
        body, asked = self.request(raw.body)
        async with (
            ClientSession() as session,
            session.post(host.public_url + PATH, data=body, params=asked) as response,
        ):
            await response.read()
            if response.status == 503:
                assert "Retry-After" in response.headers
                return Outcome.TRY_AGAIN
            return Outcome.ACCEPTED if response.status == 200 else Outcome.REFUSED

    async def ready(self, host: FakeHost) -> None:
        await host.routed.wait()


class TestSealedWechat(TestWechat):
    """The same in 安全模式."""

    config = SEALED
    corpus = None
    how = "sealed_signature"

    def request(self, body: bytes) -> tuple[bytes, Mapping[str, str]]:
        return sealed(body)


@asynccontextmanager
async def running(**settings: object) -> AsyncIterator[tuple[FakeHost, ClientSession]]:
    channel = Wechat(Wechat.config_type.model_validate(PLAIN | settings))
    async with FakeHost() as host, ClientSession(base_url=host.public_url) as client:
        task = asyncio.create_task(channel.run(host))
        await host.routed.wait()
        yield host, client
        task.cancel()
        await asyncio.wait({task})


async def push(client: ClientSession, body: bytes, asked: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    async with client.post(PATH, data=body, params=query() if asked is None else asked) as answer:
        return answer.status, await answer.read()


def code_of(answer: bytes) -> str:
    return json.loads(answer)["code"]


# GET


async def test_who_knows_the_token_has_the_word_repeated() -> None:
    async with running() as (_, client), client.get(PATH, params=query() | {"echostr": "5837471093847"}) as answer:
        assert (answer.status, await answer.read()) == (200, b"5837471093847")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


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
async def test_nobody_else_does(change: dict[str, str], status: int, code: str) -> None:
    async with running() as (_, client), client.get(PATH, params=query() | {"echostr": "58374"} | change) as answer:
        assert (answer.status, code_of(await answer.read())) == (status, code)


# Who is let in


async def test_a_wrong_signature_is_401_and_no_ticket() -> None:
    async with running() as (host, client):
        for asked in ({}, query() | {"signature": "0" * 40}, query(token="another"), query() | {"nonce": "1"}):
            status, answer = await push(client, message(Content=WORDS), asked)
            assert (status, code_of(answer)) == (401, "signature_invalid")
        assert not host.taken


@pytest.mark.parametrize("at", [-301, 301])
async def test_a_stale_signature_is_403_and_no_ticket(at: int) -> None:
    async with running() as (host, client):
        status, answer = await push(client, message(Content=WORDS), query(at=datetime.now().timestamp() + at))
        assert (status, code_of(answer)) == (403, "signature_stale")
        assert not host.taken


async def test_a_signature_that_came_before_is_good_for_the_same_message_only() -> None:
    asked = query()
    async with running() as (host, client):
        first = await push(client, message(n=1, Content=WORDS), asked)
        again = await push(client, message(n=1, Content=WORDS), asked)
        assert first[0] == again[0] == 200
        assert fields_of(first[1])["Content"] == fields_of(again[1])["Content"], "a second try is told the same"
        for other in (message(n=2, Content=WORDS), message(n=1, Content="another text")):
            status, answer = await push(client, other, asked)
            assert (status, code_of(answer)) == (403, "signature_replayed")
        assert len(host.taken) == 1


async def test_a_second_try_with_a_new_signature_is_the_same_ticket() -> None:
    async with running() as (host, client):
        told = {fields_of((await push(client, message(Content=WORDS)))[1])["Content"] for _ in range(4)}
        assert len(told) == len(host.taken) == 1


async def test_four_tries_at_once_are_one_ticket() -> None:
    async with running() as (host, client):
        answers = await asyncio.gather(*(push(client, message(Content=WORDS)) for _ in range(4)))
        assert {status for status, _ in answers} == {200}
        assert len({fields_of(answer)["Content"] for _, answer in answers}) == len(host.taken) == 1


async def test_a_message_to_another_account_is_refused() -> None:
    async with running() as (host, client):
        status, answer = await push(client, message(ToUserName="gh_another", Content=WORDS))
        assert (status, code_of(answer)) == (403, "other_account")
        assert not host.taken
    async with running(account=None) as (host, client):
        assert (await push(client, message(ToUserName="gh_another", Content=WORDS)))[0] == 200


async def test_a_large_body_is_413_and_not_read() -> None:
    async with running(max_bytes=2000) as (host, client):
        status, answer = await push(client, message(Content="路" * 1000))
        assert (status, code_of(answer)) == (413, "body_too_large")

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 1000

        async with client.post(PATH, data=chunks(), params=query()) as response:
            assert response.status == 413
        assert not host.taken


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b"{}", "xml_invalid"),
        (b'<!DOCTYPE xml [<!ENTITY a "b">]><xml><Content>&a;</Content></xml>', "doctype_refused"),
        ("<xml>路灯</xml>".encode("gb18030"), "encoding_invalid"),
        (b"<xml><return_code>SUCCESS</return_code></xml>", "not_a_message"),
        (b"<xml><Encrypt>AAAA</Encrypt></xml>", "encrypted"),
        (b"<xml><MsgType>text</MsgType><Content>a</Content></xml>", "sender_missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_no_message_is_422_with_a_code(body: bytes, code: str) -> None:
    async with running(account=None) as (host, client):
        status, answer = await push(client, body)
        assert (status, code_of(answer)) == (422, code)
        assert not host.taken


async def test_a_secret_that_cannot_be_read_is_said_to_us_and_the_message_comes_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    async with running(token_file=str(token)) as (host, client):
        with capture_logs() as events:
            assert (await push(client, message(Content=WORDS)))[0] == 503
        assert [event["event"] for event in events] == ["wechat_secret_unreadable"]
        token.write_text("one\n")
        assert (await push(client, message(Content=WORDS), query(token="one")))[0] == 200
        token.write_text("one\nanother\n")
        assert (await push(client, message(Content=WORDS), query(token="another")))[0] == 200
        token.write_text("another\n")
        assert (await push(client, message(Content=WORDS), query(token="one")))[0] == 401
        assert len(host.taken) == 1


# Sealed


async def test_a_sealed_message_is_kept_in_the_clear_and_answered_sealed() -> None:
    async with running(**SEALED) as (host, client):
        status, answer = await push(client, *sealed(message(Content=WORDS)))
        assert status == 200
        said = fields_of(unsealed(fields_of(answer)))
        assert (said["ToUserName"], said["FromUserName"], said["MsgType"]) == (CITIZEN, ACCOUNT, "text")
        (kept,) = host.taken.values()
        assert kept.body == message(Content=WORDS), "so that it can be parsed when the key has changed"
        assert kept.meta["verified"] == "sealed_signature"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ((message(Content=WORDS), query()), 403, "not_sealed"),
        (sealed(message(Content=WORDS), token="another"), 401, "signature_invalid"),
        (sealed(message(Content=WORDS), key=bytes(32)), 422, "sealed_unreadable"),
        (sealed(message(Content=WORDS), app_id="wx_another"), 422, "sealed_for_another"),
        (sealed(b"<xml"), 422, "xml_invalid"),
        (
            (message(Content=WORDS), query() | {"encrypt_type": "aes", "msg_signature": "0" * 40}),
            401,
            "signature_invalid",
        ),
        ((message(Content=WORDS), query() | {"encrypt_type": "aes"}), 401, "signature_invalid"),
    ],
    ids=["plain", "token", "key", "app id", "no xml", "no seal", "no signature"],
)
async def test_a_message_that_is_not_sealed_for_us_is_no_ticket(
    request_: tuple[bytes, dict[str, str]], status: int, code: str
) -> None:
    async with running(**SEALED) as (host, client):
        answered = await push(client, request_[0], request_[1])
        assert (answered[0], code_of(answered[1])) == (status, code)
        assert not host.taken


async def test_both_forms_at_once_are_read_by_their_seal_or_without_a_key_by_the_plain_half() -> None:
    body, asked = sealed(message(Content=WORDS), both=True)
    async with running(**SEALED, mode="both") as (host, client):
        status, answer = await push(client, body, asked)
        assert status == 200
        assert "Encrypt" in fields_of(answer)
        assert (await push(client, message(n=2, Content=WORDS)))[0] == 200, "and the plain form alone"
        assert len(host.taken) == 2
    async with running() as (host, client):
        status, answer = await push(client, body, asked)
        assert (status, fields_of(answer)["MsgType"]) == (200, "text")


async def test_an_old_key_is_good_while_both_stand_in_the_file(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    old = base64.b64encode(bytes(32)).decode().rstrip("=")
    keys.write_text(f"{(FIXTURES / 'aes-key').read_text()}{old}\n")
    async with running(**SEALED | {"aes_key_file": str(keys)}) as (_, client):
        status, answer = await push(client, *sealed(message(Content=WORDS), key=bytes(32)))
        assert status == 200
        assert unsealed(fields_of(answer), bytes(32)), "answered with the key it came with"
        assert (await push(client, *sealed(message(n=2, Content=WORDS), key=KEY)))[0] == 200


# What the citizen reads


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


# Pictures


@asynccontextmanager
async def picture_host(slow: asyncio.Event | None = None) -> AsyncIterator[tuple[str, list[str]]]:
    asked: list[str] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if slow is not None:
            await slow.wait()
        return web.Response(body=PNG, content_type="image/jpeg")

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        if slow is not None:
            slow.set()
        await runner.cleanup()


async def test_a_picture_comes_with_its_message() -> None:
    async with picture_host() as (at, asked):
        settings = {"picture_hosts": [at], "allow_private": ["127.0.0.0/8"]}
        async with running(**settings) as (host, client):
            body = message("image", PicUrl=f"http://{at}/mmbiz_jpg/abc/0", MediaId="m")
            assert (await push(client, body))[0] == 200
            (kept,) = host.taken.values()
            inbound = Wechat(Wechat.config_type.model_validate(PLAIN)).parse(kept)
            assert [one.content for one in inbound.attachments] == [PNG]
            assert inbound.notes[0].code == "written_at"
            assert asked == ["/mmbiz_jpg/abc/0"]
            # A second try without its picture is the same submission.
            bare = Wechat(Wechat.config_type.model_validate(PLAIN)).parse(
                Raw(channel="wechat", source_id=kept.source_id, received_at=NOW, body=body)
            )
            assert bare.digest == inbound.digest


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "file:///etc/passwd", "this is a url", "https://evil.example/"]
)
async def test_a_picture_from_elsewhere_is_not_fetched_and_the_message_is_taken(url: str) -> None:
    async with running() as (host, client):
        assert (await push(client, message("image", PicUrl=url)))[0] == 200
        (kept,) = host.taken.values()
        inbound = Wechat(Wechat.config_type.model_validate(PLAIN)).parse(kept)
        assert [note.code for note in inbound.notes] == ["picture_not_fetched", "written_at"]


async def test_a_slow_picture_does_not_cost_the_answer() -> None:
    async with picture_host(asyncio.Event()) as (at, asked):
        settings = {"picture_hosts": [at], "allow_private": ["127.0.0.0/8"], "picture_seconds": 0.2}
        async with running(**settings) as (host, client):
            async with asyncio.timeout(4.5):  # WeChat waits 5 s
                assert (await push(client, message("image", PicUrl=f"http://{at}/slow")))[0] == 200
            assert asked == ["/slow"]
            assert len(host.taken) == 1


# No account


async def test_without_an_account_it_runs_and_says_what_is_missing() -> None:
    wechat = Wechat(Wechat.config_type())
    assert wechat.lacks == "token_file"
    async with FakeHost() as host:
        with capture_logs() as events:
            task = asyncio.create_task(wechat.run(host))
            await asyncio.sleep(0)
            assert not task.done()
            task.cancel()
            await asyncio.wait({task})
        assert not host.routed.is_set()
        assert [(event["event"], event["missing"]) for event in events] == [("wechat_no_account", "token_file")]
