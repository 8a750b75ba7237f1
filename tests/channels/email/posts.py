"""What the tests of the mail servers share: a server with its host, a connection spoken by hand, a polled deadline."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from channels.email.smtp import Server
from channels.fake_host import FakeHost
from tests.waiting import HANGS

MAIL = b"From: ouyang@citizen.example\r\nSubject: lamp\r\n\r\nThe lamp is broken.\r\n"


def numbered(n: int) -> bytes:
    """Another mail for every n."""
    return MAIL.replace(b"lamp", b"lamp %d" % n)


class Wire:
    """One connection, spoken by hand: `say` sends lines and returns the reply to the last one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        """The next reply, all its lines; empty when the server has closed."""
        lines = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), HANGS)).decode()
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    async def say(self, line: str) -> str:
        await self.send(line.encode() + b"\r\n")
        return await self.reply()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def begin(self, sender: str = "a@citizen.example", to: str = "hotline@hotline.example") -> None:
        """Up to 354."""
        assert (await self.say(f"MAIL FROM:<{sender}>")).startswith("250")
        assert (await self.say(f"RCPT TO:<{to}>")).startswith("250")
        assert (await self.say("DATA")).startswith("354")

    async def ended(self) -> bool:
        """Whether the server closes the connection; with a reset if something of ours was on its way."""
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(self.reader.read(), HANGS)
        return True


async def until(holds: Callable[[], object]) -> None:
    """Polls until `holds()`; fails after the deadline."""
    deadline = asyncio.get_running_loop().time() + HANGS
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it never happened"
        await asyncio.sleep(0.005)


def _send(
    port: int, mail: bytes, *, to: str = "hotline@hotline.example", sender: str = "ouyang@citizen.example"
) -> tuple[int, bytes]:
    with smtplib.SMTP("127.0.0.1", port, timeout=HANGS) as client:
        client.ehlo("citizen.example")
        for code, text in (client.mail(sender), client.rcpt(to)):
            if code != 250:
                return code, text
        return client.data(mail)


class Post:
    """A running server and the host behind it."""

    def __init__(self, server: Server, host: FakeHost, task: asyncio.Task[None]) -> None:
        self.server, self.host, self.task = server, host, task

    @property
    def port(self) -> int:
        return int(self.server.addresses["smtp"].rpartition(":")[2])

    def bodies(self) -> list[bytes]:
        return [raw.body for raw in self.host.taken.values()]

    async def sent(self, mail: bytes, **how: Any) -> tuple[int, bytes]:
        """The final reply that a client of the standard library got."""
        return await asyncio.to_thread(_send, self.port, mail, **how)

    async def deserted(self) -> None:
        """Returns when no connection is left."""
        await until(lambda: not self.server._receiver.sessions)

    @asynccontextmanager
    async def wire(self, kind: str = "smtp", hello: str = "EHLO citizen.example") -> AsyncIterator[Wire]:
        address = self.server.addresses[kind]
        if kind == "lmtp_socket":
            reader, writer = await asyncio.open_unix_connection(address)
        else:
            host, _, port = address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
        wire = Wire(reader, writer)
        try:
            await wire.reply()
            if hello:
                assert (await wire.say(hello)).startswith("250")
            yield wire
        finally:
            writer.close()


Serving = Callable[..., Awaitable[Post]]
