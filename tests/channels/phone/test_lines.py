"""A stream of NDJSON is answered line by line, in order, with only a few lines held at a time."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.phone import Phone
from channels.phone.config import PhoneConfig
from channels.phone.lines import AT_ONCE, Line, answer_in_order, lines_of
from normalizer.errors import Fault, Rejected, TryAgain
from normalizer.ticket import Raw, Receipt
from tests.waiting import HANGS

LIMIT = 8
CALLS = 1000


class Told(BaseModel):
    """What stands for a receipt."""

    number: str


# Lines


def split(chunks: Iterable[bytes], limit: int = LIMIT) -> list[tuple[int, bytes, bool]]:
    """The lines of a body that arrives in these pieces."""

    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def read() -> list[tuple[int, bytes, bool]]:
        return [(line.number, line.body, line.too_long) async for line in lines_of(arriving(), limit)]

    return asyncio.run(read())


def expected(body: bytes) -> list[tuple[int, bytes, bool]]:
    numbered = list(enumerate(body.split(b"\n"), 1))
    return [
        (number, b"", True) if len(text) > LIMIT else (number, text, False)
        for number, text in numbered
        if text.strip() or len(text) > LIMIT
    ]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.text("ab \r\n", max_size=20).map(str.encode), max_size=8))
@example([b"12345678\n123456789\n"])
@example([b"1234", b"5678", b"\n", b"1234", b"56789", b"x" * 50, b"\n", b"a"])
@example([b" " * 20, b'{"a":1}\n'])
@example([b"\n" * 30])
def test_the_lines_are_the_same_however_the_body_is_cut_into_pieces(chunks: list[bytes]) -> None:
    assert split(chunks) == split([b"".join(chunks)]) == expected(b"".join(chunks))


def test_a_line_over_the_limit_is_read_over_without_being_held() -> None:
    chunk = bytearray(b"x" * 100_000)
    tracemalloc.start()
    lines = split(chain((bytes(chunk) for _ in range(300)), [b"\n", b"next"]), limit=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines == [(1, b"", True), (2, b"next", False)]
    assert peak < 5 * len(chunk)


# Answers


async def numbered(count: int) -> AsyncIterator[Line]:
    for number in range(1, count + 1):
        yield Line(number, b"x")


async def told(lines: AsyncIterator[Line], take: Any) -> list[dict[str, Any]]:
    return [json.loads(answer) async for answer in answer_in_order(lines, take)]


async def test_one_answer_a_line_in_order_whichever_is_ready_first() -> None:
    later = asyncio.Event()

    async def take(line: Line) -> Told:
        if line.number == 1:
            await later.wait()
        elif line.number == AT_ONCE:
            later.set()
        return Told(number=f"n{line.number}")

    answers = await asyncio.wait_for(told(numbered(50), take), HANGS)
    assert answers == [{"line": n, "number": f"n{n}"} for n in range(1, 51)]


async def test_of_a_thousand_lines_only_a_few_are_held_at_once() -> None:
    drawn = taken = held_at_most = 0

    async def lines() -> AsyncIterator[Line]:
        nonlocal drawn, held_at_most
        async for line in numbered(CALLS):
            drawn += 1
            held_at_most = max(held_at_most, drawn - answered)
            yield line

    async def take(line: Line) -> Told:
        nonlocal taken, held_at_most
        taken += 1
        held_at_most = max(held_at_most, taken - answered)
        await asyncio.sleep(0)
        return Told(number=str(line.number))

    answered = 0
    async for _ in answer_in_order(lines(), take):
        answered += 1
        await asyncio.sleep(0)
    assert (drawn, taken, answered) == (CALLS, CALLS, CALLS)
    assert held_at_most == AT_ONCE


async def test_a_sender_who_reads_no_answers_is_not_read_any_further() -> None:
    drawn = 0

    async def lines() -> AsyncIterator[Line]:
        nonlocal drawn
        async for line in numbered(CALLS):
            drawn += 1
            yield line

    async def take(line: Line) -> Told:
        return Told(number=str(line.number))

    async with aclosing(answer_in_order(lines(), take)) as answers:
        await anext(answers)
        for _ in range(200):
            await asyncio.sleep(0)
        assert drawn <= AT_ONCE


async def test_what_goes_wrong_with_a_line_is_its_own_answer_only() -> None:
    wrong: dict[int, Exception] = {
        2: Rejected("invalid", "It is wrong.", [Fault("/turns", "missing", "The field is required.")]),
        3: TryAgain(2.3, "the disk is full"),
        4: RuntimeError("13800138000"),
        5: TryAgain(0),
    }

    async def take(line: Line) -> Told:
        if line.number in wrong:
            raise wrong[line.number]
        return Told(number=str(line.number))

    with capture_logs() as logs:
        answers = await told(numbered(6), take)
    assert [one["line"] for one in answers] == [1, 2, 3, 4, 5, 6]
    assert answers[1]["error"] == {
        "code": "invalid",
        "detail": "It is wrong.",
        "errors": [{"pointer": "/turns", "code": "missing", "detail": "The field is required."}],
    }
    assert [(one["error"]["code"], one["error"]["retry_after"]) for one in answers[2:5]] == [
        ("try_again", 3),
        ("try_again", 5),
        ("try_again", 1),
    ]
    assert answers[5] == {"line": 6, "number": "6"}
    assert "13800138000" not in json.dumps(answers) + str(logs)
    assert [log["error"] for log in logs] == ["RuntimeError"]


async def test_a_line_over_the_limit_is_refused_without_being_taken() -> None:
    async def lines() -> AsyncIterator[Line]:
        yield Line(1, b"", too_long=True)

    async def take(_: Line) -> Told:
        raise AssertionError("it must not be taken")

    (answer,) = await told(lines(), take)
    assert answer["error"]["code"] == "body_too_large"


async def test_what_came_before_the_stream_broke_is_answered_first() -> None:
    async def broken() -> AsyncIterator[Line]:
        async for line in numbered(3):
            yield line
        raise ConnectionResetError

    async def take(line: Line) -> Told:
        await asyncio.sleep(0)
        return Told(number=str(line.number))

    answers = []

    async def gather() -> None:
        async for answer in answer_in_order(broken(), take):
            answers.append(json.loads(answer)["line"])  # noqa: PERF401  # those before the error count

    with pytest.raises(ConnectionResetError):
        await gather()
    assert answers == [1, 2, 3]


async def test_who_stops_listening_leaves_no_task_behind() -> None:
    cancelled = 0

    async def take(line: Line) -> Told:
        nonlocal cancelled
        try:
            if line.number > 1:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return Told(number=str(line.number))

    before = asyncio.all_tasks()
    async with aclosing(answer_in_order(numbered(CALLS), take)) as answers:
        await anext(answers)
        for _ in range(20):
            await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert cancelled == AT_ONCE - 1


async def test_cancelling_the_listener_cancels_what_is_under_way() -> None:
    started = asyncio.Event()

    async def take(_: Line) -> Told:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    before = asyncio.all_tasks()
    listening = asyncio.create_task(told(numbered(CALLS), take))
    await asyncio.wait_for(started.wait(), HANGS)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert asyncio.all_tasks() == before


# Through the API


class Forgetful(FakeHost):
    """Accepts without keeping bodies, and counts how many are being accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = self.most = 0

    async def accept(self, raw: Raw) -> Receipt:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        try:
            return await super().accept(replace(raw, body=b""))
        finally:
            self.inside -= 1


async def test_a_thousand_calls_stream_without_all_being_in_memory() -> None:
    size = 50_000

    async def calls() -> AsyncIterator[bytes]:
        for n in range(CALLS):
            body = {"call_id": f"c{n}", "turns": [{"speaker": "citizen", "text": f"{n} 号楼的路灯坏了"}]}
            yield json.dumps(body).encode().ljust(size) + b"\n"

    async with Forgetful() as host, ClientSession(base_url=host.public_url) as client:
        running = asyncio.create_task(Phone(PhoneConfig()).run(host))
        await host.routed.wait()
        headers = {"Content-Type": "application/x-ndjson"}
        tracemalloc.start()
        async with client.post("/api/v1/calls", data=calls(), headers=headers) as response:
            answers = [json.loads(line) async for line in response.content]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        running.cancel()
        await asyncio.wait({running})
    assert [one["line"] for one in answers] == list(range(1, CALLS + 1))
    assert len({one["number"] for one in answers}) == len(host.taken) == CALLS
    assert 1 < host.most <= AT_ONCE
    assert peak < CALLS * size / 4
