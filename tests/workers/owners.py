"""Owners of embedded servers, and what their tests look at."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from workers.connect import RedisConfig, connect
from workers.valkey import EmbeddedValkey

Opener = Callable[..., EmbeddedValkey]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Makes owners and stops what they started, whatever the test did."""
    owners: list[EmbeddedValkey] = []

    def new(directory: Path, **options: object) -> EmbeddedValkey:
        owners.append(EmbeddedValkey(directory, **options))  # type: ignore[arg-type]
        return owners[-1]

    yield new
    for owner in owners:
        owner.stop(grace=3)


@pytest.fixture
def short_places(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sockets go when the data directory's path is too long."""
    places = short_tmp / "t"
    places.mkdir()
    monkeypatch.setenv("TMPDIR", str(places))
    monkeypatch.setattr("tempfile.tempdir", str(places))
    return places


def client_of(owner: EmbeddedValkey) -> redis.Redis:
    return connect(RedisConfig(), owner.directory)


def answering(owner: EmbeddedValkey) -> int | None:
    """Pid of the server that answers now."""
    with client_of(owner) as client, suppress(redis.ConnectionError):
        return int(client.info("server")["process_id"])
    return None


def fill(client: redis.Redis, n: int) -> str:
    try:
        client.set(f"k{n}", b"x" * 50_000)
    except redis.OutOfMemoryError:
        return "OOM"
    return "kept"


def script(path: Path, body: str) -> Path:
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return path


def parent_of_a_server(directory: Path) -> tuple[subprocess.Popen[str], int]:
    """A process of its own session that has started the server of `directory`; the server's pid."""
    code = textwrap.dedent("""
        import signal, sys, time
        from pathlib import Path
        from workers.valkey import EmbeddedValkey
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits that it is ignored
        owner = EmbeddedValkey(Path(sys.argv[1]))
        print(owner.start().pid, flush=True)
        time.sleep(600)
    """)
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    with parent.stdout as out:
        return parent, int(out.readline())


def write_until_it_breaks(client: redis.Redis, size: int = 100) -> int:
    """Adds entries one by one; how many were acknowledged before the server was gone."""
    acknowledged = 0
    with suppress(redis.ConnectionError):
        while True:
            client.xadd("s", {"n": acknowledged, "filler": b"x" * size})
            acknowledged += 1
    return acknowledged
