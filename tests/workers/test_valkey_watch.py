"""The embedded Valkey: the watch that restarts it, and paths too long for a socket."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from tests.waiting import HANGS
from tests.workers.owners import (
    answering,
    client_of,
    parent_of_a_server,
    script,
)
from workers.valkey import PLACE, EmbeddedValkey, ValkeyError, locate, next_delay

LONG = "a-directory-with-quite-a-long-name/" * 4

Opener = Callable[..., EmbeddedValkey]


# --- the watch ---


async def watched(owner: EmbeddedValkey, until: Callable[[], bool]) -> list[structlog.typing.EventDict]:
    """Watches until something is true; what was logged meanwhile."""
    with structlog.testing.capture_logs() as logged:
        watching = asyncio.create_task(owner.watch())
        try:
            async with asyncio.timeout(HANGS):
                while not until():
                    await asyncio.sleep(0.02)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    return logged


async def test_the_watch_restarts_a_killed_server(short_tmp: Path, opened: Opener) -> None:
    owner = opened(short_tmp)
    first = owner.start()
    with client_of(owner) as client:
        client.set("k", "v")
        os.kill(first.pid, signal.SIGKILL)
        logged = await watched(owner, until=lambda: answering(owner) not in (first.pid, None))
        assert client.get("k") == b"v"
    assert [(entry["event"], entry["log_level"]) for entry in logged[:1]] == [("valkey_gone", "warning")]
    assert logged[0]["exit_code"] == -signal.SIGKILL


async def test_the_watch_restarts_a_server_that_an_earlier_owner_started(short_tmp: Path, opened: Opener) -> None:
    parent, pid = parent_of_a_server(short_tmp)
    parent.kill()
    parent.wait()
    heir = opened(short_tmp)
    heir.start()
    os.kill(pid, signal.SIGKILL)
    await watched(heir, until=lambda: answering(heir) not in (pid, None))
    assert heir.is_owner


async def test_the_watch_waits_longer_and_longer_for_a_server_that_cannot_start(
    short_tmp: Path, opened: Opener
) -> None:
    owner = opened(short_tmp / "data", binary=script(short_tmp / "server", f"echo >> {short_tmp}/tries; exit 1\n"))
    tries = short_tmp / "tries"
    logged = await watched(owner, until=lambda: tries.exists() and tries.stat().st_size >= 3)
    waits = [entry["restart_in"] for entry in logged if entry["event"] == "valkey_gone"]
    assert waits[:3] == [0.1, 0.2, 0.4]
    assert {entry["log_level"] for entry in logged if entry["event"] == "valkey_not_started"} == {"error"}


def test_delays_double_up_to_a_limit_and_start_anew_after_a_steady_while() -> None:
    delays = [0.0]
    for _ in range(8):
        delays.append(next_delay(delays[-1], lived=0.5))
    assert delays[1:] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert next_delay(5.0, lived=60) == 0.1


# --- a path too long for a socket ---


def test_a_path_too_long_for_a_socket_gets_a_private_short_one_that_others_find(
    short_tmp: Path, short_places: Path, opened: Opener
) -> None:
    directory = short_tmp / LONG
    owner = opened(directory)
    endpoint = owner.start()
    assert len(os.fsencode(directory / "valkey.sock")) > 107
    assert endpoint.socket.parent.parent == short_places
    assert endpoint.socket.parent.stat().st_mode & 0o777 == 0o700
    code = (
        "import sys, pathlib, workers.valkey as v, workers.connect as c\n"
        "d = pathlib.Path(sys.argv[1]); c.connect(c.RedisConfig(), d).set('k', 'v'); print(v.locate(d))"
    )
    elsewhere = dict(os.environ, TMPDIR="/")  # the record decides, not the other process's surroundings
    found = subprocess.run(
        [sys.executable, "-c", code, str(directory)],
        capture_output=True,
        text=True,
        check=True,
        env=elsewhere,
    )
    assert found.stdout.strip() == str(endpoint.socket)
    with client_of(owner) as client:
        assert client.get("k") == b"v"


@pytest.mark.parametrize("extra", [0, 1])
def test_the_longest_path_that_fits_is_used_itself(short_tmp: Path, short_places: Path, extra: int) -> None:
    fill = 107 - len(os.fsencode(short_tmp / "d" / "valkey.sock")) + extra
    directory = short_tmp / ("d" + "x" * fill)
    assert len(os.fsencode(directory / "valkey.sock")) == 107 + extra
    assert (locate(directory).parent == directory) == (extra == 0)


def test_all_who_ask_at_once_are_told_the_same_place(short_tmp: Path, short_places: Path) -> None:
    barrier = threading.Barrier(8)

    def ask(_: int) -> Path:
        barrier.wait()
        return locate(short_tmp / LONG)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(list(short_places.iterdir())) == 1


def test_a_short_place_that_was_cleaned_away_is_made_again_under_the_same_name(
    short_tmp: Path, short_places: Path, opened: Opener
) -> None:
    owner = opened(short_tmp / LONG)
    before = owner.start().socket
    owner.stop()
    shutil.rmtree(before.parent)
    assert owner.start().socket == before
    assert before.parent.stat().st_mode & 0o777 == 0o700


def test_a_short_place_open_to_others_is_refused(short_tmp: Path, short_places: Path, opened: Opener) -> None:
    """Somebody who may write there could put a socket of his own in our server's place."""
    place = locate(short_tmp / LONG).parent
    place.chmod(0o777)
    with pytest.raises(ValkeyError, match=f"not private to us: delete {PLACE}"):
        opened(short_tmp / LONG).start()


def test_a_symbolic_link_in_the_short_places_stead_is_refused(short_tmp: Path, short_places: Path) -> None:
    place = locate(short_tmp / LONG).parent
    place.rmdir()
    (short_tmp / "private").mkdir(mode=0o700)
    place.symlink_to(short_tmp / "private")
    with pytest.raises(ValkeyError, match="not private"):
        locate(short_tmp / LONG)


def test_a_copy_of_the_data_gets_a_place_of_its_own(short_tmp: Path, short_places: Path, opened: Opener) -> None:
    original, copy = opened(short_tmp / "1" / LONG), opened(short_tmp / "2" / LONG)
    original.start()
    with client_of(original) as client:
        client.set("k", "first")
    original.stop()
    shutil.copytree(original.directory, copy.directory)
    original.start()
    copy.start()
    with client_of(copy) as client:
        client.set("k", "second")
    with client_of(original) as client:
        assert client.get("k") == b"first"


def test_a_damaged_record_is_written_anew(short_tmp: Path, short_places: Path) -> None:
    locate(short_tmp / LONG)
    record = short_tmp / LONG / PLACE
    record.write_text('{"of": ')
    chosen = locate(short_tmp / LONG)
    assert json.loads(record.read_text())["place"] == str(chosen.parent)
    assert locate(short_tmp / LONG) == chosen
