"""A whole `jiesu up` in a directory of its own, and what can be read of it from outside: counters, memory, time used.

May not measure: __main__.py does.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import redis

from workers.connect import RedisConfig, connect


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 600) -> None:
    """Ask every 20 ms until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Process:
    """A server started with `arguments`, its port last; ended with SIGINT."""

    def __init__(self, arguments: list[str], environment: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            env=os.environ | (environment or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid

    def stop(self) -> None:
        """SIGINT, and wait."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)


class Line:
    """One running `jiesu up`."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.port = free_port()
        arguments = ["-m", "gateway", "up", "--data-dir", str(directory), "--http", f"127.0.0.1:{self.port}"]
        self._process = Process(arguments, {"JIESU_CHANNELS__EMAIL__LISTEN": "127.0.0.1:0"} | environment)
        wait_for(self._ready, "readiness", 30)
        self.redis: redis.Redis = connect(RedisConfig(), directory)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """Ctrl-C."""
        self.redis.close()
        self._process.stop()

    def queued(self) -> int:
        """Entries that ever stood on the queue."""
        try:
            return int(self.redis.xinfo_stream("jiesu:tickets")["entries-added"])
        except redis.ResponseError:
            return 0

    def delivered(self) -> int:
        """Tickets that left the schedule because their delivery is recorded."""
        return self.queued() - int(self.redis.zcard("jiesu:due"))

    def unqueued(self) -> int:
        """Rows of the spool that stand on no queue yet."""
        uri = f"file:{self.directory}/spool/spool.sqlite3?mode=ro"
        with sqlite3.connect(uri, uri=True) as db:
            (count,) = db.execute("SELECT count(*) FROM submission WHERE state = 'received'").fetchone()
        db.close()
        return int(count)

    def redis_bytes(self) -> int:
        """Memory of the store and the queue."""
        return int(self.redis.info("memory")["used_memory"])

    def processes(self) -> dict[str, int]:
        """Role -> pid, Valkey included."""
        found = {"up": self._process.pid, "valkey": int(self.redis.info("server")["process_id"])}
        for process in psutil.Process(self._process.pid).children(recursive=True):
            words = process.cmdline()
            if "gateway.roles" in words:
                role = words[words.index("gateway.roles") + 2 :]
                found[role[0] if role[0] != "worker" else f"worker {role[1]}"] = process.pid
            elif "gateway.pump_child" in words:
                found["pump"] = process.pid
        return found


def resident(pid: int) -> int:
    """Bytes of memory a process occupies (RSS)."""
    return int(psutil.Process(pid).memory_info().rss)


def used(pid: int) -> float:
    """Seconds of processor time a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
