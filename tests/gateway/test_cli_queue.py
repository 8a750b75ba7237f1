"""The commands that look at the queue and at what was given up, as an operator types them, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from normalizer import identity, normalize
from normalizer.ticket import Inbound, Raw
from tests.gateway.conftest import RECEIVED
from tests.ports import free_port
from tests.waiting import HANGS, wait_until
from tests.workers.servers import Starter, server
from workers import keys
from workers.connect import connect_async
from workers.dead import Dead, DeadEntry
from workers.queue import TicketQueue, item

__all__ = ["server"]
pytestmark = pytest.mark.usefixtures("clean_env")


@pytest.fixture
def config(valkey: Any, tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(f"redis:\n  url: {valkey.url}\n", "utf-8")
    return file


def jiesu(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(config)])


def enqueue(valkey: Any, source_id: str, sequence: int, text: str) -> str:
    """One submission by way of the pump's own pieces; returns the ticket's id."""
    raw = Raw(channel="web", source_id=source_id, received_at=RECEIVED, body=text.encode())
    said = Inbound(text=text, digest=identity.content_digest(raw.body))
    ticket = normalize(raw, said, number=identity.number(RECEIVED.date(), 0, sequence))
    TicketQueue(valkey.client(), grace=120).enqueue([item(ticket, said, code="ABCD2345", domain="hotline.example")])
    return str(ticket.ticket_id)


@contextlib.contextmanager
def following(config: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "gateway", "tickets", "follow", "--config", str(config), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], HANGS)
    assert ready, f"nothing was printed within {HANGS:.0f} s"
    return process.stdout.readline()


def test_follow_prints_each_event_as_it_comes_and_ends_quietly_with_ctrl_c(valkey: Any, config: Path) -> None:
    first = enqueue(valkey, "one", 1, "路灯坏了")
    with following(config, "--json", "--from-start") as process:
        assert json.loads(next_line(process))["id"] == f"{first}.accepted"
        second = enqueue(valkey, "two", 2, "井盖丢了")
        event = json.loads(next_line(process))
        assert (event["id"], event["data"]["text"]) == (f"{second}.accepted", "井盖丢了")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=HANGS)
        assert (process.returncode, out, err) == (0, b"", b"")


def test_follow_begins_with_what_comes_next(valkey: Any, config: Path) -> None:
    enqueue(valkey, "old", 1, "旧的")
    with following(config) as process:
        client = valkey.client()
        wait_until(lambda: any(one["cmd"] == "xread" for one in client.client_list()), "it waits for the stream")
        enqueue(valkey, "new", 2, "新的")
        assert "新的" in next_line(process).decode()


def bury(valkey: Any, *entries: DeadEntry) -> None:
    async def all_of_them() -> None:
        async with connect_async(valkey.config, valkey.directory) as client:
            for entry in entries:
                await Dead(client).bury(entry)

    asyncio.run(all_of_them())


def dead(id: str, ticket_id: str, at: str, *, kind: str = "delivery") -> DeadEntry:
    return DeadEntry(
        id=id, kind=kind, ticket_id=ticket_id, number="2026011500000013", destination="unit", event_id="e",
        reason="refused", attempts=10, at=at,
    )  # fmt: skip


def test_dead_deliveries_are_listed_shown_and_tried_again(valkey: Any, config: Path) -> None:
    client = valkey.client()
    ticket_id = enqueue(valkey, "one", 1, "路灯坏了")
    client.zrem(keys.DUE, ticket_id)
    client.hset(keys.ticket(ticket_id), mapping={"dead:unit": "refused", "tries:unit": 10})
    client.set("jiesu:disabled:unit", "status_410")
    later = dead("b", "t2", "2026-01-15T02:00:00Z", kind="entry")
    bury(valkey, later, dead("a", ticket_id, "2026-01-15T01:00:00Z"))

    listed = jiesu(config, "dead", "list", "--json")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == ["a", "b"]
    assert "refused" in jiesu(config, "dead", "list").stdout
    assert json.loads(jiesu(config, "dead", "show", "a").stdout)["ticket_id"] == ticket_id
    assert jiesu(config, "dead", "show", "c").exit_code == 1

    assert jiesu(config, "dead", "replay").exit_code == 2, "what to replay must be said"
    partly = jiesu(config, "dead", "replay", "a", "c")
    assert (partly.exit_code, partly.stdout, partly.stderr) == (1, "1 replayed\n", "no such entry: c\n")
    assert client.zscore(keys.DUE, ticket_id) is not None, "due now"
    assert not client.hexists(keys.ticket(ticket_id), "dead:unit")
    assert not client.hexists(keys.ticket(ticket_id), "tries:unit")
    assert not client.exists("jiesu:disabled:unit"), "the operator says that it may be called again"

    assert jiesu(config, "dead", "replay", "--all").stdout == "1 replayed\n"
    assert jiesu(config, "dead", "list", "--json").stdout == ""
    assert client.zscore(keys.DUE, "t2") is None, "an entry of the stream is only struck off"


def test_tickets_are_listed_whole_and_shown_by_number(valkey: Any, config: Path) -> None:
    ticket_id = enqueue(valkey, "one", 1, "路灯坏了")
    (listed,) = map(json.loads, jiesu(config, "tickets", "list", "--json").stdout.splitlines())
    assert (listed["ticket_id"], listed["text"]) == (ticket_id, "路灯坏了")
    shown = json.loads(jiesu(config, "tickets", "show", listed["number"], "--json").stdout)
    assert shown["ticket_id"] == ticket_id
    assert jiesu(config, "tickets", "show", "2026011500000099").exit_code == 1


def test_doctor_warns_before_redis_is_full(own_valkey: Any, tmp_path: Path) -> None:
    """Nothing is ever evicted: at the limit Redis refuses writes, so an operator must hear of it at 70 %."""
    file = tmp_path / "config.yaml"
    file.write_text(f"redis:\n  url: {own_valkey.url}\nhttp:\n  listen: 127.0.0.1:0\n", "utf-8")
    client = own_valkey.client()

    def memory(*, limit: float) -> list[bool]:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * limit))
        result = jiesu(file, "doctor", "--json", "--data-dir", str(tmp_path / "data"))
        found = [json.loads(line) for line in result.stdout.splitlines()]
        return [one["ok"] for one in found if one["check"] == "memory"]

    assert memory(limit=10) == [True]
    assert memory(limit=1.2) == [False]
    assert memory(limit=0) == [], "no limit of its own"


@pytest.mark.parametrize("command", ["up", "gateway", "work"])
def test_a_cluster_is_refused_at_start_with_the_reason(server: Starter, tmp_path: Path, command: str) -> None:
    port = server("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    file = tmp_path / "config.yaml"
    file.write_text(f"redis:\n  url: redis://127.0.0.1:{port}/0\nhttp:\n  listen: 127.0.0.1:0\n", "utf-8")
    words = [sys.executable, "-m", "gateway", command, "--config", str(file), "--data-dir", str(tmp_path / "data")]
    answer = subprocess.run(words, capture_output=True, text=True, timeout=HANGS)
    assert answer.returncode == 69
    assert answer.stderr.startswith("Redis Cluster cannot hold the queue")
