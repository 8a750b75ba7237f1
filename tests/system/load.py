"""Steady load on a running line, and what became of every single request."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from gateway import spool_file
from tests.waiting import HANGS

EACH_PAUSES = 0.06


@dataclass
class Load:
    """`statuses` of all requests, `receipts` of those answered 201, every other answer whole; `slowest` in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    receipts: list[dict] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, str], dict]] = field(default_factory=list)
    slowest: float = 0.0

    async def one(self, session: aiohttp.ClientSession, url: str, text: str) -> None:
        """One request; no answer at all fails the test."""
        began = time.monotonic()
        async with session.post(url, json={"text": text}) as answer:
            body = await answer.json(content_type=None)
            self.statuses[answer.status] += 1
            if answer.status == 201:
                self.receipts.append(body)
            else:
                self.refusals.append((answer.status, dict(answer.headers), body))
        self.slowest = max(self.slowest, time.monotonic() - began)

    def numbers(self) -> dict[str, str]:
        """Ticket id -> number, as people were told."""
        return {receipt["ticket_id"]: receipt["number"] for receipt in self.receipts}


@asynccontextmanager
async def steady_load(up, clients: int = 3, text: str = "路灯坏了") -> AsyncIterator[Load]:
    """`clients` ask one request after another, with short pauses, as long as the block runs."""
    load = Load()
    over = asyncio.Event()

    async def client(number: int) -> None:
        count = 0
        while not over.is_set():
            await load.one(session, f"{up.base}/api/v1/requests", f"{text} {number} {(count := count + 1)}")
            await asyncio.sleep(EACH_PAUSES)

    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HANGS)) as session,
        asyncio.TaskGroup() as group,
    ):
        for number in range(clients):
            group.create_task(client(number))
        try:
            yield load
        finally:
            over.set()


async def send(up, count: int, text: str) -> Load:
    """`count` requests, ten at a time."""
    load = Load()
    gate = asyncio.Semaphore(10)

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        async with gate:
            await load.one(session, f"{up.base}/api/v1/requests", f"{text} {number}")

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HANGS)) as session:
        await asyncio.gather(*(one(session, number) for number in range(count)))
    return load


def added(up) -> int:
    """How many tickets were ever put on the queue that the server knows (the stream itself is trimmed)."""
    with up.client() as client:
        return int(client.xinfo_stream("jiesu:tickets")["entries-added"])


def stored(up) -> dict[str, str]:
    """Ticket id -> number of every complete ticket in the store."""
    found = {}
    with up.client() as client:
        for key in client.scan_iter(match="jiesu:ticket:*", count=1000):
            number, entry = client.hmget(key, "number", "entry")
            if entry:
                found[key.decode().rpartition(":")[2]] = number.decode()
    return found


def assert_each_once(up, numbers: dict[str, str]) -> None:
    """Every ticket of `numbers` was put on the queue once under its number, is delivered once, and nothing else is."""
    assert stored(up) == numbers
    assert added(up) == len(numbers), "one stream entry each"
    delivered = up.delivered()
    assert len(delivered) == len(set(delivered)) == len(numbers)
    assert {line.removesuffix(".accepted") for line in delivered} == set(numbers)
    counts = up.counts()
    assert counts["queued"] == counts["received"] == len(numbers), counts


def fact(up, name: str) -> str | None:
    """A fact the spool remembers."""
    db = spool_file.connect(up.directory / "spool")
    try:
        row = db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None
    finally:
        db.close()


def change(up, statement: str) -> None:
    """What only time, or another version of the software, would do to a spool."""
    db = sqlite3.connect(up.directory / "spool" / spool_file.FILE, isolation_level=None, timeout=HANGS)
    try:
        db.execute(statement)
    finally:
        db.close()
