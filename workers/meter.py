"""How many calls of a platform's API replies may use in a day, over all workers: evenly, with half of them at once.

May not know what a call is or what it costs: the channel says so (channels.reply.Metered).
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Any, Final, cast

from redis.asyncio import Redis

from channels.reply import Allowance
from workers import keys

DAY: Final = 86_400.0
RESERVED: Final = 0.5
"""Share of what may be used at once that is kept for what people decided."""


class Meter:
    """A GCRA for each channel: in no 24 hours more than its allowance, wherever the platform's day begins."""

    def __init__(self, client: Redis) -> None:
        self._script = client.register_script(keys.script("meter"))

    async def take(self, channel: str, allowance: Allowance, now: datetime, *, reserved: float = 0.0) -> float:
        """Count one reply; 0, or the seconds until there is room for it (then nothing was counted). `reserved`: the
        share of what may be used at once that this reply must leave to others.

        Raises:
            redis.RedisError: Redis is away.
        """
        at_once = max(allowance.per_day / 2, float(allowance.calls))
        apart = DAY / max(allowance.per_day - at_once, 1.0)
        room = at_once * apart * (1 - reserved)
        arguments = [now.timestamp(), allowance.calls * apart, max(room, allowance.calls * apart)]
        answer = await cast(Awaitable[Any], self._script(keys=[keys.meter(channel)], args=arguments))
        return float(answer)
