"""A poller's place: one gateway at a time moves it, and none that lost its lease."""

from __future__ import annotations

import asyncio

import pytest

from gateway.poller_place import PollerPlace
from normalizer.errors import TryAgain
from tests.waiting import HANGS
from workers import keys
from workers.connect import connect_async


@pytest.fixture
async def client(valkey):
    async with connect_async(valkey.config, valkey.directory) as client:
        yield client


async def test_the_place_is_kept_for_whoever_polls_next(client):
    one, other = PollerPlace(client, "weibo"), PollerPlace(client, "weibo", lease=0.3)
    assert await one.load() is None
    await one.save("17")
    waiting = asyncio.create_task(other.load())
    await one.save("18")
    assert not waiting.done(), "one gateway at a time"
    await one.leave()
    async with asyncio.timeout(HANGS):
        assert await waiting == "18"
    await other.leave()


async def test_who_lost_the_lease_moves_nothing_and_loads_again(client):
    one, other = PollerPlace(client, "weibo", lease=0.3), PollerPlace(client, "weibo")
    await one.load()
    await client.delete(keys.poller("weibo"))  # as if it had been stopped for longer than its lease
    await other.load()
    await other.save("20")
    with pytest.raises(TryAgain):
        await one.save("19")
    assert await client.get(keys.cursor("weibo")) == b"20"
    await other.leave()
    async with asyncio.timeout(HANGS):
        assert await one.load() == "20"
    await one.leave()


async def test_who_polls_keeps_the_lease_and_loads_as_often_as_it_likes(client):
    one, other = PollerPlace(client, "weibo", lease=0.3), PollerPlace(client, "weibo", lease=0.3)
    assert await one.load() is None
    waiting = asyncio.create_task(other.load())
    done, _ = await asyncio.wait({waiting}, timeout=1.5)  # five leases long
    assert not done
    assert await one.load() is None
    await one.leave()
    async with asyncio.timeout(HANGS):
        await waiting
    await other.leave()
