"""The brake all workers share, in Redis: `jiesu:slow:<name>`, `jiesu:failing:<name>` (both expire by themselves) and
`jiesu:disabled:<name>`. May not decide when to brake: destinations do.
"""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis

from workers.destinations.contract import Hold

SLOW: Final = "jiesu:slow:"
DISABLED: Final = "jiesu:disabled:"
FAILING: Final = "jiesu:failing:"

FIRST: Final = 5.0  # seconds of rest after the first failure; twice as many after each further one
LONGEST: Final = 300.0  # seconds: of a worker's time, one that never answers then takes less than a tenth
FORGOTTEN: Final = 3600  # seconds after which a failure does not count any more


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

    async def failed(self, name: str, reason: str) -> None:
        """Hold a destination that did not answer, twice as long as the last time. One that is held already stays as it
        is: several workers found out at the same time, and that is one failure."""
        count = int(await self._client.get(FAILING + name) or 0)
        milliseconds = round(min(FIRST * 2 ** min(count, 16), LONGEST) * 1000)
        if await self._client.set(SLOW + name, reason, px=milliseconds, nx=True):
            await self._client.set(FAILING + name, count + 1, ex=FORGOTTEN)

    async def answered(self, name: str) -> None:
        """The next failure is the first again."""
        await self._client.delete(FAILING + name)

    async def enable(self, name: str) -> None:
        """The operator's word that destination `name` may be called again."""
        await self._client.delete(DISABLED + name, SLOW + name, FAILING + name)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
