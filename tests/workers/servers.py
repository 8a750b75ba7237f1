"""Real servers of a test's own, over TCP, with the settings the test wants."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.ports import free_port
from tests.waiting import HANGS
from workers.connect import (
    RedisConfig,
)
from workers.valkey import server_binary

Starter = Callable[..., int]


def wait_for(port: int) -> None:
    deadline = time.monotonic() + HANGS
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)


def at(port: int, **more: object) -> RedisConfig:
    return RedisConfig(url=f"redis://127.0.0.1:{port}/0", **more)  # type: ignore[arg-type]


@pytest.fixture
def server(short_tmp: Path) -> Iterator[Starter]:
    """Starts valkey-server on a free loopback port with the settings given; returns the port."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*settings: str, port: int | None = None) -> int:
        port = port or free_port()
        home = short_tmp / str(port)
        home.mkdir(exist_ok=True)
        running.append(
            subprocess.Popen(
                [server_binary(), *settings, "--port", str(port), "--bind", "127.0.0.1", "--dir", home],
                stdout=subprocess.DEVNULL,
            )
        )
        wait_for(port)
        return port

    yield start
    for process in running:
        process.kill()
        process.wait()


def error_of(command: Callable[[], object]) -> redis.RedisError:
    with pytest.raises(redis.RedisError) as caught:
        command()
    return caught.value
