"""The web channel running against a FakeHost, and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from channels.fake_host import FakeHost
from channels.web import AttachmentLimits, Web, WebConfig


@pytest.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with FakeHost() as host:
        task = asyncio.create_task(Web(WebConfig(attachments=AttachmentLimits(max_bytes=40_000))).run(host))
        await host.routed.wait()
        yield host
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def client(host: FakeHost) -> AsyncIterator[ClientSession]:
    async with ClientSession(base_url=host.public_url) as session:
        yield session
