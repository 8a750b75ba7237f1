"""A poller's place in its source, kept in Redis for whichever gateway polls: one at a time, by a lease.

May not let two gateways move one place: what is saved by who lost the lease is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any, Final, cast
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from normalizer.errors import TryAgain
from workers import keys

log = structlog.get_logger()

LEASE: Final = 15.0
"""Seconds after which another gateway polls, when this one was killed."""
RENEWALS: Final = 3
AWAY: Final = 1.0
_TAKE, _KEEP, _LEAVE = "take", "keep", "leave"


class PollerPlace:
    """The place of one channel. Waits while Redis is away: the source keeps what comes meanwhile."""

    def __init__(self, client: Redis, channel: str, *, lease: float = LEASE) -> None:
        self._script = client.register_script(keys.script("poll"))
        self._keys = [keys.poller(channel), keys.cursor(channel)]
        self._channel = channel
        self._lease = lease
        self._token = uuid4().hex
        self._renewing: asyncio.Task[None] | None = None

    async def load(self) -> str | None:
        """The cursor saved last, None at first; returns when this gateway is the one that polls."""
        while (found := await self._insist(_TAKE)) is None:  # noqa: ASYNC110 - a lease that ends tells nobody
            await asyncio.sleep(self._lease / RENEWALS)
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())
        log.info("poller_turn", channel=self._channel)
        return found[0].decode() if found else None

    async def save(self, cursor: str) -> None:
        """Move the place.

        Raises:
            TryAgain: another gateway may be polling: load again.
        """
        if await self._insist(_KEEP, cursor) is None:
            raise TryAgain(0.0, "another gateway polls now")

    async def leave(self) -> None:
        """Let another gateway poll at once, if Redis can be told."""
        if self._renewing is None:
            return
        self._renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._renewing
        self._renewing = None
        with contextlib.suppress(RedisError, OSError):
            await self._call(_LEAVE)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease / RENEWALS)
            with contextlib.suppress(RedisError, OSError):  # the next time, or never: then it is over by itself
                if await self._call(_KEEP) is None:
                    log.warning("poller_lease_lost", channel=self._channel)
                    return

    async def _insist(self, word: str, *cursor: str) -> list[bytes] | None:
        while True:
            try:
                return await self._call(word, *cursor)
            except (RedisError, OSError):
                await asyncio.sleep(AWAY)

    async def _call(self, word: str, *cursor: str) -> list[bytes] | None:
        """The cursor, if there is one; None: the lease is another's, or over."""
        arguments: list[str | int] = [word, self._token, round(self._lease * 1000), *cursor]
        return cast("list[bytes] | None", await cast(Awaitable[Any], self._script(keys=self._keys, args=arguments)))
