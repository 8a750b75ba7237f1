"""Fixtures for every test that needs a real server. Nothing here is mocked, and no process is left behind.

    def test_x(valkey):               # one server per pytest process, empty for every test
        valkey.client().set("k", 1)   # a plain redis.Redis: bytes, no retries; closed for you
        valkey.socket                 # Path of the unix socket
        valkey.url                    # unix:// URL of it, for `redis.url`
        valkey.config                 # workers.connect.RedisConfig with that URL
        valkey.directory              # its data directory
        valkey.embedded               # its workers.valkey.EmbeddedValkey

    async def test_y(valkey):         # an asyncio client belongs to the test's loop, so the test closes it
        async with connect_async(valkey.config, valkey.directory) as client: ...

    def test_z(own_valkey):           # the same, but a server of its own (0.15 s more), for tests
        os.kill(own_valkey.embedded.pid, 9)             # that stop or kill it, or change its settings

Under xdist every worker has its own server, so keys and streams never meet.
`short_tmp` is a temporary directory whose path is short enough for unix sockets (tmp_path often is not).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from hypothesis import HealthCheck, settings

from workers.connect import RedisConfig, connect
from workers.valkey import EmbeddedValkey

# How long one example takes says something about the machine. What the code may cost is said in tests of its own.
settings.register_profile("jiesu", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("jiesu")


class ValkeyServer:
    """A running server as tests see it."""

    def __init__(self, embedded: EmbeddedValkey) -> None:
        self.embedded = embedded
        self.directory = embedded.directory
        self.socket = embedded.socket
        self.url = f"unix://{quote(str(self.socket))}"
        self.config = RedisConfig(url=self.url)
        self._clients: list[redis.Redis] = []

    def client(self) -> redis.Redis:
        """A new client; closed at the end of the test."""
        client = connect(self.config, self.directory)
        self._clients.append(client)
        return client

    def close_clients(self) -> None:
        while self._clients:
            self._clients.pop().close()


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="jt-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def _shared_server() -> Iterator[EmbeddedValkey]:
    directory = Path(tempfile.mkdtemp(prefix="jt-"))
    embedded = EmbeddedValkey(directory)
    yield embedded
    embedded.stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def valkey(_shared_server: EmbeddedValkey) -> Iterator[ValkeyServer]:
    _shared_server.start()  # the first test starts it; later ones find it running
    server = ValkeyServer(_shared_server)
    client = server.client()
    client.flushall()
    client.script_flush()
    yield server
    server.close_clients()


@pytest.fixture
def own_valkey(short_tmp: Path) -> Iterator[ValkeyServer]:
    embedded = EmbeddedValkey(short_tmp / "data")
    embedded.start()
    server = ValkeyServer(embedded)
    yield server
    server.close_clients()
    embedded.stop()
