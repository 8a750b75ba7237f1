"""Fixtures for the gateway's own parts: a real listener on a real socket, and a clock that moves by hand."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import structlog
from aiohttp import web

from gateway import logs
from gateway.auth import Tokens
from gateway.config import Config, HttpConfig, LogConfig
from gateway.limits import Buckets
from gateway.listener import Listener, bind
from gateway.routes import Routes
from normalizer import identity, normalize
from normalizer.ticket import AttachmentRef, Inbound, Raw
from workers.connect import RedisConfig, connect_async
from workers.queue import TicketQueue, item
from workers.store import Store


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class Running:
    """A listener that serves, and a client of it."""

    listener: Listener
    routes: Routes
    client: aiohttp.ClientSession
    host: str
    port: int


@pytest.fixture
async def serve(tmp_path: Path, clock: Clock) -> AsyncIterator[Callable[..., Any]]:
    """`await serve(routes, trusted_proxies=…, per_minute=…)` starts a listener for the test's duration."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(routes: Routes, *, burst: int = 2, **http: Any) -> Running:
            config = HttpConfig(listen="127.0.0.1:0", **http)
            buckets = Buckets("submissions", burst=burst, per_minute=60, size=100, clock=clock)
            tokens = Tokens(tmp_path / "tokens.jsonl")
            listener = Listener(routes, config, tokens=tokens, submissions=buckets)
            sock = bind(config.address)
            host, port = sock.getsockname()
            await listener.start(sock)
            stack.push_async_callback(listener.stop, 1.0)
            client = aiohttp.ClientSession(
                f"http://{host}:{port}", auto_decompress=False, timeout=aiohttp.ClientTimeout(20)
            )
            await stack.enter_async_context(client)
            return Running(listener, routes, client, host, port)

        yield start


async def _echo(request: web.Request) -> web.Response:
    """Says what the handler saw."""
    body = await request.read()
    return web.json_response(
        {
            "path": dict(request["path"]),
            "caller": request["caller"],
            "query": dict(request.query),
            "cookies": dict(request.cookies),
            "length": len(body),
        }
    )


@pytest.fixture
def echo() -> Callable[[web.Request], Any]:
    return _echo


@pytest.fixture
def clean_env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any of our variables."""
    for name in list(os.environ):
        if name.upper().startswith("JIESU_"):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def data_config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path / "data")


class Written:
    """What was logged, parsed."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def take(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        events = [json.loads(line) for line in self.text.splitlines()]
        self._stream.seek(0)
        self._stream.truncate()
        return events


@pytest.fixture
def written() -> Iterator[Written]:
    """Logging set up as in production, into memory, and afterwards as it was before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook
    stream = io.StringIO()
    logs.setup(LogConfig(format="json", level="debug"), stream)
    yield Written(stream)
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


SECRET = b"the secret of a site in a test"
RECEIVED = datetime(2026, 1, 15, 2, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Queued:
    """A submission that is on the queue, and its receipt's number and code."""

    ticket_id: str
    number: str
    code: str


@dataclass
class FarSide:
    """A queue on a real server, and the store that reads it."""

    store: Store
    queue: TicketQueue
    secret: bytes = SECRET

    def enqueue(
        self,
        source_id: str,
        sequence: int,
        *,
        text: str = "路灯坏了",
        attachments: tuple[AttachmentRef, ...] = (),
        **inbound: Any,
    ) -> Queued:
        """One submission by way of the pump's own pieces; `inbound`: requester, threads, senders."""
        raw = Raw(channel="web", source_id=source_id, received_at=RECEIVED, body=text.encode())
        said = Inbound(text=text, digest=identity.content_digest(raw.body), **inbound)
        ticket = normalize(raw, said, number=identity.number(RECEIVED.date(), 0, sequence), attachments=attachments)
        code = identity.receipt_code(ticket.ticket_id, SECRET)
        self.queue.enqueue([item(ticket, said, code=code, domain="hotline.example")])
        return Queued(ticket.ticket_id, ticket.number, code)


@pytest.fixture
async def far_side(valkey: Any) -> AsyncIterator[FarSide]:
    async with connect_async(valkey.config, valkey.directory) as client:
        store = Store(client, domain="hotline.example")
        yield FarSide(store, TicketQueue(valkey.client(), grace=120))


@pytest.fixture
async def away(short_tmp: Path) -> AsyncIterator[Store]:
    """A store whose server is not there."""
    config = RedisConfig(url=f"unix://{quote(str(short_tmp / 'nobody.sock'))}")
    async with connect_async(config, short_tmp) as client:
        yield Store(client, domain="hotline.example")
