"""The callback of the channel wechat: who is let in, what becomes a ticket, and what the citizen reads at once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.testing import ChannelContract, Outcome
from channels.wechat import Wechat
from channels.wechat.callback import PATH
from channels.wechat.xml import fields_of
from normalizer.ticket import Raw
from tests.channels.wechat.callbacks import NOW, WORDS, code_of, push, running
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
        with capture_logs() as events:
            status, answer = await push(client, body)
        assert (status, code_of(answer)) == (422, code)
        assert [event["code"] for event in events if event["event"] == "wechat_refused"] == [code]
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
