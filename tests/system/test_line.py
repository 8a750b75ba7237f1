"""The whole line: one request in over HTTP, one ticket on the queue, one line at the destination; and kill -9."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from pathlib import Path

import aiohttp
import pytest
from jsonschema import Draft202012Validator

from normalizer.schema import ticket_schema
from normalizer.ticket import Ticket
from tests.waiting import HANGS, wait_until
from workers.destinations.file_index import repeats

pytestmark = pytest.mark.system
DATA = Path(__file__).parents[2] / "../shared/data/text"
TARGETS = ("gateway", "pump", "valkey", "dispatcher", "worker:dispatch", "worker:urgent")


def entries_added(up) -> int:
    return up.client().xinfo_stream("jiesu:tickets")["entries-added"]


def test_a_request_becomes_a_ticket_and_is_delivered(up):
    status, receipt = up.post({"text": "楼下路灯坏了三天", "phone": "13800138000"}, key="k1")
    assert status == 201
    assert up.post({"text": "楼下路灯坏了三天", "phone": "13800138000"}, key="k1")[0] == 200
    wait_until(up.settled, "settled")
    assert up.delivered() == [f"{receipt['ticket_id']}.accepted"]
    event = json.loads((up.directory / "delivered.jsonl").read_text())
    ticket = Ticket.model_validate(event["data"])
    assert (ticket.number, ticket.text) == (receipt["number"], "楼下路灯坏了三天")


def test_ctrl_c_drains_in_seconds_and_a_restart_goes_on(up):
    up.post({"text": "opening"})
    wait_until(up.settled, "everything is up: what follows is about an end, not about a start")
    _, first = up.post({"text": "first"})
    ending = time.monotonic()
    assert up.stop() == 0
    starting = time.monotonic()
    up.start()
    started = time.monotonic()
    print(f"\nended in {starting - ending:.1f} s, started in {started - starting:.1f} s")
    assert starting - ending < 3 * (started - starting), "five seconds where a start takes two"
    _, second = up.post({"text": "second"})
    wait_until(up.settled, "settled")
    assert int(second["number"][10:-1]) == int(first["number"][10:-1]) + 1
    assert len(up.delivered()) == 3


async def send(up, session: aiohttp.ClientSession, key: str, text: str) -> dict:
    """As a careful client would: the same key until a receipt comes, for two minutes."""
    deadline = time.monotonic() + 2 * HANGS
    while time.monotonic() < deadline:
        try:
            async with session.post(
                f"{up.base}/api/v1/requests", json={"text": text}, headers={"Idempotency-Key": key}
            ) as answer:
                if answer.status in (200, 201):
                    return await answer.json()
                assert answer.status == 503, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"no receipt within two minutes; running: {up.pids()}")


async def send_all(up, texts: list[str], at_once: int) -> list[dict]:
    gate = asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:

        async def one(n: int, text: str) -> dict:
            async with gate:
                return await send(up, session, f"{n}-{hashlib.sha256(text.encode()).hexdigest()}", text)

        return list(await asyncio.gather(*(one(n, text) for n, text in enumerate(texts))))


async def killing(up, kills: list[str], every: tuple[float, float]) -> None:
    dice = random.Random(20260115)
    while True:
        await asyncio.sleep(dice.uniform(*every))
        role = TARGETS[len(kills) % len(TARGETS)]
        if await asyncio.to_thread(up.kill, role):
            kills.append(role)


async def storm(up, count: int, minimum_kills: int, every: tuple[float, float]) -> None:
    """`count` submissions in as many parts as there must be kills, each part begun when a further kill has happened."""
    kills: list[str] = []
    killer = asyncio.create_task(killing(up, kills, every))
    receipts: list[dict] = []
    part = -(-count // minimum_kills)
    try:
        for begin in range(0, count, part):
            keys = [f"storm-{n}" for n in range(begin, min(begin + part, count))]
            receipts += await send_all(up, keys, 20)
            async with asyncio.timeout(HANGS):
                while len(kills) * part <= begin:
                    if killer.done():
                        await killer  # says what stopped it
                    await asyncio.sleep(0.05)
    finally:
        killer.cancel()
    await asyncio.to_thread(wait_until, up.settled, f"settled: {up.counts()}", HANGS + count / 10)
    sent = count
    ids = {receipt["ticket_id"] for receipt in receipts}
    lines = up.delivered()
    counts = up.counts()
    dropped = repeats(up.directory / "delivered.jsonl")
    print(f"\n{sent} submissions, {len(kills)} kills, {len(lines)} lines, {dropped} repeats dropped by id, {counts}")
    assert len(receipts) == len(ids) == sent
    assert entries_added(up) == sent, "one stream entry each"
    assert len(lines) == len(set(lines)) == sent, "every ticket delivered, repeats dropped by id"
    assert {line.removesuffix(".accepted") for line in lines} == ids
    assert counts["received"] == counts["queued"] + counts["set_aside"] + counts["parked"] + counts["in_flight"]
    assert counts["queued"] == sent
    assert len(kills) >= minimum_kills


async def test_kill_anything_at_any_time_and_nothing_is_lost_or_doubled(up):
    await storm(up, count=600, minimum_kills=6, every=(0.8, 1.6))


@pytest.mark.soak
async def test_the_long_storm(up):
    await storm(up, count=20_000, minimum_kills=30, every=(1.0, 4.0))


@pytest.mark.soak
@pytest.mark.parametrize("name", ["fuzhou12345", "haikou12345"])
async def test_real_hotline_rows_give_one_ticket_each(up, name):
    path = DATA / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"real input {name} is not here")
    column = "投诉件内容" if name.startswith("fuzhou") else "诉求内容"
    texts = [json.loads(line)[column] for line in path.read_text().splitlines()]
    receipts = await send_all(up, texts, 50)
    await asyncio.to_thread(wait_until, up.settled, f"settled: {up.counts()}", 5 * HANGS)
    lines = up.delivered()
    schema = Draft202012Validator(ticket_schema())
    for line in (up.directory / "delivered.jsonl").read_bytes().splitlines():
        schema.validate(json.loads(line)["data"])
    print(f"\n{name}: {len(receipts)} receipts, {entries_added(up)} entries added, {len(lines)} lines")
    assert len({receipt["ticket_id"] for receipt in receipts}) == len(texts) == entries_added(up) == len(set(lines))
