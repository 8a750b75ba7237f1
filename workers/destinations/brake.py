"""The brake all workers share, in Redis: `jiesu:slow:<name>` (expires by itself) and `jiesu:disabled:<name>`.
May not decide when to brake: destinations do.
"""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis

from workers.destinations.contract import Hold

SLOW: Final = "jiesu:slow:"
DISABLED: Final = "jiesu:disabled:"


class RedisBrake:
    """Brake on `client`. Every change may safely be sent twice. Raises redis.RedisError: Redis is away."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def get(self, name: str) -> Hold | None:
        """The hold on destination `name`; being disabled comes before being slow."""
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.get(DISABLED + name)
            pipe.get(SLOW + name)
            pipe.pttl(SLOW + name)
            disabled, slow, left = await pipe.execute()
        if disabled is not None:
            return Hold(_text(disabled), None)
        # The key may expire between the two reads: then `left` is -2.
        if slow is not None and left > 0:
            return Hold(_text(slow), left / 1000)
        return None

    async def set(self, name: str, hold: Hold) -> None:
        """Hold destination `name`; of two holds the longer stays."""
        if hold.seconds is None:
            await self._client.set(DISABLED + name, hold.reason)
            return
        milliseconds = max(1, round(hold.seconds * 1000))
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.set(SLOW + name, hold.reason, px=milliseconds, nx=True)
            pipe.pexpire(SLOW + name, milliseconds, gt=True)
            await pipe.execute()

    async def enable(self, name: str) -> None:
        """The operator's word that destination `name` may be called again."""
        await self._client.delete(DISABLED + name, SLOW + name)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
