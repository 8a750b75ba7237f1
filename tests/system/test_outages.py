"""Redis goes away, comes back with older data, or is full: citizens notice nothing, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time

import pytest

from tests.system.load import added, assert_each_once, change, fact, send, steady_load, stored
from tests.waiting import until

pytestmark = pytest.mark.system


@pytest.fixture
def line(own_valkey, make_up):
    """A line on a server that the test, and nobody else, stops and starts."""
    up = make_up(JIESU_REDIS__URL=own_valkey.url)
    up.start()
    return up


def kill(valkey) -> None:
    os.kill(valkey.embedded.pid, signal.SIGKILL)
    valkey.embedded.stop()  # nobody is left to be stopped: it waits until the server is gone


def replace_data(valkey, copy) -> None:
    """The server's data as they were when `copy` was made; the server starts on them."""
    data = valkey.directory / "valkey"
    shutil.rmtree(data)
    if copy.exists():
        shutil.copytree(copy, data)
    valkey.embedded.start()


async def outage(line, valkey, seconds: float, patience: float) -> None:
    async with steady_load(line) as load:
        await until(lambda: load.statuses[201] > 30, "some load before")
        kill(valkey)
        gone, before = time.monotonic(), load.statuses[201]
        await asyncio.sleep(seconds)  # the outage itself
        await until(lambda: load.statuses[201] - before > 50, "some load meanwhile, however slow the machine")
        during = load.statuses[201] - before
        valkey.embedded.start()
        away = time.monotonic() - gone
        back = load.statuses[201]
        await until(lambda: load.statuses[201] > back + 30, "some load after")
    ended = time.monotonic()
    await until(lambda: line.counts()["in_flight"] == 0, "everything queued", patience)
    queued = time.monotonic() - ended
    await until(line.settled, "everything delivered", patience)
    print(
        f"\nRedis away for {away:.1f} s: {sum(load.statuses.values())} requests ({during} meanwhile), statuses"
        f" {dict(load.statuses)}, slowest {load.slowest * 1000:.0f} ms; all queued {queued:.1f} s and delivered"
        f" {time.monotonic() - ended:.1f} s after the last request"
    )
    assert set(load.statuses) == {201}
    assert during > 50
    assert all(receipt["number"].isdigit() for receipt in load.receipts)
    assert_each_once(line, load.numbers())


async def test_redis_away_for_a_moment_under_load(line, own_valkey):
    await outage(line, own_valkey, seconds=5, patience=60)


@pytest.mark.soak
async def test_redis_away_for_half_a_minute_under_load(line, own_valkey):
    await outage(line, own_valkey, seconds=30, patience=120)


async def test_redis_with_an_older_copy_of_its_data_gets_back_what_it_forgot(line, own_valkey, short_tmp):
    old = await send(line, 15, "before the copy")
    await until(line.settled, "the first are delivered")
    shutil.copytree(own_valkey.directory / "valkey", short_tmp / "copy")  # append-only: what is there is whole
    new = await send(line, 15, "after the copy")
    await until(line.settled, "the second are delivered")
    kill(own_valkey)
    replace_data(own_valkey, short_tmp / "copy")
    await until(lambda: added(line) == 30, "the server's new run_id makes the gateway offer them again")
    await until(line.settled, "and they are delivered again")
    assert_each_once(line, old.numbers() | new.numbers())


async def test_reoffer_brings_back_what_is_older_than_the_gateway_looks_by_itself(line, own_valkey, short_tmp):
    load = await send(line, 20, "yesterday")
    await until(line.settled, "delivered")
    change(line, "UPDATE submission SET ended_at = ended_at - 86400")
    kill(own_valkey)
    replace_data(own_valkey, short_tmp / "nothing at all")
    new = await send(line, 1, "today")
    await until(line.settled, "only the new one is queued")
    assert stored(line) == new.numbers()
    answer = line.jiesu("spool", "reoffer", "--since", "2d")
    assert (answer.returncode, answer.stdout) == (0, "21 offered again\n")
    await until(lambda: added(line) == 21, "all on the queue")
    await until(line.settled, "delivered")
    assert_each_once(line, load.numbers() | new.numbers())


async def test_the_gateway_id_is_claimed_again_from_a_server_that_forgot_it(line, own_valkey, short_tmp):
    await send(line, 1, "takes an id")
    uuid = (fact(line, "uuid") or "").encode()
    assert line.client().hgetall("jiesu:gateways") == {b"00": uuid}
    kill(own_valkey)
    replace_data(own_valkey, short_tmp / "nothing at all")
    await until(lambda: line.client().hgetall("jiesu:gateways") == {b"00": uuid}, "the claim is there again")


async def test_a_gateway_whose_id_another_took_meanwhile_takes_a_new_one(line, own_valkey, short_tmp):
    first = await send(line, 1, "under 00")
    await until(line.settled, "delivered")
    line.stop()
    own_valkey.client().delete("jiesu:gateways")
    own_valkey.client().hset("jiesu:gateways", "00", "somebody else")
    kill(own_valkey)
    own_valkey.embedded.start()
    line.start()
    await until(lambda: fact(line, "gateway") == "01", "another id")
    second = await send(line, 1, "under 01")
    await until(line.settled, "delivered")
    assert [n[8:10] for load in (first, second) for n in load.numbers().values()] == ["00", "01"]
    assert_each_once(line, first.numbers() | second.numbers())


async def test_redis_out_of_memory_parks_nothing_and_intake_goes_on(line, own_valkey):
    first = await send(line, 5, "before")
    await until(line.settled, "delivered")
    client = own_valkey.client()
    client.config_set("maxmemory", client.info("memory")["used_memory"] - 100_000)
    async with steady_load(line) as load:
        await until(lambda: client.info("errorstats").get("errorstat_OOM"), "the server refuses writes")
        refused = load.statuses[201]
        await until(lambda: load.statuses[201] > refused + 150, "load while it is full")
    assert set(load.statuses) == {201}
    counts = line.counts()
    assert (counts["parked"], counts["queued"]) == (0, 5)
    assert counts["in_flight"] == len(load.receipts)
    client.config_set("maxmemory", 0)
    await until(line.settled, "all queued and delivered once there is room")
    assert_each_once(line, first.numbers() | load.numbers())
