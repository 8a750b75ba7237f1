"""Mail servers that take letters from us: aiosmtpd with answers to order, and one that does what its script says."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.email.config import EmailConfig
from channels.email.relay import Relay

CUT: Final = "cut"
HANG: Final = "hang"
USER, PASSWORD = "hotline", "s3cret of the relay"


class Taking:
    """An aiosmtpd handler. `answers`: verb -> what it says next time, instead of yes; CUT aborts the connection."""

    def __init__(self) -> None:
        self.port = 0
        self.answers: dict[str, list[str]] = {}
        self.letters: list[Envelope] = []
        self.sessions: list[Session] = []
        self.password = PASSWORD
        self.refusals = 0

    def _next(self, verb: str) -> str | None:
        waiting = self.answers.get(verb)
        return waiting.pop(0) if waiting else None

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if (answer := self._next("MAIL")) is not None:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if (answer := self._next("RCPT")) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self._next("DATA")
        if answer == CUT:
            cast(asyncio.Transport, server.transport).abort()
        if answer is None or answer == CUT:
            self.letters.append(envelope)
            self.sessions.append(session)
        return answer or "250 2.0.0 Queued as 1"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, given: Any) -> AuthResult:
        good = isinstance(given, LoginPassword) and (given.login, given.password) == (
            USER.encode(),
            self.password.encode(),
        )
        self.refusals += not good
        return AuthResult(success=good, handled=True) if good else AuthResult(success=False, handled=False)


@asynccontextmanager
async def taking(
    handler: Taking | None = None, *, port: int = 0, secure: ssl.SSLContext | None = None, **how: Any
) -> AsyncIterator[Taking]:
    """An aiosmtpd server on `port`, or a free one; `secure`: TLS from the first byte on; `how`: for aiosmtpd."""
    handler = handler or Taking()

    def session() -> SMTP:
        return SMTP(handler, hostname="relay.example", loop=asyncio.get_running_loop(), **how)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", port, ssl=secure)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()


class Scripted:
    """Says yes to everything but what its script names: a verb ("" the greeting, "." the end of the mail) and what it
    says then, or CUT, or HANG. `said`: the verbs it heard."""

    def __init__(self, script: Mapping[str, str]) -> None:
        self.port = 0
        self.said: list[str] = []
        self._script = {
            "": "220 relay.example",
            "EHLO": "250-relay.example\r\n250-SIZE 1000000\r\n250 ENHANCEDSTATUSCODES",
            "DATA": "354 Go on",
            "QUIT": "221 Bye",
            **script,
        }
        self._tasks: set[asyncio.Task[None]] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        verb = ""
        try:
            while (answer := self._script.get(verb, "250 2.0.0 Ok")) != CUT:
                if answer != HANG:
                    writer.write(answer.encode() + b"\r\n")
                end = b"\r\n.\r\n" if verb == "DATA" and answer.startswith("354") else b"\r\n"
                line = await reader.readuntil(end)
                verb = "." if len(end) > 2 else line.split()[0].decode().upper()
                self.said.append(verb)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def scripted(script: Mapping[str, str]) -> AsyncIterator[Scripted]:
    """A server of that script on a free port."""
    made = Scripted(script)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()


def relay_to(port: int, **config: Any) -> Relay:
    """Ours, towards 127.0.0.1."""
    block = {"relay": f"127.0.0.1:{port}", "relay_timeout": 5, **config}
    return Relay(EmailConfig.model_validate(block))


class Authority:
    """Somebody who certifies servers; `certificate`: the PEM that says so."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
        self.certificate = folder / "authority.pem"
        own = self._signed(self._name, self._key.public_key(), lambda made: made.add_extension(_CA, critical=True))
        self.certificate.write_bytes(own)

    def context(self, address: str) -> ssl.SSLContext:
        """For a server at that IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.example")])
        files = self._folder / f"{address}.pem", self._folder / f"{address}.key"
        files[0].write_bytes(
            self._signed(name, key.public_key(), lambda made: made.add_extension(alternative, critical=False))
        )
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        files[1].write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        extend: Callable[[x509.CertificateBuilder], x509.CertificateBuilder],
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        return extend(made).sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


_CA: Final = x509.BasicConstraints(ca=True, path_length=0)
