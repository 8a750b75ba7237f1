"""The disk of the data directory is full: "try again", never a failure, and no number that leads nowhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.system.load import send, steady_load, stored
from tests.waiting import until

pytestmark = pytest.mark.system
SIZE = 48 * 1024 * 1024


@pytest.fixture
def small_disk(short_tmp: Path):
    """A file system of 48 MiB that is nobody else's."""
    place = short_tmp / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    try:
        answer = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount program here")
    if answer.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {answer.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Somebody else's file takes everything but `leave` bytes."""
    path = disk / "somebody else's"
    facts = os.statvfs(disk)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, facts.f_bavail * facts.f_frsize - leave)
    return path


def assert_asked_to_try_again(load) -> None:
    """Every request not taken got 503, a reason a program can read, and a time."""
    assert set(load.statuses) <= {201, 503}, load.statuses
    for status, headers, body in load.refusals:
        assert headers["Content-Type"].startswith("application/problem+json")
        assert int(headers["Retry-After"]) > 0
        assert body["status"] == status == 503
        assert body["code"]


async def test_an_almost_full_disk_is_left_to_redis_and_intake_says_try_again(small_disk, make_up):
    up = make_up(small_disk / "data", JIESU_SPOOL__MIN_FREE_DISK="8MiB")
    up.start()
    before = await send(up, 5, "before")
    other = fill(small_disk, leave=6 * 1024 * 1024)
    during = await send(up, 10, "during")
    assert_asked_to_try_again(during)
    assert during.statuses == {503: 10}
    assert not up.ready(), "a load balancer is told"
    await until(up.settled, "what was taken before is delivered meanwhile")
    other.unlink()
    after = await send(up, 5, "after")
    assert after.statuses == {201: 5}
    await until(up.settled, "delivered")
    assert stored(up) == before.numbers() | after.numbers()


async def test_a_disk_full_to_the_last_byte_loses_nothing_that_was_acknowledged(small_disk, make_up):
    """Nothing is held back for Redis: spool, append-only file and file destination all meet the end of the disk."""
    up = make_up(small_disk / "data", JIESU_SPOOL__MIN_FREE_DISK="0")
    up.start()
    gateway = up.pids()["gateway"]
    async with steady_load(up, text="路灯坏了" * 300) as load:
        await until(lambda: load.statuses[201] > 20, "load before")
        other = fill(small_disk, leave=300_000)
        await until(lambda: load.statuses[503] > 100, "the disk is full")
        taken = load.statuses[201]
        other.unlink()
        await until(lambda: load.statuses[201] > taken + 50, "taken again")
    print(f"\nstatuses {dict(load.statuses)}, slowest {load.slowest * 1000:.0f} ms, {up.counts()}")
    assert_asked_to_try_again(load)
    assert up.pids()["gateway"] == gateway, "the gateway survives"
    await until(lambda: up.counts()["in_flight"] == 0, "all queued")
    counts = up.counts()
    assert (counts["queued"], counts["parked"]) == (len(load.receipts), 0)
    assert stored(up) == load.numbers(), "every number acknowledged, and no other"
