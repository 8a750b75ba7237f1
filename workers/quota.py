"""How many receipts one address gets in an hour, and other such limits: an end to loops with programs.

May not keep an address: only its digest, and for an hour.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from datetime import datetime
from typing import Any, Final, cast

from redis.asyncio import Redis

from normalizer.ticket import ReplyAddress
from workers import keys

WINDOW: Final = 3600  # seconds


class Places:
    """So many places under a key within a `window` of seconds."""

    def __init__(self, client: Redis, *, count: int, window: int) -> None:
        self._script = client.register_script(keys.script("quota"))
        self._count = count
        self._window = window

    async def take(self, key: str, sending: str, now: datetime) -> bool:
        """Whether `sending` has a place under this key. The same sending again has the place it took.

        Raises:
            redis.RedisError: Redis is away.
        """
        arguments: list[str | float] = [sending, now.timestamp(), self._window, self._count]
        return bool(await cast(Awaitable[Any], self._script(keys=[key], args=arguments)))


class Quota:
    """`per_hour` sendings to one address (RFC 3834 section 2: a responder limits what it sends to one address)."""

    def __init__(self, client: Redis, *, per_hour: int) -> None:
        self._places = Places(client, count=per_hour, window=WINDOW)

    async def take(self, to: ReplyAddress, sending: str, now: datetime) -> bool:
        """Whether `sending` may go to this address now. The same sending again has the place it took.

        Raises:
            redis.RedisError: Redis is away.
        """
        key = keys.replies(hashlib.sha256(f"{to.channel}\0{to.address.lower()}".encode()).hexdigest()[:32])
        return await self._places.take(key, sending, now)
