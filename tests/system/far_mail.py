"""The mail server that takes what a running line sends, and keeps it: the citizens' mailboxes."""

from __future__ import annotations

import asyncio
import email
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.ports import free_port
from tests.waiting import HANGS

RELAY = "JIESU_CHANNELS__EMAIL__RELAY"


@dataclass(frozen=True)
class Letter:
    """As it came: `sender` is empty for the null sender."""

    sender: str
    recipient: str
    message: EmailMessage

    def __getitem__(self, field: str) -> str:
        return str(self.message[field])

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())


class _Controller(Controller):
    """One that hangs up when it stops: a connection left open would be found, and blamed on a later test."""

    def __init__(self, handler: FarMail, **options: Any) -> None:
        super().__init__(handler, **options)
        self._sessions: list[SMTP] = []

    def factory(self) -> SMTP:
        session = cast(SMTP, cast(Any, super()).factory())
        self._sessions.append(session)
        return session

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(HANGS)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()
        await asyncio.sleep(0)  # the loop then tells the transports that they are closed


class FarMail:
    """At `address`, from `served` on."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.takes: int | None = None  # bytes of a letter at most
        self._letters: list[Letter] = []
        self._lock = threading.Lock()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = cast(bytes, envelope.content)
        if self.takes is not None and len(content) > self.takes:
            return "552 5.3.4 Too big"
        message = cast(EmailMessage, email.message_from_bytes(content, policy=cast(Any, default)))
        with self._lock:
            sender = (envelope.mail_from or "").strip("<>")
            self._letters += [Letter(sender, to, message) for to in envelope.rcpt_tos]
        return "250 2.0.0 Ok"

    def letters(self, recipient: str | None = None) -> list[Letter]:
        """What came, for one address or for all."""
        with self._lock:
            return [letter for letter in self._letters if recipient in (None, letter.recipient)]

    @contextmanager
    def served(self) -> Iterator[FarMail]:
        host, _, port = self.address.rpartition(":")
        controller = _Controller(self, hostname=host, port=int(port), ready_timeout=HANGS)
        controller.start()
        try:
            yield self
        finally:
            controller.stop()
