"""The desk channel: what an operator types is a request as on the web, with who typed it and how it came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession, FormData

from channels.desk import PATH, SCOPE, Desk, DeskConfig
from channels.fake_host import FakeHost
from channels.testing import ChannelContract
from normalizer import identity, normalize
from normalizer.errors import Rejected
from normalizer.ticket import Raw

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
CITIZEN = {"name": "欧阳测试", "phone": "13800138000", "email": "ouyang@example.com"}
TYPED = {"text": "五一北路的路灯坏了", "came_by": "walk_in", **CITIZEN}


def raw(body: Mapping[str, object], source_id: str = "key:1", by: str = "tester") -> Raw:
    content = json.dumps(body).encode()
    meta = {"typed_by": by}
    return Raw(
        channel="desk", source_id=source_id, received_at=NOW, body=content, content_type="application/json", meta=meta
    )


class TestDesk(ChannelContract):
    channel = Desk
    path = PATH
    private = tuple(CITIZEN.values())

    def example(self, n: int) -> Raw:
        return raw({**TYPED, "text": f"五一北路 {n} 号门口的路灯坏了"}, f"k{n}")

    def bad_example(self) -> Raw:
        return raw({"text": "", "kind": CITIZEN["name"], "place": {"lat": CITIZEN["phone"]}, "came_by": "欧阳测试"})

    def headers(self, raw: Raw) -> Mapping[str, str]:
        return {"Idempotency-Key": f'"{raw.source_id}"'}


@pytest.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with FakeHost() as host:
        task = asyncio.create_task(Desk(DeskConfig()).run(host))
        await host.routed.wait()
        host.caller = "desk:li"
        yield host
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def client(host: FakeHost) -> AsyncIterator[ClientSession]:
    async with ClientSession(base_url=host.public_url) as session:
        yield session


def test_only_operators_may_type() -> None:
    assert SCOPE == "desk"


async def test_a_request_is_typed_and_its_ticket_tells_by_whom_and_how_it_came(
    host: FakeHost, client: ClientSession
) -> None:
    async with client.post(PATH, json=TYPED, headers={"Idempotency-Key": "a"}) as answer:
        receipt = await answer.json()
        assert (answer.status, len(receipt["code"])) == (201, 8)
        assert answer.headers["Location"] == receipt["status_url"]
    (accepted,) = host.taken.values()
    ticket = normalize(accepted, Desk(DeskConfig()).parse(accepted), number=identity.number(NOW.date(), 0, 7))
    assert (ticket.channel, ticket.requester.phone) == ("desk", "+8613800138000")
    assert [(note.code, note.detail) for note in ticket.notes if note.step == "desk"] == [
        ("walk_in", "typed by desk:li")
    ]


async def test_the_same_key_is_the_same_request(host: FakeHost, client: ClientSession) -> None:
    answers = []
    for body in (TYPED, TYPED, {**TYPED, "came_by": "letter"}):
        async with client.post(PATH, json=body, headers={"Idempotency-Key": "a"}) as answer:
            answers.append(answer.status)
    assert answers == [201, 200, 422], "how it came is part of what was typed"


async def test_a_letter_is_typed_with_its_scan(host: FakeHost, client: ClientSession) -> None:
    form = FormData({"text": "见附件", "came_by": "letter", "anonymous": "true"})
    form.add_field("attachments", "尊敬的领导".encode(), filename="letter.txt", content_type="text/plain")
    async with client.post(PATH, data=form) as answer:
        assert answer.status == 201
    (accepted,) = host.taken.values()
    inbound = Desk(DeskConfig()).parse(accepted)
    assert (inbound.requester.anonymous, [file.name for file in inbound.attachments]) == (True, ["letter.txt"])


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"text": "x"}, "/came_by", "missing"),
        ({"text": "x", "came_by": "pigeon"}, "/came_by", "unknown_word"),
        ({"came_by": "walk_in"}, "/text", "missing"),
    ],
)
def test_what_is_missing_is_named(body: dict[str, str], pointer: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        Desk(DeskConfig()).parse(raw(body))
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


def test_who_typed_it_is_no_content() -> None:
    channel = Desk(DeskConfig())
    assert channel.parse(raw(TYPED)).digest == channel.parse(replace(raw(TYPED), meta={})).digest
