"""Whatever is sent, over a real socket to a real gateway: refused with a reason, early, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateway.wire import whole_answer
from tests.waiting import HANGS

pytestmark = pytest.mark.system
MIB = 1024 * 1024
REQUESTS = "/api/v1/requests"
JSON = "application/json"
GROWTH = 20 * MIB


@pytest.fixture
async def client(steady) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=HANGS)
    async with aiohttp.ClientSession(steady.base, auto_decompress=False, timeout=timeout) as session:
        yield session


@pytest.fixture(autouse=True)
async def others_are_served(steady, client: aiohttp.ClientSession) -> AsyncIterator[None]:
    """After every bad request a good one passes, and what was accepted, that and no more, becomes tickets."""
    yield
    async with client.post(REQUESTS, json={"text": "路灯坏了"}) as answer:
        assert answer.status == 201
    async with asyncio.timeout(HANGS):
        while (counts := steady.counts())["in_flight"]:
            await asyncio.sleep(0.05)
    assert counts["received"] == counts["queued"] == counts["received"] + counts["parked"] + counts["set_aside"]


async def refusal(answer: aiohttp.ClientResponse, status: int) -> dict[str, Any]:
    """The answer is a problem of this status; returns it."""
    body = await answer.read()
    assert (answer.status, answer.content_type) == (status, "application/problem+json"), body[:200]
    problem: dict[str, Any] = json.loads(body)
    assert problem["status"] == status
    return problem


def named(problem: dict[str, Any]) -> set[tuple[str, str]]:
    return {(fault["pointer"], fault["code"]) for fault in problem["errors"]}


# --- values

NOT_STRINGS: tuple[Any, ...] = (1, 1.5, True, [], {}, ["a"], {"a": 1}, 10**400, None)
WRONG = {
    "text": NOT_STRINGS,
    **dict.fromkeys(("title", "name", "phone", "email", "kind", "category"), NOT_STRINGS[:-1]),
    "place": (1, True, ["a"], {"text": 1}, {"lat": "31"}, {"nowhere": "x"}),
    "occurred_at": (1, True, "", "2026-11-23", "2026-11-23T09:30:00", 1763861400, {}, {"start": 1}, ["a"]),
    "anonymous": (1, 0, "true", "yes", [], {}, None),
    "confidential": (1, 0, "false", "", [], {}, None),
}


async def test_a_wrong_type_is_named_by_its_field(client):
    for field, values in WRONG.items():
        for value in values:
            async with client.post(REQUESTS, json={"text": "a", field: value}) as answer:
                problem = await refusal(answer, 422)
            wrong = {pointer for pointer, _ in named(problem)}
            assert wrong, (field, value)
            assert all(re.match(rf"/{field}(/|$)", pointer) for pointer in wrong), (field, value, wrong)


async def test_every_faulty_field_is_named_at_once(client):
    said = {name: values[0] for name, values in WRONG.items()} | {"attachments": [], "surprise": 1}
    async with client.post(REQUESTS, json=said) as answer:
        problem = await refusal(answer, 422)
    assert {pointer.split("/")[1] for pointer, _ in named(problem)} == set(said)
    async with client.post(REQUESTS, json={}) as answer:
        assert named(await refusal(answer, 422)) == {("/text", "missing")}
    async with client.post(f"{REQUESTS}/2026112300000013/messages", json={}) as answer:
        assert named(await refusal(answer, 422)) == {("/text", "missing"), ("/code", "missing")}


NASTY_JSON = {
    "empty": (b"", "body_missing"),
    "not JSON": (b"text=a", "json_invalid"),
    "cut": (b'{"text":"a', "json_invalid"),
    "two documents": (b'{"text":"a"}{"text":"b"}', "json_invalid"),
    "a list": (b'["text"]', "wrong_type"),
    "100,000 lists deep": (b'{"text":"a","place":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "json_invalid"),
    "100,000 objects deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "json_invalid"),
    "bytes that are not UTF-8": (b'{"text":"\xc3\x28\xff"}', "json_invalid"),
    "UTF-16": ('{"text":"a"}'.encode("utf-16"), "json_invalid"),
    "half a surrogate pair": (b'{"text":"a\\ud83d"}', "json_invalid"),
    "half a surrogate pair in bytes": (b'{"text":"\xed\xa0\xbd"}', "json_invalid"),
    "NaN": (b'{"text":"a","place":{"lat":NaN}}', "out_of_range"),
    "Infinity": (b'{"text":"a","place":{"lat":-Infinity}}', "out_of_range"),
    "a number beyond every float": (b'{"text":"a","place":{"lat":1e999}}', "out_of_range"),
    "a number of 5,000 digits": (b'{"text":"a","phone":' + b"9" * 5_000 + b"}", "json_invalid"),
    "the same field twice": (b'{"text":"a","text":"b"}', "duplicate_key"),
    "the same field twice, deeper": (b'{"text":"a","place":{"city":"a","city":"b"}}', "duplicate_key"),
    "NUL": (b'{"text":"a\\u0000b"}', "nul"),
    "nothing to read": ('{"text":"\ufeff \u3000\\n\\u0085"}'.encode(), "missing"),
    "50,000 fields": (json.dumps({"text": "a"} | {f"f{n}": n for n in range(50_000)}).encode(), "unknown_field"),
}


@pytest.mark.parametrize("name", NASTY_JSON)
async def test_nasty_json_is_refused_with_its_reason(client, name):
    body, code = NASTY_JSON[name]
    async with client.post(REQUESTS, data=body, headers={"Content-Type": JSON}) as answer:
        problem = await refusal(answer, 422)
    assert code in {fault[1] for fault in named(problem)}
    assert len(json.dumps(problem)) < 20_000


# --- multipart

END = b"--X--\r\n"
MULTIPART = {"Content-Type": "multipart/form-data; boundary=X"}


def part(disposition: str | bytes, content: bytes, *headers: bytes) -> bytes:
    said = disposition if isinstance(disposition, bytes) else disposition.encode()
    head = b"\r\n".join((b"Content-Disposition: form-data; " + said, *headers))
    return b"--X\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


TEXT = part('name="text"', "路灯坏了".encode())
NASTY_FORMS = {
    "no boundary": (TEXT + END, "multipart/form-data", "boundary_missing"),
    "another boundary": (TEXT + END, "multipart/form-data; boundary=Y", "body_invalid"),
    "too long a boundary": (TEXT + END, "multipart/form-data; boundary=" + "X" * 300, "body_invalid"),
    "cut in a part": (TEXT[:-5], MULTIPART["Content-Type"], "body_truncated"),
    "cut in a head": (TEXT + b"--X\r\nContent-Dis", MULTIPART["Content-Type"], "body_truncated"),
    "without its end": (TEXT, MULTIPART["Content-Type"], "body_truncated"),
    "65 parts": (TEXT * 65 + END, MULTIPART["Content-Type"], "too_many_parts"),
    "a part without name": (TEXT + part("x=1", b"a") + END, MULTIPART["Content-Type"], "part_without_name"),
    "bytes that are not UTF-8": (part('name="text"', b"\xff") + END, MULTIPART["Content-Type"], "bad_encoding"),
    "NUL": (part('name="text"', b"a\0b") + END, MULTIPART["Content-Type"], "nul"),
    "an empty body": (b"", MULTIPART["Content-Type"], "body_missing"),
}


@pytest.mark.parametrize("name", NASTY_FORMS)
async def test_a_nasty_form_is_refused_with_its_reason(client, name):
    body, content_type, code = NASTY_FORMS[name]
    async with client.post(REQUESTS, data=body, headers={"Content-Type": content_type}) as answer:
        assert code in {fault[1] for fault in named(await refusal(answer, 422))}


FILE_NAMES = (
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\\\windows\\\\system.ini",
    "a\0b.txt",
    "长" * 1000 + ".txt",
    "..",
    "\u202egnp.exe",
)
NOWHERE = ("/api/v1/requests/", "/api/v2/requests", "/%2e%2e/etc/passwd", "/" + "a" * 5000)


async def test_no_file_name_leads_anywhere(steady, client):
    """Files are kept under the hash of their bytes; the name is only shown, without path, tricks or excess."""
    files = b"".join(
        part(f'name="attachments"; filename="{name}"', f"file {n}".encode()) for n, name in enumerate(FILE_NAMES)
    )
    async with client.post(REQUESTS, data=TEXT + files + END, headers=MULTIPART) as answer:
        assert answer.status == 201, await answer.text()
        ticket_id = (await answer.json())["ticket_id"]
    document = await stored(steady, ticket_id)
    names = [attachment["name"] for attachment in document["attachments"]]
    assert names[:2] == ["passwd", "passwd"]
    assert len(names) == len(FILE_NAMES)
    for name in names:
        assert 0 < len(name) <= 200
        assert not re.search(r"[/\\\x00-\x1f\u202e]", name)
        assert name not in (".", "..")
    kept = [path for path in steady.directory.rglob("*") if path.is_file() and path.read_bytes()[:7] == b"file 0"]
    assert all(re.search(r"blobs/\d{4}/\d\d/\d\d/[0-9a-f]{64}$", str(path)) for path in kept)
    assert kept


async def stored(steady, ticket_id: str) -> dict[str, Any]:
    with steady.client() as redis:
        async with asyncio.timeout(HANGS):
            while (document := redis.hget(f"jiesu:ticket:{ticket_id}", "doc")) is None:
                await asyncio.sleep(0.05)
    found: dict[str, Any] = json.loads(document)
    return found


# --- HTTP


async def test_a_content_type_that_is_not_taken_is_415(client):
    for content_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "x", "*/*", "json"):
        async with client.post(REQUESTS, data=b'{"text":"a"}', headers={"Content-Type": content_type}) as answer:
            await refusal(answer, 415)
    async with client.post(REQUESTS, data=b'{"text":"a"}', skip_auto_headers=["Content-Type"]) as answer:
        assert (await refusal(answer, 415))["code"] == "content_type_unknown"


async def test_a_method_that_is_not_served_is_405_with_those_that_are(client):
    for path, allowed in ((REQUESTS, "POST"), ("/", "GET, HEAD, POST"), ("/api/v1/openapi.json", "GET, HEAD")):
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
            async with client.request(method, path) as answer:
                await refusal(answer, 405)
                assert answer.headers["Allow"] == allowed
        async with client.request("BREW", path) as answer:
            assert (await refusal(answer, 400))["code"] == "bad_http"
            assert answer.headers["Server"] == "jiesu"


async def test_an_address_that_leads_nowhere_is_404(client):
    for path in (*NOWHERE, f"{REQUESTS}/12/messages"):
        async with client.post(path, json={"text": "a"}) as answer:
            await refusal(answer, 404)


class Memory:
    """Of the gateway process, in bytes: how much more than now it held at its peak since now (Linux: man 5 proc)."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")
        (self._proc / "clear_refs").write_text("5")  # the peak starts anew
        self._before = self._read("VmRSS")

    def _read(self, name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+) kB", (self._proc / "status").read_text())
        assert found
        return int(found[1]) * 1024

    def growth(self) -> int:
        return self._read("VmHWM") - self._before


def announced(size: int) -> Iterator[bytes]:
    yield b"Content-Length: %d\r\n\r\n" % size
    yield from (b" " * MIB for _ in range(size // MIB))


def chunked(size: int) -> Iterator[bytes]:
    yield b"Transfer-Encoding: chunked\r\n\r\n"
    yield from (b"%x\r\n" % MIB + b" " * MIB + b"\r\n" for _ in range(size // MIB))
    yield b"0\r\n\r\n"


class Exchange:
    """A connection on which everything is sent, come what may, while the answer is read."""

    def __init__(self, steady) -> None:
        host, port = steady.base.removeprefix("http://").split(":")
        self.address = host, int(port)
        self.sent = self.sent_at_answer = 0
        self.answer = b""

    async def run(self, head: bytes, body: Iterable[bytes]) -> None:
        """Until the server has closed the connection."""
        reader, writer = await asyncio.open_connection(*self.address)
        reading = asyncio.create_task(self._read(reader))
        try:
            for piece in (head, *body):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)  # drain alone returns at once while the server keeps up: the answer must be seen
                self.sent += len(piece)
        except ConnectionError:
            pass  # closed by the server
        await asyncio.wait_for(reading, HANGS)
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        self.answer = await reader.readuntil(b"\r\n\r\n")
        self.sent_at_answer = self.sent
        self.answer += await reader.read()

    def assert_problem(self, status: int, code: str) -> None:
        head, _, body = self.answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status), self.answer[:300]
        assert b"content-type: application/problem+json" in head.lower()
        assert b"connection: close" in head.lower()
        assert json.loads(body)["code"] == code


@pytest.mark.parametrize("path", [REQUESTS, "/"])
@pytest.mark.parametrize("body", [announced, chunked])
@pytest.mark.parametrize("content_type", [JSON, MULTIPART["Content-Type"]])
async def test_100_mb_are_refused_before_they_have_come_and_are_not_kept(steady, path, body, content_type):
    if path == "/" and content_type == JSON:
        content_type = "application/x-www-form-urlencoded"
    memory = Memory(steady.pids()["gateway"])
    exchange = Exchange(steady)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n".encode()
    await exchange.run(head, body(100 * MIB))
    assert exchange.answer.startswith(b"HTTP/1.1 413 "), exchange.answer[:300]
    if path == REQUESTS:
        exchange.assert_problem(413, "body_too_large")
    # A form with files may have 33 MiB, which are read to be parsed; 16 MiB are what two sockets may hold at most.
    limit = 33 * MIB if body is chunked and content_type == MULTIPART["Content-Type"] else 1 * MIB
    assert exchange.sent_at_answer < limit + 16 * MIB
    assert memory.growth() < limit + GROWTH


async def trickle(steady, begun: asyncio.Event) -> Exchange:
    """A body that never ends, byte by byte, until the answer is there as a whole."""
    exchange = Exchange(steady)
    head = f"POST {REQUESTS} HTTP/1.1\r\nHost: a\r\nContent-Type: {JSON}\r\nContent-Length: 100000\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection(*exchange.address)
    writer.write(head)
    await writer.drain()
    begun.set()
    answering = asyncio.create_task(whole_answer(reader))
    while not answering.done():
        writer.write(b" ")
        await asyncio.wait([answering], timeout=0.05)
    exchange.answer = await answering
    writer.close()
    return exchange


async def test_a_body_that_trickles_is_given_up_on_and_nobody_waits_for_it(monkeypatch, request):
    monkeypatch.setenv("JIESU_HTTP__BODY_TIMEOUT", "5")  # long enough for one request on any machine
    up = request.getfixturevalue("up")
    begun = [asyncio.Event() for _ in range(50)]
    trickling = [asyncio.create_task(trickle(up, event)) for event in begun]
    await asyncio.gather(*(event.wait() for event in begun))
    status, _ = await asyncio.to_thread(up.post, {"text": "a"})
    assert status == 201
    assert not any(task.done() for task in trickling)
    for exchange in await asyncio.wait_for(asyncio.gather(*trickling), HANGS):
        exchange.assert_problem(408, "body_timeout")
