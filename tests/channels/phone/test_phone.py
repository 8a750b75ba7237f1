"""The phone channel keeps the contract of every channel, and its API takes calls and says exactly what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from channels.fake_host import FakeHost
from channels.phone import Phone
from channels.phone.config import PhoneConfig
from channels.testing import ChannelContract
from normalizer.errors import TryAgain
from normalizer.ticket import Raw
from tests.channels.phone.calls import API, CORPUS, LIMIT, NAME, NOW, NUMBER, call, parsed, sent, without_id
from tests.waiting import HANGS


class TestPhone(ChannelContract):
    channel = Phone
    path = API
    private = (NAME, NUMBER)
    corpus = CORPUS

    def example(self, n: int) -> Raw:
        return self._raw(call(f"我叫{NAME}，五一北路 {n} 号门口的路灯坏了", call_id=f"c{n}", caller=NUMBER))

    def bad_example(self) -> Raw:
        return self._raw({"call_id": " ", "turns": [{"speaker": NAME, "text": "x", "start": NAME}], "queue": [NUMBER]})

    def _raw(self, body: dict[str, Any]) -> Raw:
        content = json.dumps(body).encode()
        return Raw(channel="phone", source_id="x", received_at=NOW, body=content, content_type="application/json")


# What is answered


async def test_a_call_is_answered_with_its_receipt(host: FakeHost, client: ClientSession) -> None:
    body = json.dumps(call()).encode()
    async with client.post(API, data=body) as response:
        receipt = await response.json()
    assert response.status == 201
    assert response.headers["Location"] == receipt["status_url"]
    assert response.headers["Cache-Control"] == "no-store"
    assert receipt["duplicate"] is False
    assert receipt["flags"] == receipt["call_now"] == []
    (kept,) = host.taken.values()
    assert kept.body == body
    assert kept.meta == {"digest": Phone(PhoneConfig()).parse(kept).digest}


async def test_the_same_call_again_is_a_duplicate_however_it_is_laid_out(host: FakeHost, client: ClientSession) -> None:
    first = await sent(client, json.dumps(call()).encode())
    again = await sent(client, json.dumps(call(), ensure_ascii=False, indent=4).encode("gb18030"))
    assert (first[0], again[0]) == (201, 200)
    assert again[1] == {**first[1], "duplicate": True}
    assert len(host.taken) == 1


async def test_all_faults_are_named_at_once(host: FakeHost, client: ClientSession) -> None:
    body = {
        "call_id": " \t",
        "started_at": "2026-11-23T09:20:00",
        "outcome": "lost",
        "colour": "blue",
        "turns": [{"text": "a", "speaker": "boss"}, {"start": "soon", "confidence": 2}],
        "form": {"kind": "whim", "name": "x" * 61},
    }
    status, problem = await sent(client, body)
    assert (status, problem["code"]) == (422, "invalid")
    assert {(fault["pointer"], fault["code"]) for fault in problem["errors"]} == {
        ("/call_id", "blank"),
        ("/started_at", "no_offset"),
        ("/outcome", "unknown_word"),
        ("/colour", "unknown_field"),
        ("/turns/0/speaker", "unknown_word"),
        ("/turns/1/text", "missing"),
        ("/turns/1/start", "wrong_type"),
        ("/turns/1/confidence", "out_of_range"),
        ("/form/kind", "unknown_word"),
        ("/form/name", "too_long"),
    }
    assert not [word for word in ("blue", "boss", "whim", "soon") if word in json.dumps(problem)]
    assert not host.taken


@pytest.mark.parametrize("case", sorted(CORPUS.glob("*.error.json")), ids=lambda path: path.name.partition(".")[0])
async def test_what_the_corpus_calls_bad_is_answered_with_the_same_code(
    host: FakeHost, client: ClientSession, case: Path
) -> None:
    (bad,) = (path for path in CORPUS.glob(f"{case.name.partition('.')[0]}.*") if path != case)
    status, problem = await sent(client, bad.read_bytes())
    assert (status, problem["code"]) == (422, json.loads(case.read_text("utf-8"))["code"])
    assert not host.taken


@pytest.mark.parametrize(
    ("said", "number"), [("楼上着火了，烟很大，还有老人困在里面", "119"), ("他拿着刀要砍我老婆，快来人", "110")]
)
async def test_a_danger_is_answered_with_its_flag_and_whom_to_call(
    host: FakeHost, client: ClientSession, said: str, number: str
) -> None:
    _, receipt = await sent(client, call(said))
    assert "emergency" in receipt["flags"]
    assert receipt["call_now"][0] == number


async def test_a_bug_in_the_alarm_rules_costs_no_receipt(
    host: FakeHost, client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("channels.alerts.alarms", broken)
    status, receipt = await sent(client, call("楼上着火了"))
    assert (status, receipt["flags"], receipt["call_now"]) == (201, [], [])


async def test_a_bug_of_ours_is_never_a_refusal(
    host: FakeHost, client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("channels.phone.api.understand", broken)
    async with client.post(API, json=call()) as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
    assert not host.taken


async def test_try_again_says_when(host: FakeHost, client: ClientSession) -> None:
    host.otherwise = TryAgain(2.3)
    async with client.post(API, json=call()) as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "3"
        assert response.content_type == "application/problem+json"


# Formats


async def test_a_format_is_recognised_by_its_content(host: FakeHost, client: ClientSession) -> None:
    assert (await sent(client, without_id()))[0] == 201
    (inbound,) = parsed(host)
    assert inbound.text == "小区北门的路灯坏了三天了"


async def test_a_named_format_is_read_as_that_now_and_when_it_is_parsed_again(
    host: FakeHost, client: ClientSession
) -> None:
    said = "小区北门的路灯坏了三天了".encode()
    assert (await sent(client, said))[1]["code"] == "unknown_format"
    assert (await sent(client, said, query="?format=plain"))[0] == 201
    (kept,) = host.taken.values()
    assert kept.meta["format"] == "plain"
    assert parsed(host)[0].text == said.decode()


@pytest.mark.parametrize("named", ["nope", "", "CALL", "../call"])
async def test_a_format_that_is_none_is_refused_with_those_there_are(
    host: FakeHost, client: ClientSession, named: str
) -> None:
    status, problem = await sent(client, call(), query=f"?format={named}")
    assert (status, problem["code"]) == (422, "unknown_format")
    assert {"call", "funasr", "plain", "vcon"} <= set(problem["detail"].rstrip(".").replace(",", "").split())
    assert not host.taken


async def test_the_wrong_name_is_believed(host: FakeHost, client: ClientSession) -> None:
    status, problem = await sent(client, without_id(), query="?format=call")
    assert (status, problem["code"]) == (422, "invalid")
    assert ("/call_id", "missing") in {(fault["pointer"], fault["code"]) for fault in problem["errors"]}


# What is the same submission, and what the same call


async def test_two_calls_without_id_and_key_are_two_however_alike(host: FakeHost, client: ClientSession) -> None:
    statuses = [(await sent(client, without_id()))[0] for _ in range(2)]
    assert statuses == [201, 201]
    assert len(host.taken) == 2
    assert [inbound.threads for inbound in parsed(host)] == [(), ()]


async def test_a_key_makes_two_sendings_of_a_call_without_id_one(host: FakeHost, client: ClientSession) -> None:
    statuses = [(await sent(client, without_id(), key=key))[0] for key in ('"a-key"', "a-key", '"other"')]
    assert statuses == [201, 200, 201]
    assert len(host.taken) == 2


async def test_a_key_given_to_another_call_without_id_is_a_conflict(host: FakeHost, client: ClientSession) -> None:
    await sent(client, without_id(), key="k")
    status, problem = await sent(client, without_id("井盖丢了"), key="k")
    assert (status, problem["code"]) == (422, "conflict")
    assert len(host.taken) == 1


async def test_a_key_belongs_to_its_caller(host: FakeHost, client: ClientSession) -> None:
    for caller in ("one", "two"):
        host.caller = caller
        assert (await sent(client, without_id(), key="k"))[0] == 201


async def test_the_call_s_own_id_counts_more_than_a_key(host: FakeHost, client: ClientSession) -> None:
    """The seat's software sends a call again under a new key: still the same call."""
    statuses = [(await sent(client, call(), key=key))[0] for key in ("one", "two", "one")]
    assert statuses == [201, 200, 200]
    assert len(host.taken) == 1


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize("key", ['""', "two words", "x" * 256, "钥匙"])
async def test_a_malformed_key_is_refused(host: FakeHost, client: ClientSession, key: str, content_type: str) -> None:
    headers = {"Idempotency-Key": key, "Content-Type": content_type}
    async with client.post(API, data=json.dumps(call()), headers=headers) as response:
        assert response.status == 422
        assert (await response.json(content_type=None))["code"] == "idempotency_key_invalid"
    assert not host.taken


async def test_another_recognition_of_a_call_is_another_submission_about_the_same_call(
    host: FakeHost, client: ClientSession
) -> None:
    answers = [await sent(client, call(said)) for said in ("路灯坏了三天了", "路灯坏了三天了。", "路灯坏了山天了")]
    assert [status for status, _ in answers] == [201, 201, 201]
    assert len({receipt["ticket_id"] for _, receipt in answers}) == 3
    assert len({raw.source_id for raw in host.taken.values()}) == 3
    assert {inbound.threads for inbound in parsed(host)} == {("phone:call:c1",)}
    assert {inbound.senders for inbound in parsed(host)} == {("phone:call:c1",)}


async def test_what_the_seat_adds_to_its_form_is_another_submission_too(host: FakeHost, client: ClientSession) -> None:
    for form in ({}, {"place": "马连道路6号院"}, {"place": "马连道路6号院", "kind": "complaint"}):
        assert (await sent(client, call(form=form)))[0] == 201
    assert len(host.taken) == 3


async def test_other_calls_have_other_threads(host: FakeHost, client: ClientSession) -> None:
    for call_id in ("c1", "c2"):
        await sent(client, call(call_id=call_id))
    assert [inbound.threads for inbound in parsed(host)] == [("phone:call:c1",), ("phone:call:c2",)]


# Size


async def test_a_body_that_announces_its_excess_is_refused_unread(host: FakeHost) -> None:
    """The answer comes although not one byte of the announced 200 MB was sent."""
    address = host.public_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(address[0], int(address[1]))
    writer.write(f"POST {API} HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * 10**8}\r\n\r\n".encode())
    status = await asyncio.wait_for(reader.readline(), HANGS)
    writer.close()
    assert b" 413 " in status


async def test_a_body_without_length_is_counted_while_it_comes(host: FakeHost, client: ClientSession) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 64_000

    async with client.post(API, data=endless()) as response:
        assert response.status == 413
        assert (await response.json(content_type=None))["code"] == "body_too_large"
    assert not host.taken


async def test_a_body_may_have_just_as_many_bytes(host: FakeHost, client: ClientSession) -> None:
    """Large ones are read in a thread: the answer is the same."""
    whole = json.dumps(call()).encode().ljust(LIMIT)
    assert (await sent(client, whole))[0] == 201
    assert (await sent(client, whole + b" "))[0] == 413


async def test_a_body_that_breaks_off_is_no_call(host: FakeHost) -> None:
    address = host.public_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(address[0], int(address[1]))
    body = json.dumps(call()).encode()
    writer.write(f"POST {API} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + 9}\r\n\r\n".encode() + body)
    writer.write_eof()
    await asyncio.wait_for(reader.read(), HANGS)
    writer.close()
    assert not host.taken
