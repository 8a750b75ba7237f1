"""The retention of blobs: whole days, never one that a row still names, once a day, and never the gateway's end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import trials
from gateway.expiry import Expiry
from gateway.spool import Entry, Spool
from normalizer.ticket import Raw
from workers.blobs import Blobs

TODAY = date(2026, 3, 1)
OLD = date(2024, 2, 29)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool", "Asia/Shanghai")
    spool.remember(spool.db, "gateway", "0")
    yield spool
    spool.close()


def put(spool: Spool, name: str, blob: str) -> None:
    raw = Raw(channel="web", source_id=name, received_at=datetime.now(UTC), body=b"")
    spool.insert(spool.db, [Entry(raw, name, name, blob)])


def days(blobs: Blobs) -> list[date]:
    return sorted(blobs.days())


def expiry(blobs: Blobs, spool: Spool, keep_days: int = 730, today: date = TODAY) -> Expiry:
    return Expiry(blobs, spool.directory, keep_days, today=lambda: today)


async def test_days_older_than_keep_days_go_and_the_others_stay(blobs: Blobs, spool: Spool, written: Any) -> None:
    limit = TODAY - timedelta(days=730)
    for day in (limit - timedelta(days=400), limit - timedelta(days=1), limit, TODAY):
        blobs.put(b"x", day)
    await expiry(blobs, spool).turn()
    assert days(blobs) == [limit, TODAY]
    (said,) = written.take()
    assert (said["event"], said["level"], said["count"]) == ("blobs_expired", "info", 2)


@pytest.mark.parametrize("state", ["received", "parked", "set_aside", "queued"])
async def test_a_day_that_a_row_names_stays_until_the_row_is_gone(blobs: Blobs, spool: Spool, state: str) -> None:
    """A parked item of years ago can still be replayed; a queued row may be offered again."""
    named = blobs.put(b"named", OLD)
    blobs.put(b"of the same day", OLD)
    blobs.put(b"y", date(2024, 1, 2))
    put(spool, "a", named.blob)
    if state != "received":
        trials.finish(spool.db, [(1, state, None, None)])
    await expiry(blobs, spool).turn()
    assert days(blobs) == [OLD]
    spool.db.execute("DELETE FROM submission")
    await expiry(blobs, spool).turn()
    assert days(blobs) == []


async def test_zero_keeps_for_ever(blobs: Blobs, spool: Spool) -> None:
    blobs.put(b"x", date(1990, 1, 1))
    await expiry(blobs, spool, keep_days=0).turn()
    assert days(blobs) == [date(1990, 1, 1)]


async def test_it_looks_once_a_day(blobs: Blobs, spool: Spool) -> None:
    today = [TODAY]
    retention = Expiry(blobs, spool.directory, 730, today=lambda: today[0])
    await retention.turn()
    blobs.put(b"x", OLD)
    await retention.turn()
    assert days(blobs) == [OLD]
    today[0] += timedelta(days=1)
    await retention.turn()
    assert days(blobs) == []


async def test_what_cannot_be_removed_is_a_warning_and_tried_again(blobs: Blobs, spool: Spool, written: Any) -> None:
    blobs.put(b"x", OLD)
    database = spool.directory / "spool.sqlite3"
    elsewhere = database.rename(database.with_name("moved"))
    database.mkdir()  # the rows cannot be read: then nothing may go
    retention = expiry(blobs, spool)
    await retention.turn()
    assert days(blobs) == [OLD]
    assert [(one["event"], one["level"]) for one in written.take()] == [("blobs_not_expired", "warning")]
    database.rmdir()
    elsewhere.rename(database)
    await retention.turn()
    assert days(blobs) == []


def test_empty_months_and_years_go_too_but_never_the_running_month(blobs: Blobs) -> None:
    for day in (date(2023, 12, 31), date(2024, 2, 3), date(2024, 3, 1)):
        blobs.put(b"x", day)
    assert blobs.expire(date(2024, 3, 2), ()) == 3
    assert sorted(path.relative_to(blobs.root).as_posix() for path in blobs.root.rglob("*")) == ["2024", "2024/03"]


def test_what_is_no_day_is_not_touched(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name in ("2020/13/45", "notes/of/mine", "2020/1/1"):
        (blobs.root / name).mkdir(parents=True)
    (blobs.root / "2020/12").mkdir()
    (blobs.root / "2020/12/30").write_text("a file")
    (blobs.root / "2020/12/31").symlink_to(tmp_path / "elsewhere")
    before = sorted(blobs.root.rglob("*"))
    assert blobs.expire(date(2026, 1, 1), ()) == 0
    assert sorted(blobs.root.rglob("*")) == before
