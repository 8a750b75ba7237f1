"""Asks Weibo for new mentions and comments, list after list, and takes each before the place moves past it.

May not call more often than the budget allows, nor trust a list to be complete: each is walked back to what is known.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from channels.contract import Host
from channels.social.budget import Budget
from channels.weibo.api import LIMITED_FOR, Api, InDoubt, Limited, NotSent, Refused, TokenRefused, WeiboError
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import id_of, posted_at
from channels.weibo.place import Place
from channels.weibo.take import Taker
from normalizer.errors import TryAgain
from normalizer.ticket import Inbound, Raw

log = structlog.get_logger(__name__)

PAGE: Final = 200
"""Posts in an answer, at most."""
LOOK_BACK: Final = 86_400.0
"""Seconds before the first walk of all: older mentions are from before the hotline listened."""
TOKEN_EVERY: Final = 86_400.0
TOKEN_AGAIN: Final = 3_600.0
"""Seconds until Weibo is asked again when a token ends, and it gave no answer."""
TOKEN_LOOK: Final = 5.0
SOON: Final = 7 * 86_400.0
FRESH: Final = 5.0
"""Seconds for which a saved count, and the lease it renewed, are surely worth something: a third of a lease."""
BACK_OFF: Final = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0)


@dataclass(frozen=True, slots=True)
class Source:
    """One list: its name in our configuration, its path, and what its answer calls the items."""

    name: str
    path: str
    items: str


SOURCES: Final = (
    Source("mentions", "/2/statuses/mentions.json", "statuses"),
    Source("comment_mentions", "/2/comments/mentions.json", "comments"),
    Source("comments", "/2/comments/to_me.json", "comments"),
)


def plan(config: WeiboConfig) -> dict[str, float]:
    """What the budget means: `calls` in `seconds`, and how many seconds apart each list is looked at when nothing
    happens."""
    budget = Budget.of(config.polling_calls, config.budget.seconds)
    apart = max(budget.interval * len(config.sources), config.poll)
    return {"calls": config.polling_calls, "seconds": config.budget.seconds, "apart": round(apart, 1)}


class LeaseLost(Exception):
    """Another gateway polls now."""


class Poller:
    """`run` ends only by cancellation. `clock`: unix seconds; the budget outlives this process, so it needs them."""

    def __init__(
        self,
        config: WeiboConfig,
        host: Host,
        parse: Callable[[Raw], Inbound],
        api: Api,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._config = config
        self._host = host
        self._api = api
        self._takes = Taker(config, host, parse, api, self.call)
        self._clock = clock
        self._sleep = sleep
        self._sources = [source for source in SOURCES if source.name in config.sources]
        self._budget = Budget.of(config.polling_calls, config.budget.seconds)
        self._place = Place()
        self._failures = 0
        self._down: str | None = None

    async def run(self) -> None:
        """Poll whenever this gateway has the lease."""
        planned = plan(self._config)
        log.info("weibo_plan", calls=planned["calls"], seconds=planned["seconds"], apart=planned["apart"])
        while True:
            self._place = Place.read(await self._host.load_cursor(), self._clock())
            self._place.tat = self._budget.resume(self._place.tat, self._clock())
            self._takes.know(self._place.recent)
            try:
                while True:
                    await self._round()
            except LeaseLost:
                continue

    async def _round(self) -> None:
        """Each list once; the pause between two of them keeps what may be called at once for walking back."""
        await self._check_token()
        for source in self._sources:
            await self._walk(source)
            await self._sleep(max(self._budget.interval, self._config.poll / len(self._sources)))

    async def _walk(self, source: Source) -> None:
        """From the newest item, or where the last walk stopped, back to what was taken. What is on the way is offered
        whatever its id: Weibo shows some posts late, below newer ones, and the source id drops what was taken."""
        walk, said_twice = self._place.walk(source.name), False
        while (page := await self._page(source, walk.below)) is not None:
            ids = [identity for item in page if (identity := id_of(item))]
            await self._takes.take([item for item in page if not self._too_old(item)])
            self._place.recent = self._takes.known
            if not ids and walk.top and not said_twice:  # an empty answer is Weibo's commonest mistake
                said_twice = True
                continue
            if ids:
                walk.step(ids)
            if not ids or min(ids) <= walk.since or all(map(self._too_old, page)):
                if not ids and walk.since and walk.top:
                    log.error("weibo_gap", kind=source.name)  # Weibo lists the newest two thousand or so
                walk.finish()
                await self._save()
                return
            await self._save()

    def _too_old(self, item: dict[str, Any]) -> bool:
        posted = posted_at(item)
        return posted is not None and posted < self._place.began - LOOK_BACK

    async def _page(self, source: Source, below: int) -> Sequence[dict[str, Any]] | None:
        """None: it is refused, and the walk stays where it is."""
        more = {"max_id": below} if below else {}

        async def ask() -> dict[str, Any]:
            answer = await self._api.get(self._config.api + source.path, count=PAGE, **more)
            if answer and not isinstance(answer.get(source.items), list):
                raise InDoubt("no_list")
            return answer

        try:
            answer = await self.call(ask)
        except Refused as error:
            log.error("weibo_list_refused", kind=source.name, code=error.code)
            return None
        return [item for item in answer.get(source.items, ()) if isinstance(item, dict)]

    async def call(self, work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Read something, as often as it takes.

        Raises:
            Refused: Weibo's no.
            LeaseLost: another gateway polls now.
        """
        while True:
            try:
                answer = await self._counted(work)
            except TokenRefused as error:
                await self._new_token(error)
            except Limited as error:
                await self._fail(f"limited_{error.code}", LIMITED_FOR)
            except (NotSent, InDoubt) as error:
                await self._fail(str(error.code), BACK_OFF[min(self._failures, len(BACK_OFF) - 1)])
            else:
                self._fine()
                return answer

    async def _counted(self, work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """One call. It is counted, and the count is saved, before it is made: a crash wastes a call at most."""
        await self._count()
        try:
            return await work()
        finally:
            self._place.tat = self._budget.ended(self._place.tat or 0.0, self._clock())

    async def _count(self) -> None:
        """Once more when saving took long (Redis was away, we were stopped): another gateway may poll by now."""
        counted = -FRESH
        while self._clock() - counted >= FRESH:
            while (wait := self._budget.wait(self._place.tat or 0.0, self._clock())) > 0:
                await self._sleep(wait)
            counted = self._clock()
            self._place.tat = self._budget.spend(self._place.tat or 0.0, counted)
            await self._save()

    async def _save(self) -> None:
        try:
            await self._host.save_cursor(self._place.text)
        except TryAgain:
            raise LeaseLost from None

    async def _fail(self, what: str, wait: float) -> None:
        """It is said once: an outage of a day is one line."""
        self._failures += 1
        if self._down != what:
            log.error("weibo_unreachable", error=what)
        self._down = what
        await self._sleep(wait)

    def _fine(self) -> None:
        if self._down is not None:
            log.info("weibo_reachable")
        self._failures, self._down = 0, None

    async def _new_token(self, error: TokenRefused) -> None:
        """Nothing is asked until a person has put another token into the file; Weibo keeps what comes meanwhile."""
        log.error("weibo_token_refused", code=error.code)
        while await self._api.has_refused_token():
            await self._sleep(TOKEN_LOOK)
        self._place.token_checked = 0.0
        log.info("weibo_token_renewed")

    async def _check_token(self) -> None:
        """Once a day: a token cannot be renewed by a program, so a person must hear days ahead that it ends."""
        if self._clock() - self._place.token_checked < TOKEN_EVERY:
            return
        answer: dict[str, Any] = {}
        again = TOKEN_EVERY
        try:
            answer = await self._counted(lambda: self._api.post(f"{self._config.api}/oauth2/get_token_info"))
        except TokenRefused as error:
            await self._new_token(error)
            return
        except WeiboError as error:
            log.warning("weibo_token_unknown", code=error.code)
            again = TOKEN_EVERY if isinstance(error, Refused) else TOKEN_AGAIN
        self._place.token_checked = self._clock() - TOKEN_EVERY + again
        await self._save()
        left = answer.get("expire_in", self._stated())
        if isinstance(left, int | float) and left < SOON:
            log.error("weibo_token_expires_soon", days=round(left / 86_400, 1))

    def _stated(self) -> float | None:
        """Seconds until the end that the operator wrote down."""
        ends = self._config.token_expires_at
        return ends.timestamp() - self._clock() if ends is not None else None
