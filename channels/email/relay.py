"""Hands letters to the mail server that sends them on (`channels.email.relay`), and says what became of each.

May not send anything by a second way: no other server, no connection in clear where TLS was asked for. Nothing that
the server says is kept or logged but its codes: its text repeats addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from pathlib import Path
from typing import Final, NoReturn

import aiosmtplib
import structlog
from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPHeloError, SMTPResponseException
from aiosmtplib.response import SMTPResponse

from channels.contract import Delivery
from channels.email.compose import Letter
from channels.email.config import EmailConfig, split_listen
from normalizer.errors import TryAgain

log = structlog.get_logger(__name__)

SOON: Final = 60.0
"""Seconds to wait after a connection that failed."""
LATER: Final = 300.0
"""Seconds to wait when the server said "not now" (greylisting), and when the operator has something to repair."""
SLOWEST: Final = 256 * 1024
"""Bytes a second that a line to the relay carries at least: a mail with files may take so much longer."""
GOODBYE: Final = 5.0
"""Seconds for QUIT: the mail is out of our hands by then."""

_OUR_FAULT: Final = frozenset({530, 534, 535, 538})
"""RFC 3207 and RFC 4954: no TLS, not logged in, wrong password. No address is to blame."""
_STATUS: Final = re.compile(r"5\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9.])")


class Relay:
    """One mail server that takes our letters. Holds no connection: each letter has its own.

    Raises:
        OSError: `relay_ca_file` cannot be read.
    """

    def __init__(self, config: EmailConfig) -> None:
        if config.relay is None:
            raise ValueError("no relay is configured")
        self._host, self._port = split_listen(config.relay)
        self._config = config
        self._context = None if config.relay_tls == "none" else ssl.create_default_context(cafile=config.relay_ca_file)

    async def send(self, letter: Letter) -> Delivery:
        """`sent`: the server has it. `failed`: it will never take it; `reason` is `smtp_<code>` with the enhanced
        status (RFC 3463), or `smtputf8_not_offered`.

        Raises:
            TryAgain: anything else. After a connection lost behind the last dot the server may have it: the same letter
                again has the same Message-ID.
        """
        client = SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._config.relay_tls == "tls",
            start_tls=self._config.relay_tls == "starttls",
            tls_context=self._context,
            local_hostname=self._config.domain,
            timeout=self._config.relay_timeout,
        )
        try:
            await self._open(client)
            delivery = await self._hand_over(client, letter)
            with contextlib.suppress(Exception):  # it is decided
                await client.quit(timeout=GOODBYE)
            return delivery
        except TryAgain:
            raise
        except Exception as error:  # of the client, of the system, or what an event loop says of a dead socket
            _unreachable(error)
        finally:
            client.close()

    async def _open(self, client: SMTP) -> None:
        """Up to EHLO, logged in where that is configured. A refusal here is about us, not about the letter."""
        await client.connect()
        user, file = self._config.relay_user, self._config.relay_password_file
        if user is not None and file is not None:
            await _login(client, user, file)
        if client.is_ehlo_or_helo_needed:
            try:
                await client.ehlo()
            except SMTPHeloError:
                await client.helo()

    async def _hand_over(self, client: SMTP, letter: Letter) -> Delivery:
        if letter.needs_smtputf8 and not client.supports_extension("smtputf8"):
            return Delivery(outcome="failed", reason="smtputf8_not_offered")
        options = [b"SMTPUTF8"] if letter.needs_smtputf8 else []
        if client.supports_extension("size"):
            options.append(b"SIZE=%d" % len(letter.content))
        sender, recipient = letter.envelope_from.encode(), letter.envelope_to.encode()
        # The client's own mail() and rcpt() read the addresses once more, by looser rules than ours.
        answer = await client.execute_command(b"MAIL", b"FROM:<" + sender + b">", *options)
        if answer.code == aiosmtplib.SMTPStatus.completed:
            answer = await client.execute_command(b"RCPT", b"TO:<" + recipient + b">")
        if not 250 <= answer.code <= 252:
            return _refused(answer)
        try:
            # The answer behind the last dot comes when everything was sent: with files that takes longer.
            await client.data(letter.content, timeout=self._config.relay_timeout + len(letter.content) / SLOWEST)
        except SMTPResponseException as error:
            return _refused(SMTPResponse(error.code, error.message))
        return Delivery(outcome="sent", reference=letter.message_id)


async def _login(client: SMTP, user: str, file: Path) -> None:
    """The password is read each time, so that it can be changed while we run."""
    try:
        password = (await asyncio.to_thread(file.read_bytes)).rstrip(b"\r\n")
    except OSError as error:
        log.error("mail_relay_password_unreadable", file=file, error=type(error).__name__)
        raise TryAgain(LATER, "the password for the relay cannot be read") from None
    try:
        await client.login(user, password)
    except SMTPAuthenticationError as error:
        log.error("mail_relay_login_refused", code=error.code)
        raise TryAgain(LATER, "the relay refuses to log us in") from None


def _refused(answer: SMTPResponse) -> Delivery:
    """What an answer other than "yes" means.

    Raises:
        TryAgain: it is not for ever, or not about the letter.
    """
    found = _STATUS.match(answer.message)
    status = found[0] if found else None
    if answer.code in _OUR_FAULT:
        log.error("mail_relay_wants_login", code=answer.code, status=status)
        raise TryAgain(LATER, "the relay wants TLS or a login")
    if not 500 <= answer.code <= 599:
        log.info("mail_relay_defers", code=answer.code)
        raise TryAgain(LATER, "the relay does not take it now")
    log.warning("mail_relay_refuses", code=answer.code, status=status)
    return Delivery(outcome="failed", reason=f"smtp_{answer.code} {status}" if status else f"smtp_{answer.code}")


def _unreachable(error: Exception) -> NoReturn:
    """Whatever broke, nothing is known to be wrong with the letter."""
    code = error.code if isinstance(error, SMTPResponseException) else None
    cause = error.__cause__ if isinstance(error, SMTPException) else None
    # The client's own words are about an extension that is missing; every other text may be the server's.
    detail = error.message if type(error) is SMTPException else None
    log.warning(
        "mail_relay_unreachable", error=type(error).__name__, cause=type(cause).__name__, code=code, detail=detail
    )
    raise TryAgain(SOON, "the relay cannot be reached") from None
