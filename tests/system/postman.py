"""A mail server in front of a running line: it keeps a mail until it hears 250, and sends the same bytes again."""

from __future__ import annotations

import contextlib
import json
import re
import smtplib
import time
from collections.abc import Iterator
from typing import Any

from gateway import spool_file
from tests.ports import free_port
from tests.waiting import HANGS

HOTLINE = "hotline@hotline.example"
LISTEN = "JIESU_CHANNELS__EMAIL__LISTEN"
_NUMBER = re.compile(rb"Accepted as (\d+)")


def somewhere() -> str:
    """An address for the line's mail server to keep over its restarts."""
    return f"127.0.0.1:{free_port()}"


class Postman:
    """One connection at a time to the mail server at `address`; `tries` counts what it took."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: smtplib.SMTP | None = None
        self.tries = 0

    def deliver(
        self, mail: bytes, sender: str = "citizen@home.example", seconds: float = 2 * HANGS, to: str = HOTLINE
    ) -> str:
        """The same bytes until 250 comes; the number it names. A refusal for good would be the loss of the mail."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.tries += 1
            try:
                status, text = self._try(mail, sender, to)
            except (OSError, smtplib.SMTPException):
                self.hang_up()
                time.sleep(0.05)
                continue
            if status == 250:
                return _number(text)
            assert 400 <= status < 500, f"refused for good: {status} {text!r}"
            self.hang_up()
            time.sleep(0.05)
        raise AssertionError(f"no 250 within {seconds} s")

    def deliver_unheard(self, mail: bytes, sender: str) -> str:
        """The whole mail and its end, but gone before the answer: it may have been taken or not, so it comes again."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            connection = self._at_data(sender)
            connection.send(mail.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        self.hang_up()
        return self.deliver(mail, sender)

    def hang_up(self) -> None:
        """End the connection, as a network does."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _try(self, mail: bytes, sender: str, to: str) -> tuple[int, bytes]:
        connection = self._connected()
        for status, text in (connection.mail(sender), connection.rcpt(to)):
            if status != 250:
                return status, text
        return connection.data(mail)

    def _at_data(self, sender: str) -> smtplib.SMTP:
        connection = self._connected()
        connection.mail(sender)
        connection.rcpt(HOTLINE)
        connection.docmd("DATA")
        return connection

    def _connected(self) -> smtplib.SMTP:
        if self._connection is None:
            host, _, port = self._address.rpartition(":")
            # HOST of EHLO is given: without it the library asks the name server who we are.
            self._connection = smtplib.SMTP(host, int(port), local_hostname="mx.home.example", timeout=10)
            self._connection.ehlo()
        return self._connection


def _number(text: bytes) -> str:
    found = _NUMBER.search(text)
    assert found is not None, text
    return found[1].decode()


def row(up: Any, number: str) -> tuple[str, str | None]:
    """What became of the submission `number`: its state and code."""
    db = spool_file.connect(up.directory / "spool")
    try:
        found = db.execute("SELECT state, code FROM submission WHERE number = ?", (number,)).fetchall()
    finally:
        db.close()
    assert len(found) == 1, f"{len(found)} rows of one number"
    return found[0][0], found[0][1]


def opened(up: Any) -> Iterator[tuple[float, dict[str, Any]]]:
    """Every ticket as it was opened, and when it came on the queue (unix seconds)."""
    client = up.client()
    for key in client.scan_iter("jiesu:ticket:*"):
        entry, document = client.hmget(key, "entry", "doc")
        yield int(entry.partition(b"-")[0]) / 1000, json.loads(document)
