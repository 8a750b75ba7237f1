"""Asks X for new mentions, page after page back to the place, and takes them before the place moves.

May not move the place past a post that was not taken, and may not be silent where X no longer shows all of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from channels.contract import Host
from channels.x.client import (
    PAGE,
    Answer,
    Api,
    CallError,
    Limited,
    Refused,
    TokenRefused,
    connected,
    fingerprint,
)
from channels.x.config import A_DAY, XConfig
from channels.x.document import Document, identity, mapping, members, moment, text
from channels.x.documents import dump, with_context
from channels.x.place import Place, written_at
from channels.x.take import Taker
from normalizer.errors import TryAgain

log = structlog.get_logger(__name__)

REACHABLE: Final = 800
"""X shows no more mentions than the newest so many."""
HIDDEN: Final = 40
"""Of those it may leave out some: deleted, protected."""
PAGES_MAX: Final = 2 * REACHABLE // PAGE
WINDOW: Final = 900.0
"""Seconds of a rate limit."""
USED_UP: Final = 3600.0
REFUSED: Final = 300.0
TOKEN_LOOK: Final = 5.0
TOKEN_AGAIN: Final = 3600.0
BACK_OFF: Final = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 300.0)

Work = Callable[[Api], Awaitable[Answer]]


class LeaseLost(Exception):
    """Another gateway polls now."""


class PagesMoved(Exception):
    """The walk cannot go on where it was: X does not know its own token of a page any more."""


class Poller:
    """`run` ends only by cancellation. `clock`: unix seconds, as X counts its limits."""

    def __init__(
        self,
        config: XConfig,
        host: Host,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._config = config
        self._host = host
        self._clock = clock
        self._sleep = sleep
        self._taker = Taker(config, host, sleep)
        self._token = ""
        self._rest_until = 0.0
        self._failures = 0
        self._down: str | None = None

    async def run(self) -> None:
        """Poll whenever this gateway has the lease."""
        calls = round(A_DAY / self._config.interval)
        log.info("x_plan", calls=calls, seconds=A_DAY, apart=self._config.interval)
        while True:
            place = Place.read(await self._host.load_cursor())
            try:
                await self._follow(place)
            except LeaseLost:
                continue

    async def _follow(self, place: Place) -> None:
        """`place` is ahead of what was saved as long as a post is owed."""
        if place.is_new:
            place = place.begun(self._now() - timedelta(seconds=self._config.look_back))
            await self._save(place)
        saved = place
        while True:
            place = await self._look(place)
            if place != saved and not self._taker.owed:
                await self._save(place)
                saved = place
            await self._sleep(self._config.interval)

    async def _look(self, place: Place) -> Place:
        """Take what is new; the place behind it."""
        if self._taker.owed >= REACHABLE:
            await self._taker.take(())
            return place
        try:
            found = await self._walk(place)
        except PagesMoved:
            return place
        await self._taker.take([found[one] for one in sorted(found)])
        return place.moved(max(found)) if found else place

    async def _walk(self, place: Place) -> dict[int, bytes]:
        """Posts by their ids, from the newest back to the place. Raises PagesMoved."""
        found: dict[int, bytes] = {}
        token: str | None = None
        for _ in range(PAGES_MAX):
            answer = await self._page(place, token)
            page = _posts(answer.document, place.start)
            found |= page
            token = text(mapping(answer.document.get("meta")).get("next_token"))
            if token is None or (page and max(page) <= place.since):
                break
        if _may_lack_some(place, found, token):
            self._tell_gap(place, found)
        return found

    def _tell_gap(self, place: Place, found: dict[int, bytes]) -> None:
        """The posts between these two moments may not be all: people must look at X itself."""
        after = written_at(place.since) if place.since else place.start
        log.error(
            "x_gap",
            taken=len(found),
            after=after.isoformat() if after else None,
            before=written_at(min(found)).isoformat() if found else None,
        )

    async def _page(self, place: Place, token: str | None) -> Answer:
        """As often as it takes. Raises PagesMoved."""
        while True:
            try:
                await self._rest()
                self._token = await fingerprint(self._config)
                async with connected(self._config) as api:
                    answer = await api.mentions(since=place.asked, start=place.asked_from, token=token)
                if "data" not in answer.document and "meta" not in answer.document:
                    raise Refused(404, answer.document)  # 200 with nothing but errors: there is no such account
            except CallError as error:
                if token is not None and isinstance(error, Refused) and error.status == 400:
                    log.warning("x_pages_moved")
                    raise PagesMoved from None
                await self._fail(error)
            else:
                self._fine(answer)
                return answer

    async def _rest(self) -> None:
        if (wait := self._rest_until - self._clock()) > 0:
            await self._sleep(min(wait, WINDOW) + 1)

    async def _fail(self, error: CallError) -> None:
        """Wait as long as this failure wants. It is said once: an outage of a day is one line."""
        self._failures += 1
        if self._down != error.reason:
            _tell(error)
        self._down = error.reason
        match error:
            case TokenRefused():
                await self._new_token()
            case Limited(reset=reset):
                left = WINDOW if reset is None else reset - self._clock() + 1
                await self._sleep(USED_UP if error.reason == "used_up" else min(max(left, 1.0), WINDOW + 1))
            case Refused():
                await self._sleep(REFUSED)
            case _:
                await self._sleep(BACK_OFF[min(self._failures, len(BACK_OFF)) - 1])

    async def _new_token(self) -> None:
        """Nothing is asked until the file holds another token, or an hour passed, in case the fault was X's. X keeps
        what comes meanwhile."""
        until = self._clock() + TOKEN_AGAIN
        while self._clock() < until and await fingerprint(self._config) in ("", self._token):
            await self._sleep(TOKEN_LOOK)

    def _fine(self, answer: Answer) -> None:
        if self._down is not None:
            log.info("x_reachable")
        self._failures, self._down = 0, None
        if answer.left == 0 and answer.reset is not None:
            self._rest_until = answer.reset

    async def _save(self, place: Place) -> None:
        try:
            await self._host.save_cursor(place.text)
        except TryAgain:
            raise LeaseLost from None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _may_lack_some(place: Place, found: dict[int, bytes], token: str | None) -> bool:
    """Whether the walk ended before it met what was taken: because X shows no more, or pages without end."""
    if found and min(found) <= place.since:
        return False
    return token is not None or len(found) >= REACHABLE - HIDDEN


def _tell(error: CallError) -> None:
    match error:
        case TokenRefused():
            log.error("x_token_refused", error=error.reason)
        case Limited():
            log.error("x_limited", error=error.reason)
        case Refused():
            log.error("x_refused", error=error.reason)
        case _:
            log.error("x_unreachable", error=error.reason)


def _posts(document: Document, start: datetime | None) -> dict[int, bytes]:
    """The posts of a page by their ids, none from before `start`. What has no id is no post, and could never be
    named."""
    found: dict[int, bytes] = {}
    for item in members(document.get("data")):
        if (name := identity(item.get("id"))) is None:
            log.warning("x_post_refused", code="no_post")
            continue
        written = moment(item.get("created_at"))
        if start is not None and written is not None and written < start:
            continue
        found[int(name)] = dump(with_context(item, document))
    return found
