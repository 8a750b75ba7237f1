"""The load: 20 connections that send mail after mail over plain sockets, as cheaply as can be: it shares the processor.

May not know whom it loads. `python -m benchmarks.mail_load PORT SIZE SECONDS COUNT` prints mails per second.
"""

from __future__ import annotations

import asyncio
import base64
import random
import subprocess
import sys
import time
from typing import Final, cast

import uvloop

CONNECTIONS: Final = 20
ENDLESS: Final = 1 << 40
ATTACHMENT: Final = 100 * 1024


def load(port: int, size: int, seconds: float, count: int = ENDLESS) -> float | None:
    """Mails per second that were answered 250, sent by a process of its own for `seconds` or until there were `count`
    (rounded up to whole rounds of the connections). None: one was not."""
    words = [sys.executable, "-m", "benchmarks.mail_load", str(port), str(size), str(seconds), str(count)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120 + seconds, check=False)
    return float(done.stdout) if done.returncode == 0 else None


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

    def __init__(self, number: int, parts: tuple[bytes, bytes], deadline: float, most: int) -> None:
        self.accepted = 0
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._number, self._parts, self._deadline, self._most = number, parts, deadline, most
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
            if self.accepted >= self._most or time.perf_counter() >= self._deadline:
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
        if not self.done.done():
            self.done.set_result(self.accepted)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("refused"))


async def _send(port: int, size: int, seconds: float, count: int) -> float:
    parts, started = mail(size), time.perf_counter()
    run = random.randrange(10**9) * 100
    connections = min(CONNECTIONS, count)
    most = -(-count // connections)
    clients = [Client(run + number, parts, started + seconds, most) for number in range(connections)]
    for client in clients:
        await asyncio.get_running_loop().create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    accepted = sum(await asyncio.gather(*(client.done for client in clients)))
    return accepted / (time.perf_counter() - started)


if __name__ == "__main__":
    port, size, seconds, count = sys.argv[1:]
    print(uvloop.run(_send(int(port), int(size), float(seconds), int(count))))
