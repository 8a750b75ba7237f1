"""Mails accepted per second over SMTP, 250 after the spool's fsync, as a ratio to a bare aiosmtpd sink on the same
event loop, loaded by the same client in the same run.

May not parse: what becomes of a mail after its 250 is measured where tickets are.
`python -m benchmarks.mail bare|ours PORT DIRECTORY` is one server, `… load PORT SIZE SECONDS` the client.
"""

from __future__ import annotations

import asyncio
import base64
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, Final, cast

import uvloop

from benchmarks.line import Process, free_port, wait_for

CONNECTIONS: Final = 20
SECONDS: Final = 3.0
ROUNDS: Final = 3
SMALL: Final = 1800
ATTACHMENT: Final = 100 * 1024


def figures() -> dict[str, float]:
    """Mails/s of both servers for both sizes, and the ratios: medians, ratios taken within a round."""
    rounds: list[dict[str, float]] = []
    for _ in range(ROUNDS):
        found: dict[str, float] = {}
        for name, size in (("1.8 KB", SMALL), ("100 KB attached", ATTACHMENT)):
            for kind in ("bare", "ours"):
                found[f"mails/s, {name}, {kind}"] = rate(kind, size)
            found[f"mails/s, {name}, ours / bare"] = found[f"mails/s, {name}, ours"] / found[f"mails/s, {name}, bare"]
        rounds.append(found)
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


def rate(kind: str, size: int) -> float:
    """Mails per second that one server takes."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="jiesu-bench-") as directory:
        server = Process(["-m", "benchmarks.mail", kind, str(port), directory])
        try:
            wait_for(lambda: _load(port, size, 0.1) is not None, "a mail server", 30)
            found = _load(port, size, SECONDS)
        finally:
            server.stop()
    if found is None:
        raise SystemExit("the mail server refused a mail")
    return found


def _load(port: int, size: int, seconds: float) -> float | None:
    """A process of its own sends; None: it could not."""
    words = [sys.executable, "-m", "benchmarks.mail", "load", str(port), str(size), str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120 + seconds, check=False)
    return float(done.stdout) if done.returncode == 0 else None


# The mails


def mail(size: int) -> tuple[bytes, bytes]:
    """A mail with a hole for its number: the part before, the part behind. `size` from 100 KB on: an attachment of
    that size, else the whole mail."""
    head = (
        b"From: citizen <a@citizen.example>\r\nTo: hotline@hotline.example\r\nSubject: =?utf-8?b?6Lev54Gv5Z2P5LqG?=\r\n"
        b"Date: Mon, 23 Nov 2026 09:30:00 +0800\r\nMIME-Version: 1.0\r\nMessage-ID: <"
    )
    if size < ATTACHMENT:
        behind = b'@citizen.example>\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\n'
        line = "小区北门的路灯坏了三天了，请派人修理。\r\n".encode()
        behind += line * ((size - len(head) - len(behind)) // len(line))
        return head, behind
    file = base64.encodebytes(random.Random(1).randbytes(size)).replace(b"\n", b"\r\n")
    behind = (
        b'@citizen.example>\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        b"Content-Type: text/plain\r\n\r\nSee the photo.\r\n--b\r\nContent-Type: image/jpeg; name=a.jpg\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + file + b"--b--\r\n"
    )
    return head, behind


class Client(asyncio.Protocol):
    """One connection that sends mail after mail, a command at a time: the sink announces no pipelining."""

    def __init__(self, number: int, parts: tuple[bytes, bytes], deadline: float, done: asyncio.Future[int]) -> None:
        self.accepted = 0
        self._number, self._parts, self._deadline, self._done = number, parts, deadline, done
        self._step = 0
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n" in self._received:
            line, _, self._received = self._received.partition(b"\r\n")
            if line[3:4] != b"-":
                self._answered(line[:3])

    def _answered(self, code: bytes) -> None:
        assert self._transport is not None
        expected, command = self._script(self._step)
        if code != expected:
            self.connection_lost(None)
            return
        if self._step == 5:
            self.accepted += 1
            self._step = 1
            if time.perf_counter() >= self._deadline:
                self._finish()
                return
            command = self._script(1)[1]
        self._transport.write(command)
        self._step += 1

    def _script(self, step: int) -> tuple[bytes, bytes]:
        """The reply that is awaited, and what is said to it."""
        head, behind = self._parts
        match step:
            case 0:
                return b"220", b"EHLO bench\r\n"
            case 1:
                return b"250", b"MAIL FROM:<a%d@citizen.example>\r\n" % self._number
            case 2:
                return b"250", b"RCPT TO:<hotline@hotline.example>\r\n"
            case 3:
                return b"250", b"DATA\r\n"
            case 4:
                return b"354", head + b"%d.%d" % (self._number, self.accepted) + behind + b".\r\n"
            case _:
                return b"250", b""

    def _finish(self) -> None:
        assert self._transport is not None
        if not self._done.done():
            self._done.set_result(self.accepted)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError("refused"))


async def _send(port: int, size: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    parts, started = mail(size), time.perf_counter()
    waiting: list[asyncio.Future[int]] = [loop.create_future() for _ in range(CONNECTIONS)]
    run = random.randrange(10**9)
    for number, done in enumerate(waiting):
        client = Client(run * 100 + number, parts, started + seconds, done)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    accepted = sum(await asyncio.gather(*waiting))
    return accepted / (time.perf_counter() - started)


# The servers


async def _bare(port: int) -> None:
    from aiosmtpd.handlers import Sink
    from aiosmtpd.smtp import SMTP

    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: SMTP(Sink(), hostname="bench", loop=loop), "127.0.0.1", port)
    await asyncio.Event().wait()


async def _ours(port: int, directory: Path) -> None:
    from channels.email.config import EmailConfig
    from channels.email.smtp import Server
    from gateway.intake import Intake, IntakeConfig, SpoolConfig
    from gateway.spool import Spool
    from gateway.writer import Writer
    from workers.blobs import Blobs

    spool = Spool(directory / "spool", "Asia/Shanghai")
    spool.remember(spool.db, "gateway", "00")
    writer = Writer(spool.db)
    intake = Intake(
        spool,
        writer,
        Blobs(directory / "blobs"),
        intake=IntakeConfig(),
        limits=SpoolConfig(),
        secret=b"a secret of the benchmark",
        public_url="http://bench.example",
        spooled=lambda: None,
    )
    intake.open = True
    writing = asyncio.create_task(writer.run())
    host: Any = intake  # a channel's host; nothing but accept is asked of it here
    await asyncio.gather(Server(EmailConfig(listen=f"127.0.0.1:{port}"), host).run(), writing)


def main(words: list[str]) -> None:
    """One server, or the client."""
    match words:
        case ["bare", port, _]:
            uvloop.run(_bare(int(port)))
        case ["ours", port, directory]:
            uvloop.run(_ours(int(port), Path(directory)))
        case ["load", port, size, seconds]:
            print(uvloop.run(_send(int(port), int(size), float(seconds))))
        case _:
            for name, value in figures().items():
                print(f"{name:45} {value:12.3f}")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
