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
        """How many there are now with this one, when that is a full round of the configured count; else None.

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
        return count if count % self._config.count == 0 else None
