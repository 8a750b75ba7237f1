"""`jiesu up` as its users run it: real processes, a real socket, a data directory of its own, kill -9 at will."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
import redis

from tests.ports import free_port
from tests.waiting import HANGS, wait_until
from tests.workers.servers import Starter, server
from workers.connect import RedisConfig, connect
from workers.valkey import EmbeddedValkey

__all__ = ["server"]
Sender = Callable[..., Awaitable[dict]]
ENVIRONMENT = {
    # A worker killed in a job leaves its ticket to the schedule: ten seconds later, not two minutes.
    "JIESU_WORKERS__LEASE": "10",
    "JIESU_CHANNELS__EMAIL__LISTEN": "127.0.0.1:0",
    # Tests run beside each other: whoever is nicer than they are may hardly run at all.
    "JIESU_PUMP__NICE": "0",
    "JIESU_WORKERS__NICE": "0",
}
"""Settings of every line and role."""


def submit_form(url: str, fields: dict[str, str]) -> tuple[int, str]:
    """Status and page."""
    try:
        with urllib.request.urlopen(url, urllib.parse.urlencode(fields).encode(), timeout=HANGS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def whole_lines(path: Path) -> list[bytes]:
    """Of a file that is being written: the last line may still be coming."""
    return path.read_bytes().rpartition(b"\n")[0].splitlines()


class Up:
    """One running `jiesu up`; with JIESU_REDIS__URL in `environment` it attaches to that server and owns none."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.environment = ENVIRONMENT | environment
        self.base = f"http://127.0.0.1:{(port := free_port())}"
        self._command = [
            sys.executable, "-m", "gateway", "up", "--data-dir", str(directory), "--http", f"127.0.0.1:{port}",
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self.directory.parent / "up.log", "ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True, env=os.environ | self.environment
            )
        try:
            wait_until(self.ready, "readiness")
        except AssertionError as error:
            error.add_note((self.directory.parent / "up.log").read_text(errors="replace")[-4000:])
            raise

    def stop(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGINT)
        return process.wait(HANGS)

    def crash(self) -> None:
        """kill -9 of the parent and the gateway; the others end by themselves, Valkey stays."""
        process, gateway = self._process, self.pids().get("gateway")
        assert process is not None
        self._process = None
        process.kill()
        process.wait()
        if gateway:
            with contextlib.suppress(ProcessLookupError):  # it may have seen its parent go
                os.kill(gateway, signal.SIGKILL)

    def jiesu(self, *words: str) -> subprocess.CompletedProcess[str]:
        """An operator's command about this data directory."""
        command = [sys.executable, "-m", "gateway", *words, "--data-dir", str(self.directory)]
        return subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, timeout=HANGS, check=False
        )

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def client(self) -> redis.Redis:
        return connect(RedisConfig(url=self.environment.get("JIESU_REDIS__URL")), self.directory)

    def post(self, body: dict, key: str | None = None, path: str = "/api/v1/requests") -> tuple[int, dict]:
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=HANGS) as answer:
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
        from gateway import ledger, spool_file

        db = spool_file.connect(self.directory / "spool")
        try:
            return dict(ledger.counts(db))
        except sqlite3.OperationalError:
            return {"in_flight": -1}
        finally:
            db.close()

    def delivered(self) -> list[str]:
        """Ids of the events in the file destination, line by line."""
        path = self.directory / "delivered.jsonl"
        return [json.loads(line)["id"] for line in whole_lines(path)] if path.exists() else []

    def tickets(self) -> dict[str, dict]:
        """Every current ticket by its id, as `jiesu tickets list` prints them."""
        command = [sys.executable, "-m", "gateway", "tickets", "list", "--json", "--data-dir", str(self.directory)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
        assert answer.returncode == 0, answer.stderr
        return {(ticket := json.loads(line))["ticket_id"]: ticket for line in answer.stdout.splitlines()}

    def progress(self, number: str, **fields: str) -> tuple[int, str]:
        """Status and page, as the form of /t/{number} asks for it."""
        return submit_form(f"{self.base}/t/{number}", fields)

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


@contextlib.contextmanager
def _running(environment: dict[str, str]) -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="jt-", ignore_cleanup_errors=True) as folder:
        line = Up(Path(folder) / "data", **environment)
        try:
            line.start()
            yield line
        finally:
            line.stop()


@pytest.fixture
def send_until_received() -> Sender:
    """As a careful client would: the same key (if any) and content until a receipt comes, for two minutes."""

    async def send(session: aiohttp.ClientSession, url: str, body: dict, key: str | None = None) -> dict:
        deadline = time.monotonic() + 2 * HANGS
        headers = {"Idempotency-Key": key} if key else {}
        while time.monotonic() < deadline:
            try:
                async with session.post(url, json=body, headers=headers) as answer:
                    if answer.status in (200, 201):
                        return await answer.json()
                    assert answer.status == 503, await answer.text()
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)
        raise AssertionError(f"no receipt within two minutes from {url}")

    return send


class Role:
    """One running `jiesu gateway` or `jiesu work` of a site with several hosts."""

    def __init__(self, name: str, home: Path, environment: dict[str, str], *options: str) -> None:
        self.name = name
        self.directory = home / name
        self.log = home / f"{name}.log"
        self._command = [sys.executable, "-m", "gateway", *options, "--data-dir", str(self.directory)]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True, env=os.environ | self._environment
            )

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def tell_process(self, sign: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(sign)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(HANGS)

    def events(self) -> list[dict]:
        """What it logged so far."""
        return [json.loads(line) for line in whole_lines(self.log) if line.startswith(b"{")]

    def tell(self, *words: str) -> str:
        """An operator's command about this one's data; what it printed."""
        command = [sys.executable, "-m", "gateway", *words, "--data-dir", str(self.directory)]
        answer = subprocess.run(
            command, env=os.environ | self._environment, capture_output=True, text=True, timeout=HANGS
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def ask(self, *words: str) -> list[dict]:
        """The same with --json, read."""
        return [json.loads(line) for line in self.tell(*words, "--json").splitlines()]


class Gateway(Role):
    """A gateway of its own address and its own spool."""

    def __init__(self, name: str, home: Path, environment: dict[str, str]) -> None:
        address = f"127.0.0.1:{free_port()}"
        super().__init__(name, home, environment, "gateway", "--http", address)
        self.base = f"http://{address}"
        self.requests = f"{self.base}/api/v1/requests"

    def get(self, path: str, token: str = "") -> bytes:
        request = urllib.request.Request(
            self.base + path, headers={"Authorization": f"Bearer {token}"} if token else {}
        )
        with urllib.request.urlopen(request, timeout=HANGS) as answer:
            return answer.read()

    def ready(self) -> bool:
        try:
            return bool(self.get("/readyz"))
        except OSError:
            return False

    def progress(self, number: str, **fields: str) -> tuple[int, str]:
        """Status and page, as the form of /t/{number} asks for it."""
        return submit_form(f"{self.base}/t/{number}", fields)

    def counts(self) -> dict[str, int]:
        """Submissions by state, and `received`."""
        return self.ask("spool", "status")[0]


class Site:
    """Two gateways that share the site's secret and one Redis, and one host that delivers."""

    def __init__(self, home: Path, start_server: Starter, **settings: str) -> None:
        self._start_server = start_server
        self._port = free_port()
        self.start_redis()
        (home / "secret").write_bytes(os.urandom(32))
        environment = {
            "JIESU_REDIS__URL": f"redis://127.0.0.1:{self._port}/0",
            "JIESU_SITE__SECRET_FILE": str(home / "secret"),
            "JIESU_AUTH__TOKENS_FILE": str(home / "tokens"),
            "JIESU_LOG__FORMAT": "json",
        }
        environment |= ENVIRONMENT | settings
        self.gateways = (Gateway("east", home, environment), Gateway("west", home, environment))
        self.work = Role("work", home, environment, "work")
        self.roles = (*self.gateways, self.work)

    def start_redis(self) -> None:
        self._start_server("--appendonly", "yes", "--appendfsync", "always", port=self._port)
        self.redis = connect(RedisConfig(url=f"redis://127.0.0.1:{self._port}/0"), Path())

    def stop_redis(self) -> None:
        with self.redis as client:
            client.shutdown(nosave=True)

    def ready(self) -> bool:
        return all(gateway.ready() for gateway in self.gateways)

    def wait_until_settled(self) -> None:
        """Every row of both gateways reached its end, and everything is delivered."""
        wait_until(lambda: all(g.counts()["in_flight"] == 0 for g in self.gateways), "rows ended")
        wait_until(lambda: self.redis.zcard("jiesu:due") == 0, "everything delivered")

    def delivered(self) -> list[str]:
        """Ids of the events in the file destination, line by line."""
        return [json.loads(line)["id"] for line in whole_lines(self.work.directory / "delivered.jsonl")]


@pytest.fixture
def site(short_tmp: Path, server: Starter, environment: dict[str, str]) -> Iterator[Site]:
    site = Site(short_tmp, server, **environment)
    for role in site.roles:
        role.start()
    try:
        wait_until(site.ready, "both gateways ready")
        yield site
    finally:
        for role in site.roles:
            role.stop()
            print(f"--- {role.name}\n{role.log.read_text(errors='replace')}")  # shown when the test failed
        site.redis.close()


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Settings of `up`, `steady` and `site`; a module that needs others has a fixture of this name."""
    return {}


@pytest.fixture
def up(environment: dict[str, str]) -> Iterator[Up]:
    """A line of the test's own, to be killed and restarted."""
    with _running(environment) as line:
        yield line


@pytest.fixture(scope="module")
def steady(environment: dict[str, str]) -> Iterator[Up]:
    """One line for the tests of a module, none of which disturbs it."""
    with _running(environment) as line:
        yield line


@pytest.fixture
def make_up(short_tmp: Path) -> Iterator[Callable[..., Up]]:
    """Lines not yet started, each in a folder of its own (or the one given), with settings from the environment."""
    lines: list[Up] = []

    def make(directory: Path | None = None, **environment: str) -> Up:
        lines.append(Up(directory or short_tmp / f"line-{len(lines)}" / "data", **environment))
        lines[-1].directory.parent.mkdir(parents=True, exist_ok=True)
        return lines[-1]

    yield make
    for line in lines:
        line.stop()
