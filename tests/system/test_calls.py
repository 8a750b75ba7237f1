"""Telephone calls through the whole line, by the API and by the folder; and kill -9 while they come."""

from __future__ import annotations

import asyncio
import json
import random
import time
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis

from tests.system.desk import ENVIRONMENT, Desk, call, encoded
from tests.waiting import HANGS, wait_until
from workers.destinations.file_index import repeats

pytestmark = pytest.mark.system
MIB = 1024 * 1024
FOLLOWED_UP = "org.jiesu.ticket.followed_up.v1"
TARGETS = ("gateway", "valkey", "pump", "gateway", "dispatcher", "worker:dispatch", "worker:urgent")


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return ENVIRONMENT


@pytest.fixture
def desk(up: Any) -> Desk:
    """Of a line of the test's own, to be killed."""
    return Desk(up)


@pytest.fixture(scope="module")
def seats(steady: Any) -> Desk:
    """Of the one line of this module, which nobody disturbs."""
    return Desk(steady)


def matter(n: int) -> str:
    return f"幸福路{n}号门口的路灯坏了三天了"


def nameless(n: int) -> dict[str, Any]:
    """FunASR's result: it has no name for the call."""
    return {"sentence_info": [{"text": matter(n), "start": 0, "end": 4000, "spk": 0}]}


def subtitles(n: int) -> bytes:
    return f"1\n00:00:00,400 --> 00:00:04,000\n{matter(n)}\n".encode()


# --- nothing is lost, nothing doubled


class Storm:
    """Calls with and without an id, half by the API, half by the folder, some by both; and what becomes of them."""

    def __init__(self, desk: Desk, send: Callable[..., Awaitable[dict]]) -> None:
        self.desk = desk
        self.receipts: list[dict[str, Any]] = []
        self.dropped: list[str] = []
        self.kills: list[str] = []
        self._send = send
        self._dice = random.Random(20261123)

    async def part(self, numbers: range) -> None:
        """These calls in a second, at random; once some of the files are taken, something is killed."""
        async with self.desk.session() as session:
            coming = [self._comes(session, n) for n in numbers]
            await asyncio.gather(*coming, asyncio.to_thread(self._kill, len(numbers) // 2))

    async def _comes(self, session: aiohttp.ClientSession, n: int) -> None:
        await asyncio.sleep(self._dice.random())
        named = call(f"seat-{n}", matter(n))
        if n % 20 in (1, 0) or n % 4 == 0:  # the first of these comes by the folder too
            self.receipts.append(await self._send(session, self.desk.url, named))
        elif n % 4 == 2:
            self.receipts.append(await self._send(session, self.desk.url, nameless(n), f"nameless-{n}"))
        if n % 4 == 1:
            self._drop(f"{n}.json", encoded(named))
        elif n % 4 == 3:
            self._drop(f"{n}.srt", subtitles(n))

    def _drop(self, name: str, content: bytes) -> None:
        self.desk.drop(name, content)
        self.dropped.append(name)

    def _drop_again(self, *names: str) -> None:
        """As after a crash between the receipt and the move to `done/`."""
        for name in names:
            self.desk.drop(name, (self.desk.inbox / "done" / name).read_bytes())
            self.dropped.append(name.replace(".", ".1."))

    def _kill(self, files: int) -> None:
        role = TARGETS[len(self.kills) % len(TARGETS)]
        enough = len(self.desk.names("done")) + self._dice.randrange(1, files)
        wait_until(lambda: len(self.desk.names("done")) >= enough, "files are taken")
        wait_until(lambda: self.desk.up.kill(role), f"a {role} to kill")
        self.kills.append(role)

    async def rages(self, count: int, kills: int) -> None:
        up, started = self.desk.up, time.monotonic()
        share = -(-count // kills)
        for begin in range(0, count, share):
            await self.part(range(begin, min(begin + share, count)))
        await asyncio.to_thread(wait_until, self.desk.emptied, "every file is taken")
        self._drop_again("1.json", "3.srt")
        await asyncio.to_thread(wait_until, self.desk.emptied, "they are taken again")
        await asyncio.to_thread(wait_until, up.settled, f"settled: {up.counts()}", HANGS + count / 10)
        lines = [json.loads(line) for line in (up.directory / "delivered.jsonl").read_bytes().splitlines()]
        counts, added = up.counts(), up.client().xinfo_stream("jiesu:tickets")["entries-added"]
        print(
            f"\n{count} calls in {time.monotonic() - started:.0f} s: {len(self.receipts)} receipts "
            f"({sum(r['duplicate'] for r in self.receipts)} for known calls), {len(self.dropped)} files, "
            f"{len(self.kills)} kills, {added} entries, {len(lines)} lines, "
            f"{repeats(up.directory / 'delivered.jsonl')} repeats dropped by id, {counts}"
        )
        assert len(self.kills) >= kills
        said = Counter(line["data"]["conversation"][0]["text"] for line in lines)
        assert said == Counter(map(matter, range(count))), "every call delivered once"
        assert added == len({line["id"] for line in lines}) == count, "one stream entry each"
        ids = {receipt["ticket_id"] for receipt in self.receipts}
        assert len(ids) == len(self.receipts), "a receipt each"
        assert {f"{ticket}.accepted" for ticket in ids} <= {line["id"] for line in lines}
        assert (self.desk.names("done"), self.desk.names("failed")) == (sorted(self.dropped), [])
        assert (counts["received"], counts["queued"]) == (count, count)
        assert (counts["in_flight"], counts["parked"], counts["set_aside"]) == (0, 0, 0)


async def test_kill_anything_while_calls_come_and_none_is_lost_or_doubled(desk, send_until_received):
    await Storm(desk, send_until_received).rages(count=203, kills=7)


@pytest.mark.soak
async def test_the_long_storm_of_calls(desk, send_until_received):
    await Storm(desk, send_until_received).rages(count=6_000, kills=28)


# --- one call


def test_another_transcript_of_a_call_grows_its_ticket_once(seats):
    up, client = seats.up, seats.up.client()
    entries = entries_added(client)
    first, second = call("twice", "人民路的路灯坏了"), call("twice", "人民路12号的路灯坏了三天了")
    _, receipt = seats.post(first)
    before = seats.ticket(receipt)["version"]
    status, other = seats.post(second)
    assert (status, other["duplicate"]) == (201, False)
    assert other["number"] != receipt["number"]
    for again in (second, first, second):
        assert (seats.post(again)[0], seats.post(again)[1]["duplicate"]) == (200, True)
    seats.drop("twice.json", json.dumps(second, indent=1).encode())  # laid out otherwise, the same content
    wait_until(lambda: "twice.json" in seats.names("done"), "the file is taken")
    ticket = seats.ticket(receipt)
    assert ticket["number"] == receipt["number"]
    assert [turn["text"] for turn in ticket["conversation"]] == ["人民路的路灯坏了", "人民路12号的路灯坏了三天了"]
    (event,) = (e for e in events(up) if e["type"] == FOLLOWED_UP)
    assert (event["subject"], event["data"]["version"]) == (receipt["ticket_id"], before + 1)
    assert entries_added(client) == entries + 1
    assert other["ticket_id"] not in up.tickets()


def entries_added(client: redis.Redis) -> int:
    """How many ever: the stream itself is trimmed."""
    return int(client.xinfo_stream("jiesu:tickets")["entries-added"]) if client.exists("jiesu:tickets") else 0


def events(up: Any) -> Iterator[dict[str, Any]]:
    return (json.loads(fields[b"event"]) for _, fields in up.client().xrange("jiesu:events"))


def test_a_missed_call_becomes_a_ticket_to_call_back(seats):
    status, receipt = seats.post(call("missed", caller="13800138000", outcome="missed"))
    ticket = seats.ticket(receipt)
    assert (status, ticket["disposition"]["decision"]) == (201, "call_back")
    assert ticket["requester"]["phone"] == "+8613800138000"


def test_the_receipt_of_an_emergency_says_whom_to_call_at_once(seats):
    status, receipt = seats.post(call("fire", "我家着火了，有人被困在里面"))
    assert (status, receipt["call_now"][0]) == (201, "119")
    assert "emergency" in receipt["flags"]
    assert seats.ticket(receipt)["urgency"]["tier"] == "immediate"


# --- bad files


def test_what_is_no_transcript_ends_in_failed_with_its_reason_and_the_rest_goes_on(seats):
    before = seats.gateway_bytes()
    with (seats.inbox / "huge.part").open("wb") as file:
        file.truncate(200 * MIB)
    (seats.inbox / "huge.part").rename(seats.inbox / "huge.json")
    with zipfile.ZipFile(seats.inbox / "talks.part", "w") as archive:
        archive.writestr("1.json", encoded(call("zipped", matter(1))))
    (seats.inbox / "talks.part").rename(seats.inbox / "talks.zip")
    seats.drop("after.json", encoded(call("after", "花园路的井盖丢了")))
    wait_until(lambda: "after.json" in seats.names("done"), "the rest does not wait")
    wait_until(seats.emptied, "every file has its place")
    assert seats.names("failed") == ["huge.json", "huge.json.reason.json", "talks.zip", "talks.zip.reason.json"]
    assert reason(seats, "huge.json") == "body_too_large"
    assert reason(seats, "talks.zip") == "unknown_format"
    assert seats.gateway_bytes() - before < 30 * MIB
    wait_until(seats.up.settled, "settled")
    assert seats.up.counts()["parked"] == 0


def reason(desk: Desk, name: str) -> str:
    return str(json.loads((desk.inbox / "failed" / f"{name}.reason.json").read_bytes())["code"])


# --- by hand


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "call.json").write_bytes(encoded(call("by-hand", "解放路的水管爆了")))
    (tmp_path / "other.srt").write_bytes(subtitles(7))
    return [str(tmp_path / name) for name in ("call.json", "other.srt")]


def test_files_are_submitted_by_hand_with_a_token_and_refused_without(seats, files, tmp_path):
    up = seats.up
    (tmp_path / "token").write_text(seats.token + "\n")
    received = up.counts()["received"]
    refused = up.jiesu("submit", "phone", *files, "--url", up.base)
    assert refused.returncode == 1
    assert refused.stdout.count(": refused: ") == 2
    assert "token" in refused.stdout
    assert up.counts()["received"] == received
    for duplicate in (False, True):
        sent = up.jiesu("submit", "phone", *files, "--url", up.base, "--token-file", str(tmp_path / "token"), "--json")
        receipts = [json.loads(line) for line in sent.stdout.splitlines()]
        assert (sent.returncode, [r["duplicate"] for r in receipts]) == (0, [duplicate] * 2), sent.stderr
    assert up.counts()["received"] == received + 2
    assert seats.ticket(receipts[0])["text"] == "解放路的水管爆了"
    assert matter(7) in seats.ticket(receipts[1])["text"]


def test_files_are_normalized_by_hand_without_a_server(make_up, files):
    offline = make_up()
    shown = offline.jiesu("normalize", "phone", *files)
    tickets = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [ticket["text"] for ticket in tickets] == ["解放路的水管爆了", matter(7)], shown.stderr
    assert {ticket["channel"] for ticket in tickets} == {"phone"}
    assert not (offline.directory / "spool").exists()


# --- many calls


async def test_a_thousand_lines_are_answered_in_order_and_not_kept_in_memory(seats):
    """33 MB; the line that is no call is refused in its place."""
    bad, padding = 500, b" " * 32_500

    async def lines() -> AsyncIterator[bytes]:
        for n in range(1, 1_001):
            yield encoded({"call_id": n} if n == bad else call(f"line-{n}", matter(n))) + padding + b"\n"

    before = peak = seats.gateway_bytes()
    answers = []
    async with (
        seats.session() as session,
        session.post(seats.url, data=lines(), headers={"Content-Type": "application/x-ndjson"}) as response,
    ):
        assert (response.status, response.content_type) == (200, "application/x-ndjson")
        async for line in response.content:
            answers.append(json.loads(line))
            if len(answers) % 20 == 0:
                peak = max(peak, await asyncio.to_thread(seats.gateway_bytes))
    print(f"\n1,000 lines: the gateway grew by {(peak - before) / MIB:.1f} MiB")
    assert [answer["line"] for answer in answers] == list(range(1, 1_001))
    (refused,) = (answer for answer in answers if "error" in answer)
    assert (refused["line"], refused["error"]["code"]) == (bad, "invalid")
    assert refused["error"]["errors"][0]["pointer"] == "/call_id"
    assert len({answer["ticket_id"] for answer in answers if answer is not refused}) == 999
    assert peak - before < 30_000_000
    await asyncio.to_thread(wait_until, lambda: not seats.up.counts()["in_flight"], "all are queued")
