"""One connection to a mailbox elsewhere: imapclient in a thread of its own, cut off from the event loop when it is
cancelled. May not decide what becomes of a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from channels.email.config import ImapConfig

log = structlog.get_logger(__name__)

WINDOW: Final = 50_000
"""Messages of one SEARCH: imaplib takes no answer of more than a million bytes a line."""
BATCH: Final = 200
GRACE: Final = 3.0
"""Seconds in which the thread must be done with a connection that was cut."""
IDENTITY: Final = {"name": "jiesu"}
T = TypeVar("T")
LOST: Final = (OSError, imaplib.IMAP4.abort)
"""The connection is of no more use; any other error is about one command."""


class LoginRefused(Exception):
    """The server does not know this user with this password, or does not let us in now."""


class FolderRefused(Exception):
    """There is no such folder, or it is not ours to open."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What SELECT said. `keywords`: whether marks of our own last (PERMANENTFLAGS, RFC 3501 7.1)."""

    uidvalidity: int
    exists: int
    keywords: bool


class Session:
    """Commands of one logged-in connection; one at a time. Each raises one of LOST or IMAPClientError."""

    def __init__(self, config: ImapConfig, sock: socket.socket) -> None:
        self.idles = self.moves = False
        self.tls = ""
        self._config = config
        self._sock = sock
        # TLS takes the socket over; this one stays ours, to cut the connection off under a waiting thread.
        self._lifeline = sock.dup()
        self._client: Any = None
        self._exists = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="imap")

    async def login(self) -> None:
        """Raises LoginRefused."""
        await self._call(self._login)

    async def close(self) -> None:
        """Cut the connection off and free everything, whatever the thread is doing."""
        with contextlib.suppress(OSError):
            self._lifeline.shutdown(socket.SHUT_RDWR)
        freed = asyncio.wrap_future(self._thread.submit(self._free))
        self._thread.shutdown(wait=False)
        await asyncio.wait({freed}, timeout=GRACE)

    async def select(self, folder: str, marks: Sequence[str]) -> Folder:
        """Open `folder` anew: where it was replaced, its UIDVALIDITY says so. Raises FolderRefused."""
        return await self._call(self._select, folder, marks)

    async def search(self, folder: Folder, *criteria: str) -> list[int]:
        """UIDs, ascending."""
        return await self._call(self._search, folder.exists, criteria)

    async def sizes(self, uids: Collection[int]) -> dict[int, int]:
        """RFC822.SIZE of those that are still there."""
        return await self._call(self._fetch, uids, "RFC822.SIZE", int)

    async def fetch(self, uids: Collection[int]) -> dict[int, bytes]:
        """The exact bytes of those that are still there; nothing is marked as read."""
        return await self._call(self._fetch, uids, "BODY[]", bytes)

    async def mark(self, uids: Collection[int], keyword: str) -> None:
        """Set a keyword."""
        await self._call(self._mark, uids, keyword)

    async def move(self, uids: Collection[int], folder: str) -> None:
        """Move (RFC 6851) to a folder, which is made when it is not there."""
        await self._call(self._move, uids, folder)

    async def wait(self, seconds: float) -> None:
        """Until something happens in the folder, where the server tells (RFC 2177), or the time is over. Returns at
        once when messages came since `select`."""
        if seconds <= 0 or _exists(self._client) != self._exists:
            return
        if self.idles:
            await self._call(self._idle, seconds)
        else:
            await asyncio.sleep(seconds)

    async def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(function, *arguments))

    # In the thread

    def _login(self) -> None:
        config = self._config
        context = None if config.tls == "none" else ssl.create_default_context(cafile=config.ca_file)
        self._sock.settimeout(config.timeout)
        client: Any = _Client(config, self._sock, context if config.tls == "tls" else None)
        self._client = client
        if config.tls == "starttls":
            client.starttls(context)
        self.tls = getattr(client.socket(), "version", str)() or ""
        password = config.password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        try:
            if client.has_capability("AUTH=PLAIN"):  # it carries any UTF-8, LOGIN does not
                client.plain_login(config.user, password)
            else:
                client.login(config.user, password)
        except LOST:
            raise
        except (LoginError, UnicodeError) as error:
            raise LoginRefused from error
        self.idles, self.moves = client.has_capability("IDLE"), client.has_capability("MOVE")
        if client.has_capability("ID"):
            self._introduce()

    def _introduce(self) -> None:
        """Some providers (163.com) open no folder for a client that has no name."""
        try:
            self._client.id_(IDENTITY)
        except LOST:
            raise
        except IMAPClientError:
            log.info("mailbox_wants_no_name")

    def _free(self) -> None:
        with contextlib.suppress(Exception):  # it is cut already; whatever the library says of that
            if self._client is not None:
                self._client.shutdown()
        for sock in (self._sock, self._lifeline):
            sock.close()

    def _select(self, name: str, marks: Sequence[str]) -> Folder:
        try:
            found = self._client.select_folder(name)
        except imaplib.IMAP4.readonly:
            found = self._client.select_folder(name, readonly=True)
        except LOST:
            raise
        except IMAPClientError as error:
            raise FolderRefused from error
        self._exists = found[b"EXISTS"]
        lasting = {flag.lower() for flag in found.get(b"PERMANENTFLAGS", ())}
        keywords = b"\\*" in lasting or all(mark.lower().encode() in lasting for mark in marks)
        return Folder(found.get(b"UIDVALIDITY", 0), self._exists, keywords and b"READ-WRITE" in found)

    def _search(self, exists: int, criteria: Sequence[str]) -> list[int]:
        return sorted(uid for window in _windows(exists) for uid in self._client.search([*window, *criteria]))

    def _fetch(self, uids: Collection[int], what: str, kind: type) -> dict[int, Any]:
        found = self._client.fetch(sorted(uids), [what.replace("BODY[", "BODY.PEEK[")])
        values = {uid: items[what.encode()] for uid, items in found.items() if what.encode() in items}
        for value in values.values():
            if not isinstance(value, kind):
                raise IMAPClientError("no such value of a message")
        return values

    def _mark(self, uids: Collection[int], keyword: str) -> None:
        for batch in _batches(uids):
            self._client.add_flags(batch, [keyword], silent=True)

    def _move(self, uids: Collection[int], folder: str) -> None:
        if not self._client.folder_exists(folder):
            self._client.create_folder(folder)
        for batch in _batches(uids):
            self._client.move(batch, folder)

    def _idle(self, seconds: float) -> None:
        self._client.idle()
        if _exists(self._client) == self._exists and not self._client.has_read_news():
            self._client.idle_check(seconds)
        self._client.idle_done()


@asynccontextmanager
async def connected(config: ImapConfig) -> AsyncIterator[Session]:
    """A connection that is logged in; it is cut at the end.

    Raises:
        LoginRefused: the password, or the user, is not the right one.
        OSError: the server cannot be reached, or the password not read.
        IMAPClientError: it does not speak as it should.
    """
    session = Session(config, await _dial(*config.address, config.timeout))
    try:
        await session.login()
        yield session
    finally:
        await session.close()


async def _dial(host: str, port: int, timeout: float) -> socket.socket:
    """A connection made by the loop, where waiting for it can be cancelled."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = ConnectionError("no address")
    for family, kind, proto, _, address in found:
        sock = socket.socket(family, kind, proto)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(timeout):
                await loop.sock_connect(sock, address)
            return sock
        except OSError as error:  # TimeoutError is one
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
    raise failure


class _Protocol(imaplib.IMAP4):
    """imaplib over a connection that was made already."""

    def __init__(self, host: str, sock: socket.socket) -> None:
        self._given = sock
        super().__init__(host)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._given


class _Client(IMAPClient):
    """imapclient over a connection that was made already."""

    def __init__(self, config: ImapConfig, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        self._read_at_once = False
        self._given = sock if context is None else context.wrap_socket(sock, server_hostname=config.host)
        super().__init__(config.host, config.address[1], ssl=context is not None, timeout=config.timeout)
        # The library turns on a debug log that writes every message out, in memory too.
        self._imap.debug = 0

    def idle(self) -> None:
        """As the library's, but news may come before the answer (RFC 3501 7: a client must be ready for it)."""
        protocol: Any = self._imap
        self._idle_tag = tag = protocol._command("IDLE")
        while protocol._get_response() is not None:
            if protocol.tagged_commands.get(tag):
                raise IMAPClientError("IDLE is refused")

    def has_read_news(self) -> bool:
        """Whether they came in one packet with the answer to IDLE: the socket, which the library asks, has no more."""
        self._read_at_once = True
        try:
            return bool(self.idle_check(0))
        finally:
            self._read_at_once = False

    def _poll_socket(self, sock: socket.socket, timeout: float | None = None) -> Any:
        library: Any = super()
        return [True] if self._read_at_once else library._poll_socket(sock, timeout)

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 (the library's name)
        try:
            return _Protocol(self.host, self._given)
        except BaseException:
            self._given.close()
            raise


def _exists(client: IMAPClient) -> int:
    """How many messages the server spoke of last, in an answer to whatever command."""
    said = client._imap.untagged_responses.get("EXISTS") or [b"0"]
    return int(said[-1])


def _batches(uids: Collection[int]) -> Iterator[list[int]]:
    """Few enough for one command line."""
    ordered = sorted(uids)
    for begin in range(0, len(ordered), BATCH):
        yield ordered[begin : begin + BATCH]


def _windows(exists: int) -> Iterator[list[str]]:
    """Ranges of message numbers that hold all of them; none for an empty folder."""
    if exists <= WINDOW:
        yield from [[]] if exists else []
        return
    for begin in range(1, exists + 1, WINDOW):
        last = begin + WINDOW - 1
        yield [f"{begin}:{last if last < exists else '*'}"]
