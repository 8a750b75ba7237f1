"""SMTP and LMTP on the wire: aiosmtpd's protocol, hardened where its defaults lose mail, memory or privacy.

May not know what becomes of a mail: the desk (`smtp.Desk`) decides, this module says so in the protocol's words.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import Mapping
from typing import Final, Protocol

from aiosmtpd.smtp import SMTP, Envelope, syntax

from channels.email.config import EmailConfig

logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
"""aiosmtpd writes every line it reads there: addresses and texts of citizens."""

BUFFER: Final = 64 * 1024
"""Bytes after twice of which a client is not read from until we come to it."""
ALL: Final = 1 << 30
"""More than that buffer can hold: read(ALL) empties it."""
END: Final = b"\r\n.\r\n"
COMMAND_MAX: Final = 2048
"""Bytes of a command line. RFC 5321 4.5.3.1.4 asks for 512; rewritten senders (SRS, VERP) are longer."""
ERRORS_MAX: Final = 20
"""Refusals after which a connection is closed: somebody is guessing addresses (as Postfix does)."""
COMMANDS_MAX: Final = {"*": 10_000, "NOOP": 100, "HELP": 20, "VRFY": 20, "STARTTLS": 5}

FAILED: Final = "451 4.3.0 We failed. Please send the same mail again later."
TOO_LARGE: Final = "552 5.3.4 The mail is larger than what is accepted."
BUSY: Final = "452 4.3.1 Too many large mails at once. Please send the same mail again later."
CLOSING: Final = "421 4.3.2 Closing. Please try again."
TOO_MANY: Final = "421 4.7.0 Too many connections. Please try again later."
TOO_MANY_ERRORS: Final = "421 4.7.0 Too many errors."

_ENHANCED: Final[Mapping[str, str]] = {
    "221": "2.0.0",
    "250": "2.0.0",
    "252": "2.5.0",
    "454": "4.7.0",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "504": "5.5.4",
    "552": "5.3.4",
    "553": "5.1.3",
    "554": "5.7.0",
    "555": "5.5.4",
}
"""RFC 3463 codes for answers that aiosmtpd gives without one; RFC 2033 makes them a must for LMTP."""
_CODED: Final = re.compile(r"\d{3}[ -][245]\.\d{1,3}\.\d{1,3} ")
_TEXT: Final = r'[^"<>\x00-\x20\x7f]'
_PATH: Final = re.compile(
    rf'<(?:@[^:<>\x00-\x20]*:)?(?P<inside>(?:"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*"|{_TEXT})*)>(?P<rest>(?:[ \t].*)?)'
    rf"|(?P<bare>{_TEXT}+)(?P<more>(?:[ \t].*)?)"
)
"""RFC 5321 4.1.2, without the source route (which is to be ignored); lenient in what a local part may hold."""


class _CommandSizes(dict[str, int]):
    """The same limit for every command. aiosmtpd's own table is shared by all connections and grows."""

    def __missing__(self, _command: str) -> int:
        return COMMAND_MAX


class Room:
    """The bytes that mails being received may hold together."""

    def __init__(self, size: int) -> None:
        self._free = size

    def take(self, size: int) -> bool:
        """Whether there is room; if so it is taken."""
        if size > self._free:
            return False
        self._free -= size
        return True

    def give(self, size: int) -> None:
        """What was taken is free again."""
        self._free += size


class MailData:
    """The text of one mail as it arrives. It ends with CRLF . CRLF and nothing else: whoever also ends at a bare LF
    can be told a second mail inside the first (SMTP smuggling, RFC 5321 2.3.8 and 4.1.1.4)."""

    def __init__(self, limit: int, room: Room) -> None:
        self.refusal: str | None = None
        self._limit = limit
        self._room = room
        self._kept = bytearray()  # not a list: pieces of one byte would cost fifty times their size
        self._tail = b"\r\n"  # the end of the command line: a mail of no lines ends at once
        self._size = -len(self._tail)
        self._taken = 0

    def feed(self, chunk: bytes) -> bytes | None:
        """Add what arrived. None: the end is not there yet; else what came behind the end."""
        window = self._tail + chunk
        at = window.find(END)
        if at < 0:
            keep = max(0, len(window) - len(END) + 1)
            self._add(window[:keep])
            self._tail = window[keep:]
            return None
        self._add(window[: at + 2])
        self._tail = b""
        return window[at + len(END) :]

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self.refusal is not None:
            return
        if self._size > self._limit:
            self._refuse(TOO_LARGE)
        elif not self._room.take(len(piece)):
            self._refuse(BUSY)
        else:
            self._taken += len(piece)
            self._kept += piece

    def _refuse(self, status: str) -> None:
        """The rest is read and dropped: an answer may only follow the end (RFC 5321 4.2.5)."""
        self.refusal = status
        self.drop()

    def content(self) -> bytes:
        """The mail, its dots unstuffed (RFC 5321 4.5.2); every other byte as it came."""
        whole = bytes(self._kept)
        self._kept = bytearray()
        return whole.replace(b"\r\n.", b"\r\n")[2:]

    def drop(self) -> None:
        """Free the room it took."""
        self._kept = bytearray()
        self._room.give(self._taken)
        self._taken = 0


class Desk(Protocol):
    """Who decides. The hooks named `handle_…` are aiosmtpd's; their answers are SMTP replies."""

    room: Room

    def admit(self, session: Session) -> bool:
        """A connection was made: may it stay?"""

    def leave(self, session: Session) -> None:
        """It has ended."""

    async def receive(self, session: Session, envelope: Envelope) -> str:
        """The mail is complete: the reply, 250 only when it is on disk."""

    async def handle_exception(self, error: Exception) -> str:
        """Something of ours broke: the reply."""


class Session(SMTP):
    """One SMTP connection. `task` runs it; `client` is what limits count it under, None: without limits."""

    line_length_limit = BUFFER
    command_size_limit = COMMAND_MAX
    command_size_limits = _CommandSizes()
    protocol = "SMTP"
    ident = "ESMTP Jiesu"

    def __init__(self, desk: Desk, config: EmailConfig, tls: ssl.SSLContext | None) -> None:
        super().__init__(
            desk,
            data_size_limit=config.max_bytes,
            enable_SMTPUTF8=True,
            hostname=config.domain,
            ident=self.ident,
            tls_context=tls,
            timeout=config.idle_timeout,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            command_call_limit=COMMANDS_MAX,
            loop=asyncio.get_running_loop(),
        )
        self.desk = desk
        self.task: asyncio.Task[None] | None = None
        self.client: str | None = None
        self._config = config
        self._deciding = False
        self._closing = False
        self._errors = 0

    # The connection

    async def _handle_client(self) -> None:
        """The library's loop; a client that has gone is no error of ours."""
        self.task = asyncio.current_task()
        with contextlib.suppress(ConnectionError):
            try:
                if self.desk.admit(self):
                    await super()._handle_client()
                else:
                    await self._say(TOO_MANY)
            finally:
                self.desk.leave(self)
                if self.transport is not None:
                    self.transport.close()

    def eof_received(self) -> bool:
        """The client has gone: the transport closes too (the library leaves it half open)."""
        super().eof_received()
        return False

    def close(self) -> None:
        """Say that we are closing, as soon as the answer to a complete mail has gone out."""
        self._closing = True
        if not self._deciding and self.transport is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self.transport.write(f"{CLOSING}\r\n".encode())  # type: ignore[attr-defined]
            self.transport.close()

    def abort(self) -> None:
        """End it now."""
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]
        if self.task is not None:
            self.task.cancel()

    async def push(self, status: str | bytes) -> None:
        """Send one reply, with its enhanced code (RFC 2034)."""
        text = status.decode("utf-8", "replace") if isinstance(status, bytes) else status
        if not _CODED.match(text) and (code := _ENHANCED.get(text[:3])) is not None:
            text = f"{text[:4]}{code} {text[4:]}"
        await self._say(text)
        if text[0] == "5":
            self._errors += 1
            if self._errors >= ERRORS_MAX:
                await self._say(TOO_MANY_ERRORS)
                self._end()

    async def _say(self, text: str) -> None:
        self._writer.write(text.encode("utf-8", "replace") + b"\r\n")
        await self._writer.drain()

    def _end(self) -> None:
        if self.transport is not None:
            self.transport.close()

    # Commands

    @syntax("EHLO hostname")
    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 (the library finds commands by these names)
        """The extensions: what RFC 5321, 1870, 6152, 6531, 2920, 2034 and 3207 name so. No AUTH."""
        if not hostname:
            await self.push("501 Syntax: EHLO hostname")
            return
        self._greeted(hostname)
        self.session.extended_smtp = True  # type: ignore[union-attr]
        words = [self.hostname, "PIPELINING", f"SIZE {self._config.max_bytes}", "8BITMIME", "SMTPUTF8"]
        if self.tls_context and not self._tls_protocol:
            words.append("STARTTLS")
        await self._say("\r\n".join([*(f"250-{word}" for word in words), "250 ENHANCEDSTATUSCODES"]))

    @syntax("HELO hostname")
    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802
        """The old greeting: no extensions."""
        if not hostname:
            await self.push("501 Syntax: HELO hostname")
            return
        self._greeted(hostname)
        self.session.extended_smtp = False  # type: ignore[union-attr]
        await self._say(f"250 {self.hostname}")

    def _greeted(self, hostname: str) -> None:
        self.envelope = self._create_envelope()
        assert self.session is not None
        self.session.host_name = hostname

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        """Nobody logs in here."""
        await self.push("502 AUTH not implemented")

    @syntax("VRFY <address>")
    async def smtp_VRFY(self, arg: str) -> None:  # noqa: N802
        """Tells nothing (RFC 5321 7.3), and repeats nothing."""
        await self.push("252 Cannot verify, but will take a mail" if arg else "501 Syntax: VRFY <address>")

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Read the mail to its end, let the desk decide, reply. aiosmtpd's own reads line by line, refuses long
        lines, and keeps an object for every line."""
        if await self.check_helo_needed():
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        if arg:
            await self.push("501 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        data = MailData(self._config.max_bytes, self.desk.room)
        try:
            await self._read(data)
            status = data.refusal or await self._decided(self.envelope, data)
        finally:
            data.drop()
        recipients = len(self.envelope.rcpt_tos)
        self.envelope = self._create_envelope()
        await self._reply(status, recipients)
        if self._closing:
            await self._say(CLOSING)
            self._end()

    async def _read(self, data: MailData) -> None:
        """Raises ConnectionError when it cannot be read to its end: what follows must not be taken for commands."""
        deadline = self.loop.time() + self._config.data_timeout
        rest = None
        while rest is None:
            self._reset_timeout(max(0.001, min(self._config.idle_timeout, deadline - self.loop.time())))
            chunk = await self._reader.read(ALL)
            if not chunk:
                raise ConnectionAbortedError
            try:
                rest = data.feed(chunk)
            except Exception as error:
                await self._say(await self.handle_exception(error))
                self._end()
                raise ConnectionAbortedError from error
        if rest:
            self._reader.feed_data(rest)  # the buffer is empty: read() took all of it
        self._reset_timeout()

    async def _decided(self, envelope: Envelope, data: MailData) -> str:
        self._deciding = True
        try:
            envelope.content = data.content()
            return await self.desk.receive(self, envelope)
        except Exception as error:
            return await self.handle_exception(error)
        finally:
            self._deciding = False

    async def _reply(self, status: str, recipients: int) -> None:
        await self.push(status)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address of a path and what follows it. The library's parser refuses addresses that exist (two dots in
        a row), raises on some that do not, and takes most of the time of a small mail."""
        found = _PATH.fullmatch(arg)
        if found is None:
            return None, None
        if found["bare"] is not None:
            return found["bare"], found["more"]
        return found["inside"] or "<>", found["rest"]


class LmtpSession(Session):
    """One LMTP connection (RFC 2033): LHLO, and one reply for every accepted recipient."""

    protocol = "LMTP"
    ident = "LMTP Jiesu"

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, hostname: str) -> None:  # noqa: N802
        """The greeting of LMTP."""
        await super().smtp_EHLO(hostname)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        """Not a command of LMTP."""
        await self.push("500 Error: this is LMTP")

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802
        """Not a command of LMTP."""
        await self.push("500 Error: this is LMTP")

    async def _reply(self, status: str, recipients: int) -> None:
        await self._say("\r\n".join([status] * recipients))
