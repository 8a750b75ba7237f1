"""Receiving by SMTP and LMTP: who may send how much to whom, and 250 only when `host.accept` has returned.

May not read a mail: it is kept byte for byte, and what it means is `parse`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import ssl
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from aiosmtpd.smtp import Envelope, TLSSetupException
from aiosmtpd.smtp import Session as Facts

from channels.buckets import Buckets, client_key
from channels.contract import Host
from channels.email.auth.verify import Verifier
from channels.email.config import EmailConfig, Network, Rate, split_listen
from channels.email.raw import raw_of
from channels.email.wire import FAILED, LmtpSession, Room, Session
from normalizer.errors import Rejected, TryAgain

log = structlog.get_logger(__name__)

POSTMASTER: Final = "postmaster"
DRAIN: Final = 3.0
"""Seconds in which answers to complete mails may still go out when we are stopped."""
NAME_MAX: Final = 255

UNKNOWN: Final = "550 5.1.1 There is no such address here."
NO_RELAY: Final = "550 5.7.1 Mail for this domain is not taken here."
TOO_MANY_RECIPIENTS: Final = "452 4.5.3 Too many recipients. Please send the mail to the others again."
TOO_OFTEN: Final = "450 4.7.1 Too many mails. Please send the same mail again later."
TRY_AGAIN: Final = "451 4.3.0 Not taken now. Please send the same mail again later."
REJECTED: Final[Mapping[str, str]] = {
    "too_large": "552 5.3.4 The mail is larger than what is accepted.",
    "not_a_mail": "554 5.6.0 This is not a mail.",
    "empty_mail": "554 5.6.0 There is nothing in this mail.",
    "too_deep": "554 5.6.0 The parts of this mail are nested too deeply.",
    "too_many_parts": "554 5.6.0 This mail has too many parts.",
    "conflict": "554 5.6.0 This mail was taken before with other content.",
}
REFUSED: Final = "554 5.7.0 This mail is not accepted."


class Receiver:
    """The desk of every connection (`wire.Desk`)."""

    def __init__(self, config: EmailConfig, host: Host, verifier: Verifier) -> None:
        self.room = Room(config.max_inflight_bytes)
        self.sessions: set[Session] = set()
        self.closing = False
        self._config = config
        self._host = host
        self._verifier = verifier
        self._recipients = frozenset(config.accepted)
        self._domains = frozenset(address.rpartition("@")[2] for address in config.accepted)
        self._clients: Counter[str] = Counter()
        self._per_ip, self._per_sender = _buckets(config.per_ip), _buckets(config.per_sender)

    # Connections

    def admit(self, session: Session) -> bool:
        """Whether there is room for one more connection, in all and from there."""
        self.sessions.add(session)
        client = session.client = self._limited(session.session)
        if client is not None:
            self._clients[client] += 1
        if self.closing:
            return False
        admitted = len(self.sessions) <= self._config.max_connections and (
            client is None or self._clients[client] <= self._config.max_connections_per_ip
        )
        if not admitted:
            log.warning("mail_connection_refused", total=len(self.sessions))
        return admitted

    def leave(self, session: Session) -> None:
        """The connection has ended."""
        self.sessions.discard(session)
        client = session.client
        if client is not None:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    def _limited(self, facts: Facts | None) -> str | None:
        """What counts as one client; None: it has no limits (a unix socket, a trusted peer)."""
        peer = _peer(facts)
        return None if peer is None or _is_in(peer, self._config.trusted) else client_key(peer)

    # aiosmtpd's hooks; the answers are SMTP replies

    async def handle_MAIL(  # noqa: N802
        self, session: Session, _facts: Facts, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes every sender, the null sender too: whoever it is, a citizen may have written it."""
        client = session.client
        if client is not None and (
            self._per_ip.take(client) or self._per_sender.take(f"{client} {_fold(_decoded(address))}")
        ):
            log.warning("mail_refused", code="too_often")
            return TOO_OFTEN
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender ok"

    async def handle_RCPT(  # noqa: N802
        self, _session: Session, _facts: Facts, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Takes our addresses, each also with a +tag, and postmaster (RFC 5321 4.5.1)."""
        address = _decoded(address)
        local, _, domain = _fold(address).rpartition("@")
        if not local:
            local, domain = domain, self._config.domain if domain == POSTMASTER else ""
        local = local.strip('"').partition("+")[0]
        known = domain in self._domains
        if not (known and local == POSTMASTER) and f"{local}@{domain}" not in self._recipients:
            return UNKNOWN if known else NO_RELAY
        if len(envelope.rcpt_tos) >= self._config.max_recipients:
            return TOO_MANY_RECIPIENTS
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient ok"

    async def receive(self, session: Session, envelope: Envelope) -> str:
        """250 when the mail is on disk; else why not. Raises what accept raises unexpectedly."""
        content = envelope.content
        assert isinstance(content, bytes)
        try:
            raw = await raw_of(content, _transport(session, envelope), self._verifier)
            receipt = await self._host.accept(raw)
        except Rejected as error:
            log.warning("mail_refused", code=error.code)
            return REJECTED.get(error.code, REFUSED)
        except TryAgain as error:
            log.info("mail_deferred", after=error.after)
            return TRY_AGAIN
        return f"250 2.0.0 Accepted as {receipt.number}"

    async def handle_exception(self, error: Exception) -> str:
        """A bug of ours, or a client that spoke TLS badly: nothing was taken. The message of the error may hold
        what the client sent, so only its type is logged."""
        if isinstance(error, TLSSetupException):
            log.info("mail_starttls_failed")
        else:
            log.error("mail_session_failed", error=type(error).__name__)
        return FAILED


class Certificate:
    """The certificate for STARTTLS, read again when its files change: it is renewed while we run.

    Raises:
        OSError, ssl.SSLError: at the start, when it cannot be read or the key does not fit.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._state = self._look()
        self._context = self._load()

    def context(self) -> ssl.SSLContext:
        """What a new connection uses; the last good one while the files are half written."""
        try:
            state = self._look()
            if state != self._state:
                self._state = state
                self._context = self._load()
                log.info("mail_certificate_renewed")
        except OSError as error:  # ssl.SSLError is one too
            log.error("mail_certificate_unreadable", error=type(error).__name__)
        return self._context

    def _look(self) -> list[tuple[int, int, int]]:
        facts = [path.stat() for path in self._files]
        return [(one.st_ino, one.st_mtime_ns, one.st_size) for one in facts]

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._files)
        return context


class Server:
    """The listening sockets of one channel. `addresses`: kind -> where it listens, when `started` is set."""

    def __init__(self, config: EmailConfig, host: Host, verifier: Verifier | None = None) -> None:
        self.addresses: dict[str, str] = {}
        self.started = asyncio.Event()
        self._config = config
        self._receiver = Receiver(config, host, verifier or Verifier(config))

    async def run(self) -> None:
        """Listen until cancelled; then close, and give answers to complete mails `DRAIN` seconds to go out.

        Raises:
            OSError: an address is taken, or the certificate cannot be read.
        """
        certificate = None
        if self._config.tls_certificate is not None and self._config.tls_key is not None:
            certificate = Certificate(self._config.tls_certificate, self._config.tls_key)
        servers: list[asyncio.Server] = []
        try:
            await self._listen(servers, certificate)
            self.started.set()
            await asyncio.Event().wait()
        finally:
            for server in servers:
                server.close()
            if "lmtp_socket" in self.addresses:
                _remove(Path(self.addresses["lmtp_socket"]))
            await self._drain()

    async def _listen(self, servers: list[asyncio.Server], certificate: Certificate | None) -> None:
        loop = asyncio.get_running_loop()
        backlog = self._config.max_connections

        def session(kind: type[Session]) -> Session:
            return kind(self._receiver, self._config, certificate.context() if certificate else None)

        for name, kind, listen in (("smtp", Session, self._config.listen), ("lmtp", LmtpSession, self._config.lmtp)):
            if listen is not None:
                server = await loop.create_server(partial(session, kind), *split_listen(listen), backlog=backlog)
                servers.append(server)
                host, port = server.sockets[0].getsockname()[:2]
                self.addresses[name] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                log.info("mail_listening", kind=name, listen=self.addresses[name])
        path = self._config.lmtp_socket
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove(path)  # left by a gateway that was killed
            servers.append(await loop.create_unix_server(partial(session, LmtpSession), str(path), backlog=backlog))
            os.chmod(path, int(self._config.lmtp_socket_mode, 8))
            self.addresses["lmtp_socket"] = str(path)
            log.info("mail_listening", kind="lmtp", path=str(path))

    async def _drain(self) -> None:
        self._receiver.closing = True
        sessions = list(self._receiver.sessions)
        for session in sessions:
            session.close()
        tasks = {session.task for session in sessions if session.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=DRAIN)
            for session in sessions:
                session.abort()
            if late:
                await asyncio.wait(late, timeout=1)


def _remove(path: Path) -> None:
    """Remove a socket; anything else stays."""
    if path.is_socket():
        path.unlink()


def _transport(session: Session, envelope: Envelope) -> dict[str, str]:
    """What the transport knew and the mail does not say (RFC 5321 4.4 would put it into a Received field).
    `envelope_from` is empty for the null sender; `envelope_to` has one blank between addresses."""
    facts = session.session
    assert facts is not None
    tls = (facts.ssl or {}).get("ssl_object")
    sender = _decoded(envelope.mail_from or "")
    return {
        "envelope_from": "" if sender == "<>" else sender,
        "envelope_to": " ".join(envelope.rcpt_tos),
        "helo": _decoded(facts.host_name or "")[:NAME_MAX],
        "peer": _peer(facts) or "unix",
        "protocol": session.protocol,
        "tls": tls.version() or "" if tls is not None else "",
        "smtputf8": "yes" if envelope.smtp_utf8 else "no",
    }


def _peer(facts: Facts | None) -> str | None:
    """The IP address at the other end; None for a unix socket."""
    peer: object = facts.peer if facts is not None else None
    if not isinstance(peer, tuple) or not peer:
        return None
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)


def _is_in(peer: str, networks: tuple[Network, ...]) -> bool:
    address = ipaddress.ip_address(peer)
    return any(address in network for network in networks)


def _decoded(text: str) -> str:
    """`text` without what cannot be stored: bytes that are no UTF-8, and control characters."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _fold(address: str) -> str:
    """The address as we compare it: lower case, its domain in ASCII (RFC 5891) without a dot at the end."""
    local, at, domain = address.lower().rpartition("@")
    domain = domain.rstrip(".")
    if not domain.isascii():
        with contextlib.suppress(UnicodeError):
            domain = domain.encode("idna").decode("ascii")
    return f"{local}{at}{domain}"


def _buckets(rate: Rate) -> Buckets:
    return Buckets(burst=rate.burst, per_minute=rate.per_minute, size=rate.remembered)
