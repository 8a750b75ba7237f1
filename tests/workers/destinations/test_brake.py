"""The brake that all workers share, on a real server."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.waiting import HANGS
from workers.destinations.brake import FAILING, FORGOTTEN, SLOW, RedisBrake
from workers.destinations.contract import Hold


async def test_nothing_is_held_at_first(brake: RedisBrake) -> None:
    assert await brake.get("unit") is None


async def test_a_slow_destination_is_held_for_its_time_and_no_other(brake: RedisBrake) -> None:
    began = time.monotonic()
    await brake.set("unit", Hold("status_503", 60.0))
    hold = await brake.get("unit")
    assert hold is not None
    assert hold.reason == "status_503"
    assert hold.seconds is not None
    assert 60 - (time.monotonic() - began) - 0.01 <= hold.seconds <= 60, "kept in whole milliseconds"
    assert await brake.get("other") is None


async def test_a_hold_ends_by_itself(brake: RedisBrake) -> None:
    await brake.set("unit", Hold("status_429", 0.05))
    async with asyncio.timeout(HANGS):
        while await brake.get("unit") is not None:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("waits", [(60.0, 5.0), (5.0, 60.0)])
async def test_of_two_holds_the_longer_stays(brake: RedisBrake, waits: tuple[float, float]) -> None:
    for seconds in waits:
        await brake.set("unit", Hold("status_503", seconds))
    hold = await brake.get("unit")
    assert hold is not None
    assert hold.seconds is not None
    assert hold.seconds > 50


async def test_who_does_not_answer_rests_twice_as_long_each_time_up_to_a_limit(valkey: str, brake: RedisBrake) -> None:
    async with Redis(unix_socket_path=valkey) as client:

        async def fails() -> float:
            began = time.monotonic()
            await brake.failed("unit", "timeout")
            hold = await brake.get("unit")
            took = time.monotonic() - began
            assert hold is not None
            assert hold.seconds is not None
            assert hold.reason == "timeout"
            await client.delete(SLOW + "unit")  # as its time does
            return hold.seconds + took

        for expected in (5, 10, 20, 40, 80, 160, 300, 300):
            assert expected - 0.01 <= await fails() < expected + 4
        await brake.answered("unit")
        assert await fails() < 10
        assert 0 < await client.ttl(FAILING + "unit") <= FORGOTTEN


async def test_what_several_workers_find_out_at_once_is_one_failure(brake: RedisBrake) -> None:
    await asyncio.gather(*(brake.failed("unit", "timeout") for _ in range(5)))
    hold = await brake.get("unit")
    assert hold is not None
    assert hold.seconds is not None
    assert hold.seconds <= 5


async def test_a_longer_rest_that_was_asked_for_stays(brake: RedisBrake) -> None:
    await brake.set("unit", Hold("status_503", 60.0))
    await brake.failed("unit", "timeout")
    hold = await brake.get("unit")
    assert hold is not None
    assert hold.reason == "status_503"


async def test_a_disabled_destination_stays_so_until_an_operator_enables_it(brake: RedisBrake) -> None:
    await brake.set("unit", Hold("status_410", None))
    await brake.set("unit", Hold("status_503", 60.0))
    assert await brake.get("unit") == Hold("status_410", None)
    await brake.enable("unit")
    assert await brake.get("unit") is None


async def test_a_client_that_decodes_serves_as_well(valkey: str, brake: RedisBrake) -> None:
    await brake.set("unit", Hold("status_410", None))
    async with Redis(unix_socket_path=valkey, decode_responses=True) as client:
        assert await RedisBrake(client).get("unit") == Hold("status_410", None)


async def test_redis_being_away_is_said(tmp_path: Path) -> None:
    async with Redis(unix_socket_path=str(tmp_path / "none.sock"), retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(redis.ConnectionError):
            await RedisBrake(client).get("unit")
