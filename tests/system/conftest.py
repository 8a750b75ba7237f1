"""`jiesu up` as its users run it: real processes, a real socket, a data directory of its own, kill -9 at will."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from workers.connect import RedisConfig, connect
from workers.valkey import EmbeddedValkey


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class Up:
    """One running `jiesu up`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.base = f"http://127.0.0.1:{(port := free_port())}"
        self._command = [
            sys.executable, "-m", "gateway", "up", "--data-dir", str(directory), "--http", f"127.0.0.1:{port}",
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self.directory.parent / "up.log", "ab") as log:
            # A worker killed in a job leaves its ticket to the schedule: ten seconds later, not two minutes.
            environment = os.environ | {"JIESU_WORKERS__LEASE": "10"}
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True, env=environment
            )
        wait_for(self.ready, 20, "readiness")

    def stop(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGINT)
        return process.wait(30)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def client(self) -> redis.Redis:
        return connect(RedisConfig(), self.directory)

    def post(self, body: dict, key: str | None = None) -> tuple[int, dict]:
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        request = urllib.request.Request(f"{self.base}/api/v1/requests", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())

    def pids(self) -> dict[str, int]:
        """Role -> pid of everything that can be killed, Valkey included."""
        assert self._process is not None
        found: dict[str, int] = {}
        parents = children()
        for pid, command in parents.get(self._process.pid, []):
            if "gateway.roles" in command:
                role = command[command.index("gateway.roles") + 2]
                found[role if role != "worker" else f"worker:{command[command.index(role) + 1]}"] = pid
        for pid, command in parents.get(found.get("gateway", -1), []):
            if "gateway.pump_child" in command:
                found["pump"] = pid
        if valkey := EmbeddedValkey(self.directory).pid:
            found["valkey"] = valkey
        return found

    def kill(self, role: str) -> bool:
        pid = self.pids().get(role)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def counts(self) -> dict[str, int]:
        from gateway import ledger, spool

        db = spool.connect(self.directory / "spool")
        try:
            return dict(ledger.counts(db))
        except sqlite3.OperationalError:
            return {"in_flight": -1}
        finally:
            db.close()

    def delivered(self) -> list[str]:
        """Ids of the events in the file destination, line by line."""
        path = self.directory / "delivered.jsonl"
        return [json.loads(line)["id"] for line in path.read_bytes().splitlines()] if path.exists() else []

    def settled(self) -> bool:
        """Everything is queued and delivered."""
        try:
            client = self.client()
            return self.counts()["in_flight"] == 0 and client.zcard("jiesu:due") == 0
        except redis.RedisError:
            return False


def children() -> dict[int, list[tuple[int, list[str]]]]:
    """Parent pid -> (pid, command line) of its children."""
    found: dict[int, list[tuple[int, list[str]]]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                command = os.fsdecode((entry / "cmdline").read_bytes()).split("\0")  # others may be named in any bytes
            except OSError:
                continue
            found.setdefault(int(stat[1]), []).append((int(entry.name), command))
    return found


@pytest.fixture
def up() -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="jt-", ignore_cleanup_errors=True) as folder:
        line = Up(Path(folder) / "data")
        line.start()
        try:
            yield line
        finally:
            line.stop()
