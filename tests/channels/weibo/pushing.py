"""The channel at a host, and somebody who pushes messages to it: Weibo, or one who only knows the address.

May not assert anything.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from channels.fake_host import FakeHost
from channels.social.signed import signed
from channels.weibo import Weibo
from channels.weibo.callback import PATH
from channels.weibo.config import WeiboConfig
from normalizer.identity import receipt_code, ticket_id
from normalizer.ticket import Receipt
from tests.simulators.weibo import Weibo as Simulator
from tests.simulators.weibo.platform import APP_SECRET
from tests.simulators.weibo.world import OURS, when

WHO = "王女士"
WORDS = "幸福路8号的路灯坏了三天"
US = "北京12345"


def config(folder: Path) -> dict[str, Any]:
    """Messages only: nothing is polled or answered later."""
    (folder / "secret").write_text(f"{APP_SECRET}\n")
    return {"uid": str(OURS), "names": [US], "app_secret_file": str(folder / "secret")}


def message(text: str = WORDS, kind: str = "text", n: int = 0, **data: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "receiver_id": OURS,
        "sender_id": 5_550_001_112,
        "created_at": when(1_764_000_000 + n),
        "text": text,
        "data": data,
    }


def query(secret: str = APP_SECRET, at: float | None = None, nonce: str = "57155157") -> dict[str, str]:
    stamp = str(int((time.time() if at is None else at) * 1000))
    return {"signature": signed(secret, stamp, nonce), "timestamp": stamp, "nonce": nonce}


def receipt_of(number: str, url: str) -> Receipt:
    ticket = ticket_id("weibo", "push:1")
    return Receipt(ticket_id=ticket, number=number, code=receipt_code(ticket, b"secret"), status_url=url)


class Caller:
    """Somebody who knows the address of the callback."""

    def __init__(self, host: FakeHost, http: ClientSession) -> None:
        self._url = host.public_url + PATH
        self._http = http

    async def push(self, body: object, asked: Mapping[str, str]) -> tuple[int, Any]:
        sent = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        async with self._http.post(self._url, data=sent, params=asked) as answer:
            read = await answer.read()
            return answer.status, json.loads(read) if read else None

    async def ask(self, asked: Mapping[str, str]) -> tuple[int, bytes, Mapping[str, str]]:
        async with self._http.get(self._url, params=asked) as answer:
            return answer.status, await answer.read(), dict(answer.headers)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[FakeHost]:
    """The channel at a host."""
    channel = Weibo(WeiboConfig.model_validate(config(folder)))
    async with FakeHost() as host:
        task = asyncio.create_task(channel.run(host))
        await host.routed.wait()
        yield host
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[FakeHost]:
    async with running(tmp_path) as host:
        yield host


@pytest.fixture
async def caller(host: FakeHost) -> AsyncIterator[Caller]:
    async with ClientSession() as http:
        yield Caller(host, http)


@pytest.fixture
async def weibo(host: FakeHost) -> AsyncIterator[Simulator]:
    async with Simulator(callback=host.public_url + PATH) as platform:
        yield platform


def tickets(host: FakeHost) -> list[dict[str, Any]]:
    """The messages that were accepted."""
    return [json.loads(raw.body) for raw in host.taken.values()]
