"""The email channel keeps the contract of every channel."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from channels.email.channel import Email
from channels.fake_host import FakeHost
from channels.testing import ChannelContract, Outcome
from normalizer.ticket import Raw
from tests.ports import free_port
from tests.waiting import HANGS

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
NAME, ADDRESS = "欧阳测试", "ouyang.ceshi@citizen.example"


class TestEmail(ChannelContract):
    channel = Email
    config: ClassVar[dict[str, object]] = {"listen": f"127.0.0.1:{free_port()}"}
    private = (NAME, ADDRESS)
    corpus = Path(__file__).parents[2] / "corpus/email"

    def example(self, n: int) -> Raw:
        body = (
            f"From: {NAME} <{ADDRESS}>\r\nTo: hotline@hotline.example\r\nSubject: 路灯\r\n"
            f"Message-ID: <m{n}@citizen.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
            f"我叫{NAME}，五一北路 {n} 号门口的路灯坏了。\r\n"
        )
        return Raw(
            channel="email", source_id=f"m{n}", received_at=NOW, body=body.encode(), content_type="message/rfc822"
        )

    def bad_example(self) -> Raw | None:
        """None: over SMTP whatever is small enough and for us is taken; what is no mail is set aside with its code."""
        return None

    async def ready(self, host: FakeHost) -> None:
        async with asyncio.timeout(HANGS):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(*self._address())
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.01)

    async def send(self, host: FakeHost, raw: Raw) -> Outcome:
        code = await asyncio.to_thread(self._send, raw.body)
        assert code in (250, 451) or 500 <= code < 600, f"{code} is in no row of the outcome table"
        return {250: Outcome.ACCEPTED, 451: Outcome.TRY_AGAIN}.get(code, Outcome.REFUSED)

    def _send(self, body: bytes) -> int:
        with smtplib.SMTP(*self._address(), timeout=HANGS) as client:
            client.ehlo("citizen.example")
            client.mail(ADDRESS)
            client.rcpt("hotline@hotline.example")
            return client.data(body)[0]

    def _address(self) -> tuple[str, int]:
        host, _, port = str(self.config["listen"]).rpartition(":")
        return host, int(port)
