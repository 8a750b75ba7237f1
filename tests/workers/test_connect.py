"""Connections: real servers, a real Sentinel, a real Cluster node."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from pydantic import ValidationError

from tests.conftest import ValkeyServer
from tests.ports import free_port
from tests.waiting import HANGS, until
from tests.workers.servers import at, error_of, wait_for
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
    memory_share,
    refuse_unfit,
)
from workers.valkey import server_binary

Starter = Callable[..., int]


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
            thread.join(timeout=HANGS)


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
        await until(lambda: not strangers(), "no longer connected")


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


@pytest.mark.parametrize(
    ("info", "share"),
    [
        ({"used_memory": 70, "maxmemory": 100}, 0.7),
        ({"used_memory": 150, "maxmemory": 100}, 1.5),
        ({"used_memory": 70, "maxmemory": 0}, None),
        ({"used_memory": 70}, None),
    ],
)
def test_how_full_a_server_is_by_its_own_limit(info: dict[str, int], share: float | None) -> None:
    assert memory_share(info) == share


def test_a_real_server_says_how_full_it_is(server: Starter) -> None:
    with connect(at(server("--maxmemory", "1gb")), Path()) as client:
        share = memory_share(client.info("memory"))
    assert share is not None
    assert 0 < share < 1
