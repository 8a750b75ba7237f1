"""accept: on disk first, then the receipt; one submission one row; numbers that need no Redis."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway import ledger, migrations, spool_file, trials
from gateway.intake import Intake, IntakeConfig, SpoolConfig
from gateway.spool import Spool
from gateway.spool_file import SpoolBusy
from gateway.writer import Writer
from normalizer import identity
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Raw
from workers.blobs import Blobs

RECEIVED = datetime(2026, 1, 15, 20, 0, tzinfo=UTC)  # already the 16th in Shanghai


def raw(source_id: str, body: bytes = b"x", received_at: datetime = RECEIVED, **meta: str) -> Raw:
    return Raw(channel="web", source_id=source_id, received_at=received_at, body=body, meta=meta)


@asynccontextmanager
async def opened(directory: Path, **limits: int) -> AsyncIterator[Intake]:
    store = Spool(directory / "spool", "Asia/Shanghai")
    writer = Writer(store.db)
    store.remember(store.db, "gateway", "07")
    intake = Intake(
        store,
        writer,
        Blobs(directory / "blobs"),
        intake=IntakeConfig(),
        limits=SpoolConfig(min_free_disk=0, **limits),
        secret=b"secret of the site",
        public_url="http://hotline.example/",
        spooled=lambda: None,
    )
    intake.open = True
    running = asyncio.create_task(writer.run())
    try:
        yield intake
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        store.close()


def rows(directory: Path) -> list[ledger.Row]:
    db = spool_file.connect(directory / "spool")
    try:
        return ledger.fresh(db, limit=1000, max_bytes=10**9)
    finally:
        db.close()


async def test_a_receipt_means_that_the_row_is_there(tmp_path):
    async with opened(tmp_path) as intake:
        receipt = await intake.accept(raw("a", b"body"))
        [row] = rows(tmp_path)
    assert (row.number, row.ticket_id, row.body) == (receipt.number, receipt.ticket_id, b"body")
    assert receipt.number == identity.number(RECEIVED.date() + timedelta(days=1), 7, 1)
    assert receipt.code == identity.receipt_code(receipt.ticket_id, b"secret of the site")
    assert receipt.status_url == f"http://hotline.example/t/{receipt.number}"


async def test_the_same_submission_again_and_at_once_is_one_row(tmp_path):
    async with opened(tmp_path) as intake:
        first = await asyncio.gather(*(intake.accept(raw("a")) for _ in range(20)))
        later = await intake.accept(raw("a"))
        assert len(rows(tmp_path)) == 1
    assert {r.number for r in [*first, later]} == {first[0].number}
    assert [r.duplicate for r in first].count(False) == 1
    assert later.duplicate


async def test_other_content_under_a_vouched_id_is_refused(tmp_path):
    async with opened(tmp_path) as intake:
        await intake.accept(raw("a", b"1", digest="d1"))
        with pytest.raises(Rejected) as refusal:
            await intake.accept(raw("a", b"2", digest="d2"))
        assert refusal.value.code == "conflict"
        assert len(rows(tmp_path)) == 1


async def test_other_content_without_a_vouched_digest_is_kept_for_the_queue_to_decide(tmp_path):
    async with opened(tmp_path) as intake:
        await intake.accept(raw("a", b"1"))
        await intake.accept(raw("a", b"2"))
        assert [row.body for row in rows(tmp_path)] == [b"1", b"2"]


async def test_a_cancelled_caller_cancels_nothing(tmp_path):
    async with opened(tmp_path) as intake:
        caller = asyncio.create_task(intake.accept(raw("a")))
        await asyncio.sleep(0)
        caller.cancel()
        receipt = await intake.accept(raw("a"))
        assert receipt.duplicate
        assert len(rows(tmp_path)) == 1


async def test_a_large_body_is_a_blob_before_its_row(tmp_path):
    async with opened(tmp_path) as intake:
        await intake.accept(raw("a", b"x" * 100_000))
        [row] = rows(tmp_path)
    assert row.body == b""
    assert Blobs(tmp_path / "blobs").get(row.blob) == b"x" * 100_000


async def test_a_full_spool_says_try_again(tmp_path):
    async with opened(tmp_path, max_bytes=10) as intake:
        await intake.accept(raw("a", b"12345678"))
        with pytest.raises(TryAgain):
            await intake.accept(raw("b", b"12345678"))
        assert intake.can_accept()


async def test_numbers_go_on_after_a_restart_and_in_a_copy(tmp_path):
    async with opened(tmp_path) as intake:
        first = await intake.accept(raw("a"))
    async with opened(tmp_path) as intake:
        second = await intake.accept(raw("b"))
    assert int(second.number[10:15]) == int(first.number[10:15]) + 1


async def test_a_spool_has_one_owner(tmp_path):
    async with opened(tmp_path):
        with pytest.raises(SpoolBusy):
            Spool(tmp_path / "spool", "Asia/Shanghai")


def test_a_newer_spool_is_refused_and_not_touched(tmp_path):
    Spool(tmp_path, "Asia/Shanghai").close()
    db = sqlite3.connect(tmp_path / spool_file.FILE)
    db.execute(f"PRAGMA user_version = {len(migrations.MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(migrations.SpoolTooNew):
        Spool(tmp_path, "Asia/Shanghai")


async def test_counters_add_up_and_purged_rows_still_count(tmp_path):
    async with opened(tmp_path) as intake:
        for n in range(5):
            await intake.accept(raw(f"s{n}"))
        write = intake._writer.submit
        await write(
            lambda db: trials.finish(
                db, [(1, "queued", None, None), (2, "queued", None, None), (3, "parked", "x", None)]
            )
        )
        await write(lambda db: ledger.purge(db, before=10**11))
        counts = await write(ledger.counts)
    assert counts["received"] == 5
    assert counts["received"] == counts["queued"] + counts["set_aside"] + counts["parked"] + counts["in_flight"]
    assert (counts["queued"], counts["parked"], counts["in_flight"]) == (2, 1, 2)


def test_upkeep_and_counting_do_not_read_the_rows_that_are_queued(tmp_path):
    """Accepting waits for the writer: purging a week of bodies row by row would stop it every minute."""
    spool = Spool(tmp_path, "Asia/Shanghai")
    spool.db.executemany(
        "INSERT INTO submission (ticket_id, digest, channel, source_id, received_at, content_type, meta, body, size,"
        " number, state, ended_at) VALUES (?, 'd', 'web', 's', '2026-01-15T04:00:00+00:00', '', '{}', '', 0, 'n',"
        " 'queued', 1000)",
        ((f"t{n}",) for n in range(2000)),
    )
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    spool.db.set_progress_handler(step, 1)  # once for every instruction of SQLite's machine
    ledger.purge(spool.db, before=999)
    ledger.reoffer(spool.db, since=1001)
    assert list(ledger.kept(spool.db, ("parked", "set_aside"))) == []
    counts = ledger.counts(spool.db)
    spool.db.set_progress_handler(None, 0)
    spool.close()
    assert counts["queued"] == 2000
    assert steps < 2000


async def test_what_nobody_outside_waits_for_insists_until_the_disk_has_room(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.writer.RETRY_AFTER", 0.01)
    async with opened(tmp_path) as intake:
        tries = 0

        def full_at_first(db: sqlite3.Connection) -> str:
            nonlocal tries
            tries += 1
            if tries < 3:
                db.execute("PRAGMA max_page_count = 1")
                db.execute("INSERT INTO fact VALUES ('filler', zeroblob(1000000))")
            db.execute("PRAGMA max_page_count = 1000000")
            return "written"

        assert await intake._writer.insist(full_at_first) == "written"
        assert tries == 3
        assert (await intake.accept(raw("after"))).number
