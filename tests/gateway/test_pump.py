"""The pump with real children and a real server: rows become tickets; what hangs, dies or raises delays nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from gateway import ledger, trials
from gateway.config import Config
from gateway.pump import Lane, Pump
from gateway.spool import Entry, Spool
from gateway.writer import Writer
from normalizer.errors import TryAgain
from normalizer.identity import ticket_id
from normalizer.ticket import Raw
from tests.waiting import HANGS
from workers import keys

PLANTED = """
import os, time
from pydantic import BaseModel
from normalizer.ticket import Inbound, SetAside, Undelivered
from normalizer.errors import Rejected

class PlantedConfig(BaseModel, extra="forbid"):
    fixed: bool = False

class Planted:
    name = "planted"
    config_type = PlantedConfig

    def __init__(self, config, /):
        self.config = config

    def parse(self, raw):
        if not self.config.fixed:
            match raw.body:
                case b"raise": raise RuntimeError("secret words of a citizen")
                case b"reject": raise Rejected("nonsense", "It cannot be read.")
                case b"hang": time.sleep(600)  # it hangs: that is its part in the test
                case b"slow": time.sleep(3.5)  # and this one is in time after all
                case b"die": os._exit(9)
        if raw.body.startswith(b"bounce "):
            failed = Undelivered(number=raw.body[7:].decode(), reference="a.b", reason="bounced")
            aside = SetAside(code="bounce", detail="It did not arrive.")
            return Inbound(text="", digest=raw.source_id, set_aside=aside, undelivered=failed)
        return Inbound(text=raw.body.decode(), digest=raw.source_id)

    async def run(self, host): ...
"""


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's channel, installed where the children find it."""
    site = tmp_path / "site"
    facts = site / "planted-1.dist-info"
    facts.mkdir(parents=True)
    (site / "planted.py").write_text(PLANTED)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[jiesu.channels]\nplanted = planted:Planted\n")
    monkeypatch.setenv("PYTHONPATH", str(site))


class Line:
    """A spool with its pump running."""

    def __init__(self, spool: Spool, writer: Writer, pump: Pump, ages: list[float]) -> None:
        self.spool, self.writer, self.pump, self.ages = spool, writer, pump, ages

    async def put(self, *bodies: bytes) -> list[str]:
        """Spool one row a body; returns their numbers."""
        now = datetime.now(UTC)
        raws = [Raw(channel="planted", source_id=f"{n}:{b!r}", received_at=now, body=b) for n, b in enumerate(bodies)]
        entries = [Entry(raw, ticket_id(raw.channel, raw.source_id), raw.source_id) for raw in raws]
        rows = [self.writer.join(self.spool.insert, entry) for entry in entries]
        numbers = [row.number for row in await asyncio.gather(*rows)]
        self.pump.ring()
        return numbers

    async def rows(self) -> dict[str, tuple[str, str | None, str | None]]:
        def read(db: sqlite3.Connection) -> dict:
            found = db.execute("SELECT number, state, code, detail FROM submission")
            return {number: (state, code, detail) for number, state, code, detail in found}

        return await self.writer.submit(read)

    async def until(self, done: Callable[[dict], bool], seconds: float = HANGS) -> dict:
        async with asyncio.timeout(seconds):
            while not done(rows := await self.rows()):
                await asyncio.sleep(0.05)
        return rows

    async def fact(self, column: str, number: str) -> float:
        read = f"SELECT {column} FROM submission WHERE number = ?"
        return (await self.writer.submit(lambda db: db.execute(read, (number,)).fetchone()))[0]

    async def tried_since(self, number: str) -> float:
        """When the row was last seen untried (unix seconds), once it is tried."""
        seen = time.time()
        while not await self.fact("attempts", number):
            seen = time.time()
            await asyncio.sleep(0.005)
        return seen


@pytest.fixture
def line(tmp_path, valkey):
    @asynccontextmanager
    async def start(fixed: bool = False, **pump: object) -> AsyncIterator[Line]:
        config = Config(
            data_dir=tmp_path / "data",
            redis={"url": valkey.url},
            channels={"planted": {"fixed": fixed}},
            pump={"nice": 0, **pump},
        )
        spool = Spool(config.data_dir / "spool", "Asia/Shanghai")
        spool.remember(spool.db, "gateway", "00")
        writer = Writer(spool.db)
        ages: list[float] = []
        pumping = Pump(spool, writer, config, ended=lambda size, more: ages.extend(more))
        tasks = [asyncio.create_task(writer.run()), asyncio.create_task(pumping.run())]
        try:
            yield Line(spool, writer, pumping, ages)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            spool.close()

    return start


def ended(rows: dict) -> bool:
    return all(state != "received" for state, _, _ in rows.values())


def tickets(valkey) -> list[str]:
    return [json.loads(f[b"event"])["data"]["number"] for _, f in valkey.client().xrange(keys.TICKETS)]


async def test_rows_become_tickets_in_order(planted, line, valkey):
    async with line() as running:
        numbers = await running.put(*(f"request {n}".encode() for n in range(50)))
        rows = await running.until(ended)
    assert {state for state, _, _ in rows.values()} == {"queued"}
    assert tickets(valkey) == numbers


async def test_what_is_offered_again_does_not_count_as_slow(planted, line):
    async with line() as running:
        await running.put(b"first", b"second")
        await running.until(ended)
        assert await running.writer.submit(lambda db: ledger.reoffer(db, 0)) == 2
        running.pump.ring()
        rows = await running.until(lambda rows: {code for _, code, _ in rows.values()} == {"known"})
        assert len(rows) == 2
        assert len(running.ages) == 2


async def test_what_raises_hangs_or_dies_is_parked_and_the_rest_goes_on(planted, line, valkey):
    async with line(time_limit=2.0) as running:
        numbers = await running.put(b"one", b"raise", b"two", b"hang", b"three", b"die", b"reject", b"four")
        rows = await running.until(ended, 5 * HANGS)  # seven children one after another, each of which imports a lot
    states = [rows[number][:2] for number in numbers]
    assert [state for state, _ in states] == [
        "queued", "parked", "queued", "parked", "queued", "parked", "parked", "queued",
    ]  # fmt: skip
    raised, hung, died, rejected = (rows[numbers[n]] for n in (1, 3, 5, 6))
    assert raised[1] == "exception"
    assert "RuntimeError" in raised[2]
    assert "citizen" not in raised[2], "an exception's message may quote the citizen"
    assert hung[1:] == ("crashed", "exceeded the time limit")
    assert died[1:] == ("crashed", "exited with code 9")
    assert rejected[1] == "nonsense"
    assert sorted(tickets(valkey)) == sorted(numbers[n] for n in (0, 2, 4, 7))


async def test_a_report_that_cannot_be_recorded_is_parked_and_the_rest_goes_on(planted, line, valkey):
    async with line() as running:
        numbers = await running.put(b"one", b"two", b"three")
        await running.until(ended)
        client = valkey.client()
        broken, wrong, _ = numbers
        ticket = keys.ticket(client.get(keys.number(broken)).decode())
        client.hset(ticket, mapping={"sent:a.b": "receipt 0", "version": "no number"})
        client.delete(keys.number(wrong))
        client.hset(keys.number(wrong), "not", "a string")
        reports = await running.put(*(b"bounce " + number.encode() for number in numbers), b"four")
        rows = await running.until(ended)
    raised, refused, recorded, other = (rows[number] for number in reports)
    assert raised[:2] == ("parked", "exception")
    assert "ValueError" in raised[2]
    assert refused == ("parked", "queue_error", "WRONGTYPE")
    assert recorded == ("set_aside", "bounce", "It did not arrive.")
    assert other[0] == "queued"


async def test_rows_around_one_that_hangs_wait_for_its_limit_not_for_a_start_too(planted, line):
    """The next child is up when the limit strikes. What is left is to take over: far less than to start, here now."""
    began = time.time()
    async with line() as running:
        await running.put(b"first")
        await running.until(ended)
    start = time.time() - began
    limit = max(1.0, 4 * start)
    async with line(time_limit=limit) as running:
        around = [b"request %d" % n for n in range(20)]
        others = await running.put(*around[:10], b"hang", *around[10:])
        hung = others.pop(10)
        tried = await running.tried_since(hung)
        await running.until(lambda rows: all(rows[number][0] == "queued" for number in others), 60 + limit)
        delays = [await running.fact("ended_at", number) - tried for number in others]
    print(f"\nlimit {limit:.2f} s, longest delay {max(delays):.3f} s; a start takes {start:.2f} s")
    assert min(delays[10:]) > limit / 2, "they were behind it"
    assert max(delays) < limit + start / 2


def working() -> list[psutil.Process]:
    """The children of pumps in this process, those standing by too."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended; a zombie is one of these too
            if "gateway.pump_child" in child.cmdline():
                found.append(child)
    return found


async def test_a_row_that_is_slow_but_in_time_leaves_no_second_child_nor_does_the_end_of_the_pump(planted, line):
    async with line(time_limit=5) as running:
        [number] = await running.put(b"slow")
        await running.until(lambda _: len(working()) == 2)
        rows = await running.until(ended)
        assert rows[number][0] == "queued"
        await running.until(lambda _: len(working()) == 1)
        await running.put(b"another", b"slow")
        await running.until(lambda _: len(working()) == 2)
    assert working() == []


async def test_after_the_fix_a_parked_row_is_queued_under_the_same_number(planted, line, valkey):
    async with line() as running:
        [number] = await running.put(b"raise")
        await running.until(ended)
    async with line(fixed=True) as running:
        await running.writer.submit(lambda db: ledger.replay(db, [1]))
        running.pump.ring()
        rows = await running.until(ended)
    assert rows[number][0] == "queued"
    assert tickets(valkey) == [number]


async def test_rows_wait_while_the_server_is_away_and_are_offered_again_after_a_restart(planted, tmp_path, own_valkey):
    config = Config(
        data_dir=tmp_path / "data", redis={"url": own_valkey.url}, channels={"planted": {}}, pump={"nice": 0}
    )
    spool = Spool(config.data_dir / "spool", "Asia/Shanghai")
    spool.remember(spool.db, "gateway", "00")
    writer = Writer(spool.db)
    pump = Pump(spool, writer, config, ended=lambda size, ages: None)
    tasks = [asyncio.create_task(writer.run()), asyncio.create_task(pump.run())]
    running = Line(spool, writer, pump, [])
    try:
        await running.put(b"before")
        await running.until(ended)
        os.kill(own_valkey.embedded.pid, 9)
        await running.put(b"during", b"the outage")
        assert not ended(await running.rows())
        own_valkey.embedded.start()
        await running.until(ended)
        assert len(tickets(own_valkey)) == 3
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        spool.close()


async def test_a_server_that_goes_away_is_a_warning_and_its_return_is_none(planted, tmp_path, own_valkey, written):
    config = Config(
        data_dir=tmp_path / "data", redis={"url": own_valkey.url}, channels={"planted": {}}, pump={"nice": 0}
    )
    spool = Spool(config.data_dir / "spool", "Asia/Shanghai")
    spool.remember(spool.db, "gateway", "00")
    writer = Writer(spool.db)
    pump = Pump(spool, writer, config, ended=lambda size, ages: None)
    tasks = [asyncio.create_task(writer.run()), asyncio.create_task(pump.run())]

    async def until(state: str) -> None:
        async with asyncio.timeout(HANGS):
            while pump.server_state != state:
                await asyncio.sleep(0.05)

    try:
        await until("here")
        os.kill(own_valkey.embedded.pid, 9)
        await until("away")
        own_valkey.embedded.start()
        await until("here")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        spool.close()
    said = [(one["state"], one["level"]) for one in written.take() if one["event"] == "queue_server"]
    assert [said[0], said[1], said[-1]] == [("here", "info"), ("away", "warning"), ("here", "info")]


async def test_a_child_whose_spool_is_broken_ends_is_logged_and_started_again(planted, line, written):
    """Only busy and locked pass by themselves: a child that went on would be silent for ever."""
    async with line() as running:
        await running.put(b"first")
        await running.until(ended)
        await running.writer.submit(lambda db: db.execute("ALTER TABLE submission RENAME TO hidden"))
        running.pump.ring()
        async with asyncio.timeout(HANGS):
            while "pump_child_ended" not in written.text:
                await asyncio.sleep(0.05)
        await running.writer.submit(lambda db: db.execute("ALTER TABLE hidden RENAME TO submission"))
        await running.put(b"second")
        rows = await running.until(ended)
    assert [state for state, _, _ in rows.values()] == ["queued", "queued"]
    (said, *_) = [one for one in written.take() if one["event"] == "pump_child_ended"]
    assert (said["level"], said["reason"], said["row"]) == ("warning", "exited with code 1", 0)


async def test_a_gateway_killed_during_a_batch_parks_nobody(planted, line, valkey):
    async with line() as running:
        await running.put(b"seed")
        await running.until(ended)
    async with line() as running:
        await running.writer.submit(lambda db: trials.begin(db, [1]))
    db = sqlite3.connect(running.spool.directory / "spool.sqlite3")
    db.execute("UPDATE submission SET state = 'received', attempts = 1")
    db.commit()
    db.close()
    async with line() as running:
        rows = await running.until(ended)
    assert [state for state, _, _ in rows.values()] == ["queued"]


async def test_a_batch_whose_every_row_is_parked_with_a_long_reason_is_reported_whole(planted, line):
    """200 rows with a reason each are more than the 64 KiB a stream reads as one line by default."""
    async with line(batch=1000) as running:
        numbers = await running.put(*[b"raise"] * 700)
        rows = await running.until(ended)
    assert [rows[number][1] for number in numbers] == ["exception"] * 700


async def test_a_child_killed_in_the_middle_of_a_word_does_not_end_the_gateway():
    lane = Lane(None, "fresh")
    reader = asyncio.StreamReader()
    reader.feed_data(b'{"op": "idle"}\n{"op": "fini')
    reader.feed_eof()
    await lane._converse(reader)
    assert lane._idle


async def test_a_full_disk_makes_the_pump_wait_not_end(planted, line, monkeypatch):
    monkeypatch.setattr("gateway.writer.RETRY_AFTER", 0.05)
    async with line() as running:
        await running.until(lambda rows: True)
        (pages,) = await running.writer.submit(lambda db: db.execute("PRAGMA page_count").fetchone())
        await running.writer.submit(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 40}").fetchone())
        [number] = await running.put(b"fits")
        with pytest.raises(TryAgain):
            await running.put(b"x" * 60_000, b"y" * 60_000, b"z" * 60_000)
        await running.writer.submit(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone())
        rows = await running.until(ended)
    assert rows[number][0] == "queued"
