"""Many calls in one request: NDJSON, each line answered by a line, in order and by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import ClientResponse, ClientSession

from channels.fake_host import FakeHost
from normalizer.errors import TryAgain
from tests.channels.phone.calls import API, LIMIT, NAME, call, parsed, sent, without_id
from tests.waiting import HANGS


async def answers(response: ClientResponse) -> list[dict[str, Any]]:
    assert response.status == 200
    assert response.content_type == "application/x-ndjson"
    return [json.loads(line) for line in (await response.read()).splitlines()]


async def streamed(client: ClientSession, *lines: bytes, query: str = "", key: str = "") -> list[dict[str, Any]]:
    headers = {"Content-Type": "application/x-ndjson", **({"Idempotency-Key": key} if key else {})}
    async with client.post(API + query, data=b"\n".join(lines), headers=headers) as response:
        return await answers(response)


def line(body: object) -> bytes:
    return json.dumps(body).encode()


async def test_every_line_is_a_submission_of_its_own(host: FakeHost, client: ClientSession) -> None:
    told = await streamed(
        client,
        line(call("楼上着火了", call_id="a")),
        b"",
        line(call(call_id="b"))[:-5],
        line({"call_id": "c", "turns": [{"text": 5}]}),
        b" \r",
        line(call(call_id="d")) + b"\r",
        b'"' + b"x" * LIMIT + b'"',
        line(call(call_id="d")),
    )
    assert [one["line"] for one in told] == [1, 3, 4, 6, 7, 8]
    assert [one.get("error", {}).get("code") for one in told] == [
        None,
        "json_invalid",
        "invalid",
        None,
        "body_too_large",
        None,
    ]
    assert told[0]["flags"] == ["emergency"]
    assert told[0]["call_now"] == ["119"]
    assert told[2]["error"]["errors"] == [
        {"pointer": "/turns/0/text", "code": "wrong_type", "detail": "The value does not have the type of this field."}
    ]
    assert [told[index]["duplicate"] for index in (3, 5)] == [False, True]
    assert told[3]["number"] == told[5]["number"]
    assert len(host.taken) == 2


async def test_a_key_with_the_line_s_number_names_a_line_without_id(host: FakeHost, client: ClientSession) -> None:
    lot = (line(without_id()), line(without_id()))
    first = await streamed(client, *lot, key="k")
    again = await streamed(client, *lot, key="k")
    assert [one["duplicate"] for one in first + again] == [False, False, True, True]
    assert len(host.taken) == 2


async def test_the_format_of_a_stream_may_be_named(host: FakeHost, client: ClientSession) -> None:
    told = await streamed(client, "路灯坏了".encode(), "井盖丢了".encode(), query="?format=plain")
    assert [one["line"] for one in told if "number" in one] == [1, 2]
    assert [inbound.text for inbound in parsed(host)] == ["路灯坏了", "井盖丢了"]


async def test_try_again_is_told_of_the_line_only(host: FakeHost, client: ClientSession) -> None:
    host.outcomes.extend([None, TryAgain(2.3), RuntimeError(NAME), None])
    told = await streamed(client, *(line(call(call_id=f"c{n}")) for n in range(4)))
    assert [one.get("error", {}).get("retry_after") for one in told] == [None, 3, 5, None]
    assert [one["error"]["code"] for one in told if "error" in one] == ["try_again", "try_again"]
    assert NAME not in json.dumps(told, ensure_ascii=False)
    assert len(host.taken) == 2


async def test_an_answer_does_not_wait_for_the_next_line(host: FakeHost, client: ClientSession) -> None:
    """A danger in the first call must reach the seat although the second call is still going on."""
    answered = asyncio.Event()

    async def calls() -> AsyncIterator[bytes]:
        yield line(call("楼上着火了", call_id="a")) + b"\n"
        await answered.wait()
        yield line(call(call_id="b"))

    headers = {"Content-Type": "application/x-ndjson"}
    async with client.post(API, data=calls(), headers=headers) as response:
        first = json.loads(await asyncio.wait_for(response.content.readline(), HANGS))
        answered.set()
        rest = await response.read()
    assert first["flags"] == ["emergency"]
    assert json.loads(rest)["line"] == 2


async def test_a_client_that_goes_away_leaves_no_task_and_no_half_line(host: FakeHost) -> None:
    address = host.public_url.removeprefix("http://").split(":")
    before = asyncio.all_tasks()
    reader, writer = await asyncio.open_connection(address[0], int(address[1]))
    head = f"POST {API} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n"
    writer.write(head.encode() + line(call(call_id="a")) + b"\n" + line(call(call_id="b")))
    while b'"line": 1' not in await asyncio.wait_for(reader.readline(), HANGS):
        pass
    writer.transport.abort()
    deadline = asyncio.get_running_loop().time() + HANGS
    while asyncio.all_tasks() - before:
        assert asyncio.get_running_loop().time() < deadline, asyncio.all_tasks() - before
        await asyncio.sleep(0.01)
    assert [raw.source_id.split(":")[1] for raw in host.taken.values()] == ["a"]


async def test_the_connection_serves_the_next_request_after_a_stream(host: FakeHost, client: ClientSession) -> None:
    await streamed(client, line(call(call_id="a")))
    assert (await sent(client, call(call_id="b")))[0] == 201
