"""Connections: real servers, a real Sentinel, a real Cluster node; every way in which Redis can be away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from pydantic import ValidationError

from tests.conftest import ValkeyServer
from workers.connect import (
    BLOCK_MAX,
    RedisConfig,
    UnfitServerError,
    check_server,
    check_server_async,
    connect,
    connect_async,
    error_code,
    is_away,
    refuse_unfit,
    reply_code,
)
from workers.valkey import EmbeddedValkey, server_binary

Starter = Callable[..., int]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
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


# --- a client that writes ---


def test_without_a_url_the_embedded_server_of_the_data_directory_is_used(own_valkey: ValkeyServer) -> None:
    with connect(RedisConfig(), own_valkey.directory) as client:
        client.set("k", "接诉")
        assert client.get("k") == "接诉".encode()


async def test_without_a_url_the_embedded_server_is_used_by_asyncio_too(own_valkey: ValkeyServer) -> None:
    async with connect_async(RedisConfig(), own_valkey.directory) as client:
        await client.set("k", "v")
        assert await client.get("k") == b"v"


async def test_a_unix_url_reaches_the_server(valkey: ValkeyServer) -> None:
    async with connect_async(valkey.config, Path()) as client:
        await client.set("k", "v")
    assert valkey.client().get("k") == b"v"


async def test_a_tcp_url_reaches_the_server_and_its_database(server: Starter) -> None:
    config = RedisConfig(url=f"redis://127.0.0.1:{server()}/3")
    with connect(config, Path()) as client:
        client.set("k", "v")
        assert client.client_info()["db"] == 3
    async with connect_async(config, Path()) as client_async:
        assert await client_async.get("k") == b"v"


def test_a_rediss_url_is_encrypted() -> None:
    with connect(RedisConfig(url="rediss://cache.example.test"), Path()) as client:
        assert client.connection_pool.connection_class is redis.SSLConnection


def test_a_blocking_read_may_last_as_long_as_we_allow_ourselves() -> None:
    """The other way round the client gives up while the server is still rightly waiting."""
    assert RedisConfig().socket_timeout > BLOCK_MAX
    with pytest.raises(ValidationError, match="greater than 5"):
        RedisConfig(socket_timeout=BLOCK_MAX)


@pytest.mark.parametrize(
    "url",
    [
        "http://h/0",
        "redis+sentinel://h1:26379",
        "redis+sentinel://h1:x/name",
        "redis+sentinel:///name",
        "h:6379",
    ],
)
def test_a_url_that_cannot_be_understood_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError, match="must ") as caught:
        RedisConfig(url=url)
    assert url not in str(caught.value)


def test_a_password_in_the_url_is_not_shown() -> None:
    assert "s3cret" not in repr(RedisConfig(url="redis://:s3cret@h/0"))


async def test_the_password_comes_from_its_file(server: Starter, short_tmp: Path) -> None:
    port = server("--requirepass", "s3cret")
    secret = short_tmp / "password"
    secret.write_text("s3cret\n")
    with connect(at(port, password_file=secret), Path()) as client:
        client.set("k", "v")
    async with connect_async(at(port, password_file=secret), Path()) as client_async:
        assert await client_async.get("k") == b"v"
    twice = RedisConfig(url=f"redis://:other@127.0.0.1:{port}/0", password_file=secret)
    with pytest.raises(ValueError, match="both give a password"):
        connect(twice, Path())


# --- nothing is sent twice ---


@contextlib.contextmanager
def losing_replies(listener: socket.socket, behind: Path) -> Iterator[None]:
    """A proxy before the server at the socket `behind`: it passes every command on, but hangs up instead of
    bringing an XADD's reply."""
    threads: list[threading.Thread] = []

    def carry(near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(str(behind))
            while data := near.recv(65536):
                far.sendall(data)
                reply = far.recv(65536)
                if b"XADD" in data:
                    return
                near.sendall(reply)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threads.append(threading.Thread(target=carry, args=(near,)))
                threads[-1].start()

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [serving, *threads]:
            thread.join(timeout=5)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
async def test_a_write_whose_reply_was_lost_is_not_sent_again(
    valkey: ValkeyServer, short_tmp: Path, family: socket.AddressFamily
) -> None:
    """redis-py's default retries applied one XADD eleven times. By URL, and as the embedded server."""
    listener = socket.socket(family)
    if family == socket.AF_INET:
        listener.bind(("127.0.0.1", 0))
        config = at(listener.getsockname()[1])
    else:
        listener.bind(str(short_tmp / "valkey.sock"))
        config = RedisConfig()
    listener.listen()
    with losing_replies(listener, valkey.socket):
        with connect(config, short_tmp) as client:
            error = await asyncio.to_thread(error_of, lambda: client.xadd("s", {"a": 1}))
        async with connect_async(config, short_tmp) as client_async:
            with pytest.raises(redis.ConnectionError):
                await client_async.xadd("s", {"a": 2})
    assert is_away(error)
    assert valkey.client().xlen("s") == 2


# --- Sentinel ---


@pytest.fixture
def sentinel(short_tmp: Path) -> Iterator[Starter]:
    """Starts a Sentinel that watches the master at `port` as `hotline`; returns the Sentinel's port."""
    running: list[subprocess.Popen[bytes]] = []

    def start(port: int, *lines: str) -> int:
        own = free_port()
        conf = short_tmp / f"sentinel-{own}.conf"
        conf.write_text(
            f"port {own}\nbind 127.0.0.1\ndir {short_tmp}\nsentinel monitor hotline 127.0.0.1 {port} 1\n"
            + "".join(f"{line}\n" for line in lines)
        )
        running.append(subprocess.Popen([server_binary(), conf, "--sentinel"], stdout=subprocess.DEVNULL))
        wait_for(own)
        return own

    yield start
    for process in running:
        process.kill()
        process.wait()


async def test_a_sentinel_url_leads_to_the_master(server: Starter, sentinel: Starter) -> None:
    """The first of the two Sentinels is down."""
    master = server()
    config = RedisConfig(url=f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel(master)}/hotline/2")
    with connect(config, Path()) as client:
        client.set("k", "v")
        assert client.client_info()["db"] == 2
        assert check_server(client).role == "master"
    async with connect_async(config, Path()) as client_async:
        assert await client_async.get("k") == b"v"
    with connect(RedisConfig(url=f"redis://127.0.0.1:{master}/2"), Path()) as direct:
        assert direct.get("k") == b"v"


async def test_after_a_failover_the_same_client_writes_to_the_new_master(server: Starter, sentinel: Starter) -> None:
    old, new = server(), server()
    watcher = sentinel(old)
    config = RedisConfig(url=f"redis+sentinel://127.0.0.1:{watcher}/hotline/0")
    with connect(config, Path()) as client, connect(at(watcher), Path()) as asked:
        client.set("k", "old")
        asked.execute_command("SENTINEL", "REMOVE", "hotline")
        asked.execute_command("SENTINEL", "MONITOR", "hotline", "127.0.0.1", str(new), "1")
        with connect(at(old), Path()) as demoted:
            demoted.replicaof("127.0.0.1", new)
        assert is_away(error_of(lambda: client.set("k", "lost")))
        client.set("k", "new")
    with connect(at(new), Path()) as direct:
        assert direct.get("k") == b"new"


async def test_passwords_of_sentinel_and_server_are_kept_apart(
    server: Starter, sentinel: Starter, short_tmp: Path
) -> None:
    master = server("--requirepass", "of-the-server")
    port = sentinel(master, "requirepass of-the-sentinel", "sentinel auth-pass hotline of-the-server")
    (short_tmp / "s").write_text("of-the-server")
    (short_tmp / "w").write_text("of-the-sentinel")
    url = f"redis+sentinel://127.0.0.1:{port}/hotline/0"
    config = RedisConfig(url=url, password_file=short_tmp / "s", sentinel_password_file=short_tmp / "w")
    with connect(config, Path()) as client:
        client.set("k", "v")
    named = RedisConfig(
        url=f"redis+sentinel://:of-the-server@127.0.0.1:{port}/hotline/0",
        sentinel_password_file=short_tmp / "w",
    )
    async with connect_async(named, Path()) as client_async:
        assert await client_async.get("k") == b"v"
    with connect(RedisConfig(url=url, password_file=short_tmp / "s"), Path()) as unknown_to_sentinel:
        assert is_away(error_of(lambda: unknown_to_sentinel.set("k", "v")))


async def test_a_closed_client_leaves_no_connection_to_the_sentinel(server: Starter, sentinel: Starter) -> None:
    """redis-py closes only those to the master."""
    port = sentinel(server())
    config = RedisConfig(url=f"redis+sentinel://127.0.0.1:{port}/hotline/0")
    client, client_async = connect(config, Path()), connect_async(config, Path())
    with connect(at(port), Path()) as asked:

        def strangers() -> int:
            return [c["cmd"] for c in asked.execute_command("CLIENT LIST")].count("sentinel|masters")

        client.ping()
        await client_async.ping()
        assert strangers() == 2
        client.close()
        await client_async.aclose()
        deadline = time.monotonic() + 5
        while strangers():
            assert time.monotonic() < deadline, "still connected"
            await asyncio.sleep(0.01)


def test_a_master_that_no_sentinel_knows_is_away(server: Starter, sentinel: Starter) -> None:
    url = f"redis+sentinel://127.0.0.1:{sentinel(server())}/other/0"
    with connect(RedisConfig(url=url), Path()) as client:
        assert is_away(error_of(client.ping))


# --- what a server is ---


async def test_the_embedded_server_says_what_it_is_and_leaves_no_doubt(valkey: ValkeyServer) -> None:
    facts = check_server(valkey.client())
    assert (facts.product, facts.role) == ("valkey", "master")
    assert facts.version.startswith("9.")
    assert len(facts.run_id) == 40
    assert (facts.appendonly, facts.appendfsync) == (True, "always")
    assert (facts.maxmemory, facts.maxmemory_policy) == (0, "noeviction")
    assert facts.doubts() == ()
    async with connect_async(valkey.config, valkey.directory) as client:
        assert await check_server_async(client) == facts


def test_a_server_that_may_lose_tickets_is_told_with_reasons(server: Starter) -> None:
    port = server("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
    with connect(at(port), Path()) as client:
        facts = check_server(client)
        assert facts.maxmemory == 50 << 20
        assert [doubt.split(":")[0] for doubt in facts.doubts()] == [
            "appendonly is off",
            "maxmemory-policy is allkeys-lru",
        ]
        client.config_set("appendonly", "yes")
        client.replicaof("127.0.0.1", free_port())
        assert [doubt.split(":")[0] for doubt in check_server(client).doubts()][:2] == [
            "this server is a replica",
            "appendfsync is everysec",
        ]


def test_the_run_id_changes_with_a_restart(own_valkey: ValkeyServer) -> None:
    with connect(own_valkey.config, own_valkey.directory) as client:
        before = check_server(client).run_id
        own_valkey.embedded.stop()
        own_valkey.embedded.start()
        assert check_server(client).run_id != before


def test_a_server_that_does_not_let_us_read_settings_tells_the_rest(server: Starter) -> None:
    port = server("--user", "default", "on", "nopass", "~*", "+@all", "-config")
    with connect(at(port), Path()) as client:
        assert error_code(error_of(lambda: client.config_get("appendfsync"))) == "NOPERM"
        facts = check_server(client)
    assert facts.appendfsync is None
    assert facts.maxmemory_policy == "noeviction"


async def test_a_cluster_is_refused_with_the_reason(server: Starter) -> None:
    port = server("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with (
        connect(at(port), Path()) as client,
        pytest.raises(UnfitServerError, match="Redis Cluster cannot") as caught,
    ):
        check_server(client)
    assert caught.value.code == "cluster"
    async with connect_async(at(port), Path()) as client_async:
        with pytest.raises(UnfitServerError):
            await check_server_async(client_async)


def test_a_sentinel_is_not_a_server(server: Starter, sentinel: Starter) -> None:
    with (
        connect(at(sentinel(server())), Path()) as client,
        pytest.raises(UnfitServerError, match=r"redis\+sentinel"),
    ):
        check_server(client)


@pytest.mark.parametrize(
    ("info", "fit"),
    [
        ({"redis_version": "6.2.14"}, False),
        ({"redis_version": "7.0.15"}, True),
        ({"redis_version": "10.1.0"}, True),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.9"}, False),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.0"}, True),
    ],
)
def test_servers_too_old_are_refused(info: dict[str, str], fit: bool) -> None:
    """Judged from what such servers answer to INFO: they cannot be had here."""
    with contextlib.nullcontext() if fit else pytest.raises(UnfitServerError, match="too old"):
        refuse_unfit(info)


# --- away, or our own fault ---


def test_nobody_there_is_away() -> None:
    with connect(at(free_port()), Path()) as client:
        error = error_of(client.ping)
    assert is_away(error)
    assert error_code(error) == ""


def test_a_server_that_does_not_answer_is_away(own_valkey: ValkeyServer) -> None:
    config = RedisConfig(url=f"{own_valkey.url}?socket_timeout=0.2")
    with connect(config, Path()) as client:
        client.ping()
        pid = own_valkey.embedded.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            error = error_of(client.ping)
        finally:
            os.kill(pid, signal.SIGCONT)
    assert isinstance(error, redis.TimeoutError)
    assert is_away(error)


def test_a_full_memory_is_away_also_inside_a_script_and_a_pipeline(own_valkey: ValkeyServer) -> None:
    client = own_valkey.client()
    client.config_set("maxmemory", 1)
    writing = "#!lua\nreturn redis.call('SET', KEYS[1], 1)"
    for command in (
        lambda: client.set("k", 1),
        lambda: client.eval(writing, 1, "k"),
        lambda: client.pipeline(transaction=False).set("k", 1).execute(),
        lambda: client.pipeline(transaction=True).set("k", 1).execute(),
    ):
        error = error_of(command)
        assert (error_code(error), is_away(error)) in {("OOM", True), ("EXECABORT", True)}


def test_replicas_and_servers_without_replicas_are_away(server: Starter) -> None:
    port = server()
    with connect(at(port), Path()) as client:
        client.config_set("min-replicas-to-write", 1)
        lonely = error_of(lambda: client.set("k", 1))
        client.config_set("min-replicas-to-write", 0)
        client.replicaof("127.0.0.1", free_port())
        demoted = error_of(lambda: client.set("k", 1))
        client.config_set("replica-serve-stale-data", "no")
        orphaned = error_of(lambda: client.get("k"))
    assert [error_code(e) for e in (lonely, demoted, orphaned)] == ["NOREPLICAS", "READONLY", "MASTERDOWN"]
    assert all(is_away(e) for e in (lonely, demoted, orphaned))


def test_a_server_that_cannot_save_is_away(server: Starter, short_tmp: Path) -> None:
    port = server("--save", "3600 1")
    (short_tmp / str(port)).rename(short_tmp / "gone")
    (short_tmp / "gone").rmdir()
    with connect(at(port), Path()) as client:
        client.set("k", 1)
        client.bgsave()
        deadline = time.monotonic() + 10
        while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        error = error_of(lambda: client.set("k", 2))
    assert error_code(error) == "MISCONF"
    assert is_away(error)


def test_missing_rights_are_away(server: Starter, short_tmp: Path) -> None:
    """An operator must mend the password; the tickets wait for it."""
    port = server("--requirepass", "s3cret")
    with connect(at(port), Path()) as client:
        stranger = error_of(lambda: client.set("k", 1))
    (short_tmp / "wrong").write_text("wrong")
    with connect(at(port, password_file=short_tmp / "wrong"), Path()) as client:
        mistaken = error_of(lambda: client.set("k", 1))
    readers = server("--user", "default", "on", "nopass", "~*", "+@all", "-@write")
    with connect(at(readers), Path()) as client:
        reader = error_of(lambda: client.set("k", 1))
    assert [error_code(e) for e in (stranger, mistaken, reader)] == ["NOAUTH", "WRONGPASS", "NOPERM"]
    assert all(is_away(e) for e in (stranger, mistaken, reader))


def test_a_server_busy_with_a_script_is_away(own_valkey: ValkeyServer) -> None:
    client, other = own_valkey.client(), own_valkey.client()
    client.config_set("busy-reply-threshold", 20)
    endless = threading.Thread(target=lambda: error_of(lambda: other.eval("while true do end", 0)))
    endless.start()
    try:
        deadline = time.monotonic() + 10
        error = None
        while error is None:
            assert time.monotonic() < deadline
            try:
                client.ping()
            except redis.ResponseError as busy:
                error = busy
    finally:
        client.script_kill()
        endless.join(timeout=10)
    assert error_code(error) == "BUSY"
    assert is_away(error)


def test_a_server_loading_its_data_is_away(own_valkey: ValkeyServer, short_tmp: Path) -> None:
    with own_valkey.client().pipeline(transaction=False) as pipe:
        for n in range(6000):
            pipe.set(f"k{n}", 1)
        pipe.execute()
    own_valkey.embedded.stop()
    slow = short_tmp / "slow"
    slow.write_text(f'#!/bin/sh\nexec "{server_binary()}" "$@" --key-load-delay 200\n')
    slow.chmod(0o755)
    loading = EmbeddedValkey(own_valkey.directory, binary=slow)
    starting = threading.Thread(target=loading.start)
    starting.start()
    seen: list[redis.RedisError] = []
    try:
        with connect(RedisConfig(), own_valkey.directory) as client:
            while starting.is_alive() and "LOADING" not in map(error_code, seen):
                try:
                    client.get("k1")
                except redis.RedisError as error:
                    seen.append(error)
            starting.join(timeout=10)
            assert client.get("k1") == b"1"
    finally:
        starting.join(timeout=10)
        loading.stop()
    assert "LOADING" in map(error_code, seen)
    assert all(is_away(error) for error in seen)


def test_only_a_key_of_the_wrong_type_would_fail_again_for_ever(valkey: ValkeyServer) -> None:
    client = valkey.client()
    client.set("k", 1)
    script = "#!lua\nreturn redis.call('XADD', KEYS[1], '*', 'a', 1)"
    told = "#!lua\nlocal r = redis.pcall('XADD', KEYS[1], '*', 'a', 1) return r.err"
    for command in (
        lambda: client.xadd("k", {"a": 1}),
        lambda: client.eval(script, 1, "k"),
        lambda: client.pipeline(transaction=False).xadd("k", {"a": "ERR caused error: OOM"}).execute(),
        lambda: client.pipeline(transaction=True).xadd("k", {"a": 1}).execute(),
    ):
        error = error_of(command)
        assert error_code(error) == "WRONGTYPE"
        assert not is_away(error)
    assert reply_code(client.eval(told, 1, "k")) == "WRONGTYPE"


def test_every_other_word_of_a_server_is_away(valkey: ValkeyServer) -> None:
    """A script flushed away, a mistake in a script, a word that nobody knows yet: keep and back off."""
    client = valkey.client()
    assert is_away(error_of(lambda: client.evalsha("0" * 40, 0)))
    assert error_code(error_of(lambda: client.evalsha("0" * 40, 0))) == "NOSCRIPT"
    assert is_away(error_of(lambda: client.eval("#!lua\nreturn nothing.at_all", 0)))
    assert is_away(redis.ResponseError("UNKILLABLE Sorry the script already executed write commands"))
    assert is_away(redis.ResponseError("NEWWORD of a later version"))


def test_our_own_mistakes_are_not_the_servers(valkey: ValkeyServer) -> None:
    client = valkey.client()
    assert not is_away(error_of(lambda: client.set("k", object())))  # type: ignore[arg-type]
    assert not is_away(ValueError("OOM"))
    assert not is_away(FileNotFoundError("blob"))
    assert error_code(ValueError("OOM x")) == ""
    with client.pipeline() as pipe:
        pipe.watch("k")
        valkey.client().set("k", 2)
        pipe.multi()
        pipe.set("k", 3)
        assert not is_away(error_of(pipe.execute))


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE"),
        ("-BUSY Redis is busy running a script", "BUSY"),
        ("READONLY", "READONLY"),
        ("exists", ""),
        ("", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_the_word_of_a_reply(reply: str | bytes, code: str) -> None:
    assert reply_code(reply) == code
