"""Every way in which Redis can be away, met with real servers; and what is our own fault instead."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.conftest import ValkeyServer
from tests.ports import free_port
from tests.waiting import HANGS, wait_until
from tests.workers.servers import at, error_of
from workers.connect import (
    RedisConfig,
    connect,
    connect_async,
    error_code,
    is_away,
    reply_code,
)
from workers.valkey import EmbeddedValkey, server_binary

Starter = Callable[..., int]


# --- away, or our own fault ---


def test_nobody_there_is_away() -> None:
    with connect(at(free_port()), Path()) as client:
        error = error_of(client.ping)
    assert is_away(error)
    assert error_code(error) == ""


def test_a_server_that_does_not_answer_is_away(own_valkey: ValkeyServer) -> None:
    config = RedisConfig(url=f"{own_valkey.url}?socket_timeout=1")
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


async def test_a_restarted_server_is_there_again_at_the_first_command(server: Starter) -> None:
    """Nothing is sent on connections that the old server closed: a citizen's page would say `busy` for each."""
    port = server()
    async with connect_async(at(port), Path()) as client:
        await asyncio.gather(*(client.ping() for _ in range(5)))
        with connect(at(port), Path()) as stopper:
            stopper.ping()
            await asyncio.to_thread(stopper.shutdown, nosave=True)
            await asyncio.to_thread(server, port=port)
            assert stopper.ping()
        for _ in range(5):
            assert await client.ping()


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
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] != "ok", "saving has failed")
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
        deadline = time.monotonic() + HANGS
        error = None
        while error is None:
            assert time.monotonic() < deadline
            try:
                client.ping()
            except redis.ResponseError as busy:
                error = busy
    finally:
        client.script_kill()
        endless.join(timeout=HANGS)
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
            starting.join(timeout=HANGS)
            assert client.get("k1") == b"1"
    finally:
        starting.join(timeout=HANGS)
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
