"""Counts tickets that are alike: of one place, under one rule of the catalogue, within a span of time.

May not compare words: whether two tickets are the same matter is another step's.
"""

from __future__ import annotations

from datetime import datetime

from redis.asyncio import Redis

from workers import keys
from workers.alarm_config import AlikeConfig


class Alike:
    """Adding a ticket again changes nothing."""

    def __init__(self, client: Redis, config: AlikeConfig) -> None:
        self._client = client
        self._config = config

    async def crosses(self, place: str, rule: str, ticket_id: str, now: datetime) -> int | None:
        """How many there are now with this one, when they are as many as configured and no other ticket has said so
        within the span; else None. Asked again with the same ticket, it says so again.

        Raises:
            redis.RedisError: Redis is away.
        """
        key, moment, span = keys.alike(place, rule), now.timestamp(), round(self._config.minutes * 60)
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.zremrangebyscore(key, "-inf", moment - span)
            pipe.zadd(key, {ticket_id: moment}, nx=True)
            pipe.zcard(key)
            pipe.expire(key, span)
            count = int((await pipe.execute())[2])
        if count < self._config.count:
            return None
        told = keys.alike_told(place, rule)
        by = await self._client.set(told, ticket_id, nx=True, get=True, px=round(self._config.minutes * 60_000))
        return count if by in (None, ticket_id, ticket_id.encode()) else None
