"""`spool drain`: an orphan's rows come to an end, and what prevents that is said in one line with an exit code."""

from __future__ import annotations

import errno
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway import ledger, spool_file
from gateway.cli.app import app
from gateway.drain import Drained, drain
from gateway.spool import Entry, Spool
from normalizer.ticket import Raw
from workers.blobs import Blobs

pytestmark = pytest.mark.usefixtures("clean_env", "written")
ROWS = 150


@pytest.fixture
def orphan(tmp_path: Path) -> Path:
    """A spool without a gateway; its rows are of a channel that is no longer there, so that they will be parked."""
    spool = Spool(tmp_path / "orphan" / "spool", "Asia/Shanghai")
    spool.remember(spool.db, "gateway", "07")
    now = datetime.now(UTC)
    raws = [Raw(channel="gone", source_id=f"{n}", received_at=now, body=b"x" * 50) for n in range(ROWS)]
    spool.insert(spool.db, [Entry(raw, raw.source_id, raw.source_id) for raw in raws])
    spool.close()
    return spool.directory


@pytest.fixture
def config(valkey: Any, tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(f"data_dir: {tmp_path / 'heir'}\nredis:\n  url: {valkey.url}\npump:\n  nice: 0\n", "utf-8")
    return file


def run(config: Path, orphan: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["spool", "drain", str(orphan), "--config", str(config), *options])


def last(result: Result) -> str:
    """What is said at the end, after what the pump logged."""
    return result.stderr.splitlines()[-1]


def counts(orphan: Path) -> tuple[int, int]:
    db = spool_file.connect(orphan)
    found = ledger.counts(db)
    db.close()
    return found["in_flight"], found["parked"]


def test_it_says_how_many_rows_were_parked(config: Path, orphan: Path) -> None:
    result = run(config, orphan)
    assert (result.exit_code, result.stdout) == (0, f"{ROWS} rows brought to an end, {ROWS} of them parked\n")
    assert counts(orphan) == (0, ROWS)
    again = run(config, orphan)
    assert again.stdout == "0 rows brought to an end, 0 of them parked\n", "those of before are not counted again"


def test_a_full_disk_is_said_and_nothing_is_lost(config: Path, orphan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself says "full": 150 rows that are parked with a reason each need more pages than there are."""

    def connect_full(directory: Path) -> sqlite3.Connection:
        db = spool_file.connect(directory)
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    with monkeypatch.context() as patch:
        patch.setattr("gateway.spool.connect", connect_full)
        patch.setattr("gateway.writer.RETRY_AFTER", 0.1)
        for patience in (5, 20, 80, 320):  # how long a child takes to start says something about the machine
            result = run(config, orphan, "--patience", str(patience))
            if "nothing moved" not in last(result):
                break
            assert counts(orphan) == (ROWS, 0)
    assert result.exit_code == 75, result.stderr
    assert "(disk full or busy): what is left stays" in last(result)
    assert counts(orphan) == (ROWS, 0)
    assert run(config, orphan).exit_code == 0
    assert counts(orphan) == (0, ROWS)


def test_a_spool_that_another_process_holds_is_said(
    config: Path, orphan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect_hasty(directory: Path) -> sqlite3.Connection:
        db = spool_file.connect(directory)
        db.execute("PRAGMA busy_timeout = 50")
        return db

    monkeypatch.setattr("gateway.spool.connect", connect_hasty)
    holder = spool_file.connect(orphan)
    holder.execute("BEGIN IMMEDIATE")
    result = run(config, orphan)
    holder.close()
    assert (result.exit_code, last(result)) == (69, "the spool cannot be used now: database is locked")


def test_a_disk_without_room_for_the_large_bodies_is_said(
    config: Path, orphan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = Blobs(orphan.parent / "blobs").put(b"large", datetime.now(UTC).date())
    db = spool_file.connect(orphan)
    db.execute("UPDATE submission SET blob = ? WHERE seq = 1", (ref.blob,))
    db.close()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("workers.blobs.os.fsync", full)
    result = run(config, orphan)
    assert (result.exit_code, last(result)[:7]) == (75, "no room")
    assert counts(orphan) == (ROWS, 0)


def test_a_broken_spool_ends_the_drain_instead_of_waiting(config: Path, orphan: Path) -> None:
    db = spool_file.connect(orphan)
    db.execute("CREATE TRIGGER broken BEFORE UPDATE ON submission BEGIN SELECT RAISE(ABORT, 'broken'); END")
    db.close()
    result = run(config, orphan)
    assert (result.exit_code, last(result)) == (69, "the spool cannot be used now: broken")


def test_redis_away_parks_nothing_and_is_said(tmp_path: Path, orphan: Path, short_tmp: Path) -> None:
    db = spool_file.connect(orphan)
    db.execute("UPDATE submission SET channel = 'web', body = CAST('{\"text\": \"路灯坏了\"}' AS BLOB),"
               " content_type = 'application/json'")  # fmt: skip
    db.close()
    file = tmp_path / "away.yaml"
    file.write_text(f"data_dir: {tmp_path / 'heir'}\nredis:\n  url: unix://{short_tmp}/nobody.sock\n", "utf-8")
    result = run(file, orphan, "--patience", "4")
    assert result.exit_code == 69, result.stderr
    assert "is Redis away?" in last(result)
    assert counts(orphan) == (ROWS, 0)


def test_the_answer_of_the_function(data_config: Any, valkey: Any, orphan: Path) -> None:
    assert drain(data_config, orphan) == Drained(ended=ROWS, parked=ROWS)
