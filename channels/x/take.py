"""Takes posts as they were listed: their pictures first, then accept, the oldest first.

May not lose a post because something beside it failed, nor hold the others up for one that fails again and again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from channels.contract import Host
from channels.social.envelope import pack
from channels.social.pictures import Pictures
from channels.x.config import XConfig
from channels.x.parse import CHANNEL, Read, inbound_of, understand
from normalizer.errors import Rejected, TryAgain
from normalizer.identity import content_digest
from normalizer.ticket import Raw

log = structlog.get_logger(__name__)

TOGETHER: Final = 20
"""Posts whose pictures are fetched, and which wait for one fsync, together."""
KNOWN: Final = 2_000
LEAST: Final = 0.1
CONTENT_TYPE: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Listed:
    """A post that is to be taken, and what was read of it; None: reading it failed by a mistake of ours."""

    body: bytes
    source_id: str
    found: Read | None


class Taker:
    """`owed`: how many posts could not be accepted, for a reason that is not theirs; the next `take` begins with
    them."""

    def __init__(self, config: XConfig, host: Host, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._config = config
        self._host = host
        self._sleep = sleep
        self._pictures = Pictures(config.picture_hosts, config.allow_private)
        self._known: OrderedDict[str, None] = OrderedDict()
        self._owed: list[Raw] = []

    @property
    def owed(self) -> int:
        """So long as it is not 0 the place may not move."""
        return len(self._owed)

    async def take(self, bodies: Sequence[bytes]) -> None:
        """Accept them, in this order, after what is owed."""
        owed, self._owed = self._owed, []
        await self._offer(owed)
        listed = [one for body in bodies if (one := self._read(body)) is not None]
        for begin in range(0, len(listed), TOGETHER):
            some = listed[begin : begin + TOGETHER]
            await self._offer(await asyncio.gather(*map(self._raw, some)))

    def _read(self, body: bytes) -> Listed | None:
        """None: there is nothing to take, because it was taken, or is no request and never will be."""
        try:
            found = understand(body)
            if found.source_id in self._known:
                return None
            inbound_of(found, self._config)
        except Rejected as error:
            if error.code != "own_post":
                log.warning("x_post_refused", code=error.code)
            return None
        except Exception as error:  # our mistake: it is kept, parked by the pump, and replayed with newer code
            log.error("x_post_unreadable", error=type(error).__name__)
            return Listed(body, f"unread:{content_digest(body)}", None)
        return Listed(body, found.source_id, found)

    async def _raw(self, one: Listed) -> Raw:
        found, body = one.found, one.body
        if found is not None and found.post.pictures:
            fetched = await self._pictures.fetch(found.post.pictures)
            missing = found.post.media - len(fetched.files)
            body = await asyncio.to_thread(pack, body, fetched.files, max(missing, 0))
        return Raw(
            channel=CHANNEL,
            source_id=one.source_id,
            received_at=datetime.now(UTC),
            body=body,
            content_type=CONTENT_TYPE,
            meta={"digest": found.digest} if found else {},
        )

    async def _offer(self, raws: Sequence[Raw]) -> None:
        """Side by side, for one fsync, and begun in their order: what was written first opens the ticket."""
        while raws:
            outcomes = await asyncio.gather(*map(self._host.accept, raws), return_exceptions=True)
            later, after = [], 0.0
            for raw, outcome in zip(raws, outcomes, strict=True):
                if isinstance(outcome, TryAgain):
                    later.append(raw)
                    after = max(after, outcome.after, LEAST)
                else:
                    self._settle(raw, outcome)
            raws = later
            if raws:
                log.warning("x_deferred", count=len(raws), after=after)
                await self._sleep(after)

    def _settle(self, raw: Raw, outcome: object) -> None:
        if isinstance(outcome, Rejected):
            log.warning("x_post_refused", code=outcome.code)
        elif isinstance(outcome, Exception):
            log.error("x_post_not_accepted", error=type(outcome).__name__)
            self._owed.append(raw)
            return
        elif isinstance(outcome, BaseException):
            raise outcome
        self._known[raw.source_id] = None
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
