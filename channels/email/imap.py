"""Receiving from a mailbox that lives elsewhere (IMAP): each message is taken, and only then marked as taken.

May not lose its place by trusting it: what is marked nowhere is offered again, and its source id drops it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeVar

import structlog
from imapclient.exceptions import IMAPClientError

from channels.contract import Host
from channels.email.auth.verify import Verifier
from channels.email.config import EmailConfig, ImapConfig
from channels.email.imap_cursor import Cursor
from channels.email.imap_session import LOST, Folder, FolderRefused, LoginRefused, Session, connected
from channels.email.raw import raw_of
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Raw

log = structlog.get_logger(__name__)

V = TypeVar("V")
TAKEN: Final = "$Jiesu"
REFUSED: Final = "$JiesuRefused"
GROUP: Final = 50
GROUP_BYTES: Final = 1024 * 1024
"""What is fetched at once: so many messages of so many bytes in all, or one larger one alone."""
LEAST: Final = 0.1
STEADY: Final = 10.0
"""Seconds after which a connection that ends does not count as one that failed."""
FAILED_GROUPS: Final = 3
"""So many groups in a row of which nothing was taken: it is not the messages, we wait."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """Seconds until the next try, by failures before it: of the connection, of a login, of one message."""

    connection: Sequence[float] = (1, 2, 5, 15, 30, 60)
    login: Sequence[float] = (5, 15, 60, 300)
    message: Sequence[float] = (1, 5, 30, 120, 600, 3600)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A message that could not be taken: how often, and when (monotonic) it is tried again."""

    failures: int
    retry_at: float


class Deferred(Exception):
    """Nothing more can be taken for so many seconds."""

    def __init__(self, after: float) -> None:
        super().__init__(after)
        self.after = after


class Poller:
    """One mailbox. `run` ends only by cancellation: whatever happens is logged and tried again."""

    def __init__(
        self,
        config: EmailConfig,
        host: Host,
        back_off: BackOff | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        assert config.imap is not None
        self._config: ImapConfig = config.imap
        self._max_bytes = int(config.max_bytes)
        self._host = host
        self._verifier = verifier or Verifier(config)
        self._back_off = back_off or BackOff()
        self._down: str | None = ""
        """The failure that was logged; None while all is well."""
        self._failures = 0
        self._visit: Visit | None = None

    async def run(self) -> None:
        """Look into the mailbox until cancelled, over a new connection whenever one ends."""
        while True:
            began = time.monotonic()
            try:
                async with connected(self._config) as session:
                    await self._serve(session)
            except LoginRefused:
                after = self._failed("login_refused", began, self._back_off.login)
            except FolderRefused:
                after = self._failed("folder_refused", began, self._back_off.connection)
            except Exception as error:
                after = self._failed(type(error).__name__, began, self._back_off.connection)
            await asyncio.sleep(after)

    def _failed(self, what: str, began: float, back_off: Sequence[float]) -> float:
        """How long to wait. It is said once: an outage of a day is one line."""
        was_up = self._down is None
        if self._down != what:
            log.error("mailbox_unreachable", error=what)
        self._down = what
        self._failures = 1 if was_up and time.monotonic() - began > STEADY else self._failures + 1
        return _at(back_off, self._failures)

    async def _serve(self, session: Session) -> None:
        if self._config.done is not None and not session.moves:
            log.warning("mailbox_cannot_move")
        while True:
            folder = await session.select(self._config.folder, (TAKEN, REFUSED))
            place = self._place(folder)
            if self._visit is None or self._visit.place != place:
                self._visit = Visit(
                    self._config, self._host, self._verifier, place, self._max_bytes, self._back_off.message
                )
            wait = await self._visit.look(session, folder)
            if self._down is not None:
                wakes, keeps = "idle" if session.idles else "poll", "keywords" if folder.keywords else "cursor"
                log.info("mailbox_connected", kind=wakes, policy=keeps)
                self._down = None
            await session.wait(min(self._config.poll, wait))

    def _place(self, folder: Folder) -> str:
        config = self._config
        name = "\0".join((*map(str, config.address), config.user, config.folder))
        return f"{sha256(name.encode()).hexdigest()[:16]}:{folder.uidvalidity}:{folder.keywords}"


class Visit:
    """What is known of the messages of one folder while its UIDVALIDITY stays."""

    def __init__(
        self,
        config: ImapConfig,
        host: Host,
        verifier: Verifier,
        place: str,
        max_bytes: int,
        back_off: Sequence[float],
    ) -> None:
        self.place = place
        self._config = config
        self._host = host
        self._verifier = verifier
        self._max_bytes = max_bytes
        self._back_off = back_off
        self._cursor: Cursor | None = None
        self._troubles: dict[int, Trouble] = {}
        self._unmarked: dict[int, str] = {}
        """Taken or refused, but the mark could not be set: they are not fetched again."""
        self._moving: set[int] = set()
        self._told: set[str] = set()

    async def look(self, session: Session, folder: Folder) -> float:
        """Take what is new; returns after how many seconds something is to be tried again."""
        uids = await self._pending(session, folder)
        self._troubles = {uid: self._troubles[uid] for uid in uids if uid in self._troubles}
        now = time.monotonic()
        due = [uid for uid in uids if uid not in self._troubles or self._troubles[uid].retry_at <= now]
        try:
            await self._take_all(session, due)
        except Deferred as deferred:
            await asyncio.sleep(min(deferred.after, self._config.poll))
            return 0
        if self._config.done is not None and session.moves:
            await self._move(session, folder, self._config.done)
        return min((trouble.retry_at for trouble in self._troubles.values()), default=math.inf) - time.monotonic()

    async def _pending(self, session: Session, folder: Folder) -> list[int]:
        """What is neither taken nor refused, ascending."""
        without = ("UNKEYWORD", TAKEN, "UNKEYWORD", REFUSED)
        if folder.keywords:
            found = await session.search(folder, *without)
            pending = [uid for uid in found if uid not in self._unmarked]
            for keyword in (TAKEN, REFUSED):
                await self._mark(session, [uid for uid in found if self._unmarked.get(uid) == keyword], keyword)
            return pending
        if self._cursor is None:
            self._cursor = Cursor(self.place, await self._host.load_cursor())
        start = self._cursor.start
        found = await session.search(folder, "UID", f"{start}:*", *without)
        return self._cursor.pending([uid for uid in found if uid >= start])  # n:* names the last one always

    async def _take_all(self, session: Session, due: Sequence[int]) -> None:
        """In order; those that made trouble come last and each alone: what fails again harms no other."""
        fine = [uid for uid in due if uid not in self._troubles]
        troubled = sorted(set(due).difference(fine), key=lambda uid: (self._troubles[uid].failures, uid))
        chunks = [fine[begin : begin + GROUP] for begin in range(0, len(fine), GROUP)] + [[uid] for uid in troubled]
        fruitless = 0
        for chunk in chunks:
            fruitless = 0 if await self._take(session, chunk) else fruitless + 1
            if fruitless == FAILED_GROUPS:
                return

    async def _take(self, session: Session, uids: Sequence[int]) -> bool:
        """Whether one of them could be taken or refused."""
        sizes = await self._fetched(session.sizes, uids)
        large = [uid for uid, size in sizes.items() if size > self._max_bytes]
        for uid in large:
            log.error("mail_refused", code="too_large", size=sizes.pop(uid))
        await self._settle(session, large, REFUSED)
        settled = len(large)
        for group in _groups(sizes):
            settled += await self._take_group(session, group)
        return settled > 0

    async def _take_group(self, session: Session, uids: Sequence[int]) -> int:
        contents = await self._fetched(session.fetch, uids)
        transport = {"protocol": "IMAP", "tls": session.tls}
        raws = await asyncio.gather(
            *(raw_of(content, transport, self._verifier) for content in contents.values()), return_exceptions=True
        )
        # Side by side, for one fsync, and begun in their order: an answer comes after what it answers.
        outcomes = await asyncio.gather(*map(self._offer, raws), return_exceptions=True)
        settled: dict[str, list[int]] = defaultdict(list)
        after = 0.0
        for uid, outcome in zip(contents, outcomes, strict=True):
            if isinstance(outcome, str):
                settled[outcome].append(uid)
            elif isinstance(outcome, TryAgain):
                after = max(after, outcome.after, LEAST)
                self._stumble([uid], outcome.after)
            else:
                log.error("mailbox_message_failed", id=uid, error=type(outcome).__name__)
                self._stumble([uid])
        for keyword, some in settled.items():
            await self._settle(session, some, keyword)
        if after:
            if self._first("deferred"):
                log.warning("mailbox_deferred", after=after)
            raise Deferred(after)
        return sum(map(len, settled.values()))

    async def _fetched(
        self, fetch: Callable[[Sequence[int]], Awaitable[dict[int, V]]], uids: Sequence[int]
    ) -> dict[int, V]:
        """What the server gives of them; nothing when it fails at one: each is tried alone later, so that this one
        does not keep the others."""
        try:
            found = await fetch(uids)
        except Exception as error:
            log.error("mailbox_fetch_failed", count=len(uids), error=type(error).__name__)
            self._stumble(uids)
            if isinstance(error, LOST):
                raise
            return {}
        self._stumble(uid for uid in uids if uid not in found)  # expunged; the next search tells
        return found

    async def _offer(self, raw: Raw | BaseException) -> str:
        """The mark it gets. Raises what accept raises, but for Rejected; and what kept it from becoming a Raw."""
        try:
            if isinstance(raw, BaseException):
                raise raw
            if len(raw.body) > self._max_bytes:
                raise Rejected("too_large", "The server called it smaller.")
            await self._host.accept(raw)
        except Rejected as error:
            log.warning("mail_refused", code=error.code)
            return REFUSED
        return TAKEN

    def _stumble(self, uids: Iterable[int], after: float | None = None) -> None:
        for uid in uids:
            failures = self._troubles[uid].failures + 1 if uid in self._troubles else 1
            wait = _at(self._back_off, failures) if after is None else after
            self._troubles[uid] = Trouble(failures, time.monotonic() + wait)

    async def _settle(self, session: Session, uids: Collection[int], keyword: str) -> None:
        """They are taken, or refused, for good: only now that is written down."""
        if not uids:
            return
        for uid in uids:
            self._troubles.pop(uid, None)
        self._told.discard("deferred")
        if keyword == TAKEN:
            self._moving.update(uids)
        if self._cursor is None:
            self._unmarked.update(dict.fromkeys(uids, keyword))
            await self._mark(session, uids, keyword)
        else:
            self._cursor.pass_by(uids)
            try:
                await self._host.save_cursor(self._cursor.text)
            except TryAgain as error:
                self._cursor = None  # another gateway takes this mailbox's mail now
                raise Deferred(error.after) from None

    async def _mark(self, session: Session, uids: Collection[int], keyword: str) -> None:
        if not uids:
            return
        try:
            await session.mark(uids, keyword)
        except LOST:
            raise
        except IMAPClientError as error:  # it said that it would keep marks
            if self._first("mark"):
                log.error("mailbox_cannot_mark", error=type(error).__name__)
        else:
            for uid in uids:
                self._unmarked.pop(uid, None)

    async def _move(self, session: Session, folder: Folder, done: str) -> None:
        """Also what was marked before a crash, and not moved."""
        uids = await session.search(folder, "KEYWORD", TAKEN) if folder.keywords else sorted(self._moving)
        self._moving.clear()
        if not uids:
            return
        try:
            await session.move(uids, done)
        except LOST:
            raise
        except IMAPClientError as error:
            if self._first("move"):
                log.error("mailbox_cannot_move", error=type(error).__name__)

    def _first(self, what: str) -> bool:
        """Whether it is to be said: not again and again."""
        told = what in self._told
        self._told.add(what)
        return not told


def _at(back_off: Sequence[float], failures: int) -> float:
    return back_off[min(failures, len(back_off)) - 1]


def _groups(sizes: Mapping[int, int]) -> Iterator[list[int]]:
    """UIDs in order, of at most GROUP_BYTES together or one alone."""
    group: list[int] = []
    total = 0
    for uid, size in sizes.items():
        if group and total + size > GROUP_BYTES:
            yield group
            group, total = [], 0
        group.append(uid)
        total += size
    if group:
        yield group
