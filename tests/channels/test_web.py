"""The web channel keeps the contract of every channel, and its API says exactly what is wrong."""

from __future__ import annotations

import asyncio
import io
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, FormData
from PIL import Image

from channels.fake_host import FakeHost
from channels.testing import ChannelContract
from channels.web import Web, WebConfig
from normalizer import TryAgain
from normalizer.identity import number
from normalizer.ticket import Raw
from tests.waiting import HANGS

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
NUMBER = number(NOW.date(), 0, 7)
CITIZEN = {"name": "欧阳测试", "phone": "13800138000", "email": "ouyang@example.com"}
API = "/api/v1/requests"


def raw(body: bytes | dict[str, Any], content_type: str = "application/json", **meta: str) -> Raw:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Raw(channel="web", source_id="post:1", received_at=NOW, body=content, content_type=content_type, meta=meta)


class TestWeb(ChannelContract):
    channel = Web
    path = API
    private = tuple(CITIZEN.values())
    corpus = Path(__file__).parents[1] / "corpus/web"

    def example(self, n: int) -> Raw:
        body = {"text": f"五一北路 {n} 号门口的路灯坏了", **CITIZEN}
        return Raw(
            channel="web",
            source_id=f"k{n}",
            received_at=NOW,
            body=json.dumps(body).encode(),
            content_type="application/json",
        )

    def bad_example(self) -> Raw:
        return raw({"text": "", "kind": CITIZEN["name"], "place": {"lat": CITIZEN["phone"]}, "email": "欧阳测试"})

    def headers(self, raw: Raw) -> Mapping[str, str]:
        return {"Idempotency-Key": f'"{raw.source_id}"'}


async def faults(response: ClientResponse) -> list[tuple[str, str]]:
    assert response.content_type == "application/problem+json"
    problem = await response.json(content_type=None)
    assert problem["status"] == response.status
    return [(error["pointer"], error["code"]) for error in problem["errors"]]


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(out, "PNG")
    return out.getvalue()


# The API


async def test_a_request_is_answered_with_its_receipt(host: FakeHost, client: ClientSession) -> None:
    async with client.post(API, json={"text": "路灯坏了"}) as response:
        receipt = await response.json()
    assert response.status == 201
    assert response.headers["Location"] == receipt["status_url"]
    assert receipt["duplicate"] is False
    assert receipt["flags"] == []
    (kept,) = host.taken.values()
    assert json.loads(kept.body) == {"text": "路灯坏了"}
    assert kept.meta["digest"] == Web(WebConfig()).parse(kept).digest
    assert kept.source_id.startswith("post:")


async def test_without_a_key_every_post_is_its_own(host: FakeHost, client: ClientSession) -> None:
    for _ in range(2):
        async with client.post(API, json={"text": "路灯坏了"}) as response:
            assert response.status == 201
    assert len(host.taken) == 2


async def test_the_same_key_and_content_is_answered_with_the_same_receipt(
    host: FakeHost, client: ClientSession
) -> None:
    receipts = []
    for written in ('"a-key"', "a-key", '"a-key"'):
        async with client.post(API, json={"text": "路灯坏了"}, headers={"Idempotency-Key": written}) as response:
            receipts.append((response.status, (await response.json())["number"]))
    assert [status for status, _ in receipts] == [201, 200, 200]
    assert len({number for _, number in receipts}) == 1


async def test_the_same_key_with_other_content_is_a_conflict(host: FakeHost, client: ClientSession) -> None:
    await client.post(API, json={"text": "路灯坏了"}, headers={"Idempotency-Key": "k"})
    async with client.post(API, json={"text": "别的"}, headers={"Idempotency-Key": "k"}) as response:
        assert response.status == 422
        assert (await response.json(content_type=None))["code"] == "conflict"


async def test_a_key_belongs_to_its_caller(host: FakeHost, client: ClientSession) -> None:
    for caller in ("one", "two"):
        host.caller = caller
        async with client.post(API, json={"text": caller}, headers={"Idempotency-Key": "k"}) as response:
            assert response.status == 201


@pytest.mark.parametrize("key", ["", '""', "two words", '"open', "x" * 256, '"\\x"', "钥匙"])
async def test_a_malformed_key_is_refused(host: FakeHost, client: ClientSession, key: str) -> None:
    async with client.post(API, json={"text": "a"}, headers={"Idempotency-Key": key}) as response:
        assert response.status == 422
        assert await faults(response) == [("", "idempotency_key_invalid")]
    assert not host.taken


async def test_all_faults_are_named_at_once(host: FakeHost, client: ClientSession) -> None:
    body = {
        "title": "x" * 201,
        "kind": "whim",
        "email": "nobody",
        "anonymous": "yes",
        "occurred_at": "2026-11-23T09:30:00",
        "place": {"lat": 91, "street": 5},
        "colour": "blue",
    }
    async with client.post(API, json=body) as response:
        assert response.status == 422
        found = set(await faults(response))
        text = await response.text()
    assert found == {
        ("/text", "missing"),
        ("/title", "too_long"),
        ("/kind", "unknown_word"),
        ("/email", "malformed"),
        ("/anonymous", "wrong_type"),
        ("/occurred_at", "no_offset"),
        ("/place/lat", "out_of_range"),
        ("/place/street", "wrong_type"),
        ("/colour", "unknown_field"),
    }
    assert "nobody" not in text
    assert "blue" not in text


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_unsupported(host: FakeHost, client: ClientSession, content_type: str) -> None:
    async with client.post(API, data=b"{}", headers={"Content-Type": content_type}) as response:
        assert response.status == 415
        assert response.content_type == "application/problem+json"


async def test_a_body_that_announces_its_excess_is_refused_unread(host: FakeHost) -> None:
    """The answer comes although not one byte of the announced 100 MB was sent."""
    address = host.public_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(address[0], int(address[1]))
    head = f"POST {API} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {10**8}\r\n\r\n"
    writer.write(head.encode())
    status = await asyncio.wait_for(reader.readline(), HANGS)
    writer.close()
    assert b" 413 " in status


async def test_a_body_without_length_is_counted_while_it_comes(host: FakeHost, client: ClientSession) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 64_000

    async with client.post(API, data=endless(), headers={"Content-Type": "application/json"}) as response:
        assert response.status == 413
    assert not host.taken


async def test_a_compressed_bomb_counts_by_what_it_unpacks_to(host: FakeHost, client: ClientSession) -> None:
    bomb = zlib.compress(b" " * 5_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": "deflate"}
    async with client.post(API, data=bomb, headers=headers) as response:
        assert response.status == 413


async def test_attachments_arrive_by_multipart(host: FakeHost, client: ClientSession) -> None:
    form = FormData(quote_fields=False)  # as browsers do
    form.add_field("text", "见照片")
    form.add_field("place", '{"district":"鼓楼区","lat":26.08}', content_type="application/json")
    form.add_field("attachments", picture(), filename="../照片.png", content_type="text/html")
    form.add_field("attachments", b"%PDF-1.7\n", filename="a.pdf")
    async with client.post(API, data=form) as response:
        assert response.status == 201
    (kept,) = host.taken.values()
    inbound = Web(WebConfig()).parse(kept)
    assert [file.name for file in inbound.attachments] == ["照片.png", "a.pdf"]
    assert inbound.attachments[0].content == picture()
    assert inbound.place is not None
    assert (inbound.place.district, inbound.place.lat) == ("鼓楼区", 26.08)


async def test_every_bad_attachment_is_named(host: FakeHost, client: ClientSession) -> None:
    form = FormData()
    form.add_field("text", "a")
    for content in (b"MZ\x90\x00" * 20, b"", b"%PDF" + b"x" * 40_000, picture()):
        form.add_field("attachments", content, filename="a.pdf")
    async with client.post(API, data=form) as response:
        assert response.status == 422
        assert await faults(response) == [
            ("/attachments/0", "type_not_allowed"),
            ("/attachments/1", "empty_file"),
            ("/attachments/2", "too_large"),
        ]


async def test_more_than_nine_files_are_too_many(host: FakeHost, client: ClientSession) -> None:
    form = FormData()
    form.add_field("text", "a")
    for _ in range(10):
        form.add_field("attachments", picture(), filename="a.png")
    async with client.post(API, data=form) as response:
        assert await faults(response) == [("/attachments", "too_many")]


async def test_a_follow_up_is_taken_as_one(host: FakeHost, client: ClientSession) -> None:
    body = {"text": "还没有修", "code": "ABCD2345"}
    async with client.post(f"{API}/{NUMBER}/messages", json=body) as response:
        assert response.status == 201
    (kept,) = host.taken.values()
    assert kept.meta["follows"] == NUMBER
    assert Web(WebConfig()).parse(kept).threads == (f"number:{NUMBER}",)


async def test_a_follow_up_without_code_is_refused(host: FakeHost, client: ClientSession) -> None:
    async with client.post(f"{API}/{NUMBER}/messages", json={"text": "x"}) as response:
        assert response.status == 422
        assert await faults(response) == [("/code", "missing")]


@pytest.mark.parametrize("wrong", ["abc", "20261123000000712", "1" * 30, "..%2f..%2fetc"])
async def test_a_number_that_is_none_is_not_found(host: FakeHost, client: ClientSession, wrong: str) -> None:
    async with client.post(f"{API}/{wrong}/messages", json={"text": "x", "code": "ABCD2345"}) as response:
        assert response.status == 404


async def test_a_danger_is_answered_with_whom_to_call(host: FakeHost, client: ClientSession) -> None:
    async with client.post(API, json={"text": "楼上着火了，快来人"}) as response:
        receipt = await response.json()
    assert "emergency" in receipt["flags"]
    assert receipt["call_now"][0] == "119"


async def test_a_bug_in_the_alarm_rules_costs_no_receipt(
    host: FakeHost, client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("channels.alerts.alarms", broken)
    async with client.post(API, json={"text": "楼上着火了"}) as response:
        assert response.status == 201
        assert (await response.json())["flags"] == []


async def test_try_again_says_when(host: FakeHost, client: ClientSession) -> None:
    host.otherwise = TryAgain(2.3)
    async with client.post(API, json={"text": "a"}) as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "3"
        assert response.content_type == "application/problem+json"
