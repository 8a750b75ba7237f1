"""The phone channel running against a host of tests, and a client of its API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from channels.fake_host import FakeHost
from channels.phone import Phone
from channels.phone.config import PhoneConfig
from tests.channels.phone.calls import LIMIT


@pytest.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with FakeHost() as host:
        task = asyncio.create_task(Phone(PhoneConfig(max_bytes=LIMIT)).run(host))
        await host.routed.wait()
        yield host
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def client(host: FakeHost) -> AsyncIterator[ClientSession]:
    async with ClientSession(base_url=host.public_url) as session:
        yield session
