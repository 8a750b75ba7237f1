"""Data elsewhere, of another version, or without their gateway: nothing is numbered twice, nothing is forgotten."""

from __future__ import annotations

import shutil
import sqlite3
import urllib.parse
import urllib.request

import pytest

from gateway import migrations, spool_file
from gateway.spool import Spool
from tests.system.load import assert_each_once, change, send, stored
from tests.waiting import HANGS, until

pytestmark = pytest.mark.system
LARGE = "大" * 15_000
"""Over 64 KiB as escaped JSON: such a body is kept as a blob."""


def progress(up, receipt: dict) -> tuple[int, str]:
    """The progress page as the receipt's code opens it."""
    body = urllib.parse.urlencode({"code": receipt["code"]}).encode()
    with urllib.request.urlopen(f"{up.base}/t/{receipt['number']}", body, timeout=HANGS) as answer:
        return answer.status, answer.read().decode()


async def test_data_copied_while_stopped_go_on_elsewhere(make_up, short_tmp):
    here = make_up(JIESU_WORKERS__LEASE="4")
    here.start()
    before = await send(here, 10, "before the move")
    await until(here.settled, "delivered")
    last = here.post({"text": "not yet delivered, perhaps"})[1]
    assert here.stop() in (0, 75)
    (short_tmp / "elsewhere").mkdir()
    shutil.copytree(here.directory, short_tmp / "elsewhere" / "data", ignore=shutil.ignore_patterns("*.sock"))
    there = make_up(short_tmp / "elsewhere" / "data", JIESU_WORKERS__LEASE="4")
    there.start()
    after = await send(there, 10, "after the move")
    await until(there.settled, "delivered")
    numbers = before.numbers() | {last["ticket_id"]: last["number"]} | after.numbers()
    assert sorted(int(number[10:-1]) for number in numbers.values()) == list(range(1, 22)), "none twice, none left out"
    assert_each_once(there, numbers)
    for receipt in (before.receipts[0], last):
        status, page = progress(there, receipt)
        assert status == 200
        assert receipt["number"] in page


@pytest.mark.parametrize("command", ["up", "gateway", "spool status"])
def test_data_of_a_newer_version_are_refused_with_both_versions_named(make_up, command):
    up = make_up()
    Spool(up.directory / "spool", "Asia/Shanghai").close()
    ours = len(migrations.MIGRATIONS)
    change(up, f"PRAGMA user_version = {ours + 6}")
    files = {path.name: path.read_bytes() for path in (up.directory / "spool").iterdir()}
    http = [] if " " in command else ["--http", "127.0.0.1:0"]
    answer = up.jiesu(*command.split(), *http)
    assert answer.returncode == 69, answer.stderr
    assert answer.stderr == f"the spool has version {ours + 6}, this software knows up to {ours}\n"
    assert {path.name: path.read_bytes() for path in (up.directory / "spool").iterdir()} == files
    assert not (up.directory / "valkey").exists(), "no server was started on newer data"


def test_data_of_an_older_version_are_brought_up_to_date_with_their_rows(tmp_path, monkeypatch):
    older = Spool(tmp_path, "Asia/Shanghai")
    uuid = older.fact("uuid")
    older.db.execute(
        "INSERT INTO submission (ticket_id, digest, channel, source_id, received_at, content_type, meta, body, size,"
        " number) VALUES ('t1', 'd', 'web', 's', '2026-11-23T01:30:00+00:00', 'application/json', '{}', '{}', 2, 'n1')"
    )
    older.close()
    newer = "ALTER TABLE submission ADD COLUMN lane TEXT NOT NULL DEFAULT 'web'"
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, newer))
    opened = Spool(tmp_path, "Asia/Shanghai")
    assert opened.fact("uuid") == uuid
    assert opened.db.execute("PRAGMA user_version").fetchone() == (len(migrations.MIGRATIONS),)
    assert opened.db.execute("SELECT number, state, lane FROM submission").fetchall() == [("n1", "received", "web")]
    opened.close()


def test_a_migration_that_fails_leaves_the_older_version_whole(tmp_path, monkeypatch):
    Spool(tmp_path, "Asia/Shanghai").close()
    version = len(migrations.MIGRATIONS)
    broken = "ALTER TABLE submission ADD COLUMN lane TEXT; INSERT INTO nowhere VALUES (1)"
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
    db = spool_file.connect(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrations.migrate(db)
    db.close()
    db = spool_file.connect(tmp_path)
    assert db.execute("PRAGMA user_version").fetchone() == (version,)
    assert "lane" not in {column[1] for column in db.execute("PRAGMA table_info(submission)")}
    db.close()


async def test_drain_brings_an_orphans_rows_to_the_queue_under_their_numbers(make_up, own_valkey, short_tmp):
    """The orphan's host has died for good: its data directory is opened beside that of a host that lives."""
    orphan = make_up(JIESU_REDIS__URL=own_valkey.url)
    orphan.start()
    first = await send(orphan, 3, "queued")
    await until(orphan.settled, "delivered")
    own_valkey.embedded.stop()
    kept = await send(orphan, 20, "left behind")
    large = await send(orphan, 2, LARGE)
    orphan.crash()
    assert any((orphan.directory / "blobs").glob("*/*/*/*"))
    assert orphan.counts()["in_flight"] == 22
    own_valkey.embedded.start()
    heir = make_up(JIESU_REDIS__URL=own_valkey.url, JIESU_SITE__SECRET_FILE=str(orphan.directory / "secret"))
    heir.start()
    answer = heir.jiesu("spool", "drain", str(orphan.directory / "spool"))
    assert answer.returncode == 0, answer.stderr
    numbers = first.numbers() | kept.numbers() | large.numbers()
    assert stored(heir) == numbers
    counts = orphan.counts()
    assert (counts["queued"], counts["parked"], counts["in_flight"]) == (25, 0, 0)
    events = {f"{ticket_id}.accepted" for ticket_id in numbers}
    await until(lambda: {*orphan.delivered(), *heir.delivered()} == events, "the living host delivers the rest")
    status, page = progress(heir, kept.receipts[0])
    assert status == 200
    assert kept.receipts[0]["number"] in page
