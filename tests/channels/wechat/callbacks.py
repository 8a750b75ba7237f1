"""The channel running against a host of tests, and a client that pushes to its callback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import ClientSession

from channels.fake_host import FakeHost
from channels.wechat import Wechat
from channels.wechat.callback import PATH
from tests.channels.wechat.wechats import PLAIN, query

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
WORDS = "五一北路的路灯坏了，我叫欧阳测试，电话 13800138000"


@asynccontextmanager
async def running(**settings: object) -> AsyncIterator[tuple[FakeHost, ClientSession]]:
    channel = Wechat(Wechat.config_type.model_validate(PLAIN | settings))
    async with FakeHost() as host, ClientSession(base_url=host.public_url) as client:
        task = asyncio.create_task(channel.run(host))
        await host.routed.wait()
        yield host, client
        task.cancel()
        await asyncio.wait({task})


async def push(client: ClientSession, body: bytes, asked: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    async with client.post(PATH, data=body, params=query() if asked is None else asked) as answer:
        return answer.status, await answer.read()


def code_of(answer: bytes) -> str:
    return json.loads(answer)["code"]
