"""How the Chinese platforms push: five seconds for the answer, then up to three tries more; signed by SHA-1.

May not know what is pushed.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import ClientError, ClientSession, ClientTimeout


def signature(*parts: str) -> str:
    """STANDARDS 5.1, 5.3: SHA-1 in hex over the parts, sorted and joined."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


@dataclass
class Try:
    """One request to the callback; status 0: no answer, `error` says why."""

    status: int
    body: bytes
    error: str = ""


@dataclass
class Push:
    """One message on its way to the callback."""

    tries: list[Try] = field(default_factory=list)

    @property
    def taken(self) -> bool:
        return bool(self.tries) and self.tries[-1].status == 200

    @property
    def answer(self) -> bytes:
        return self.tries[-1].body if self.taken else b""


@dataclass
class Pusher:
    """Sends to one callback. `query` is asked before every try, because a try is signed when it is made; with
    `same_signature` the first one serves all, which no document excludes."""

    http: ClientSession
    patience: float = 5.0
    pause: float = 0.0
    more: int = 3
    same_signature: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def nonce(self) -> str:
        return str(self.dice.randrange(10**7, 10**10))

    async def send(
        self, url: str, body: Callable[[], bytes], query: Callable[[bytes], dict[str, str]], content_type: str
    ) -> Push:
        """Until it is taken, or the tries are used up."""
        push = Push()
        sealed = body()
        params = query(sealed)
        for number in range(1 + self.more):
            if number and not self.same_signature:
                sealed = body()
                params = query(sealed)
            if number and self.pause:
                await asyncio.sleep(self.pause)
            push.tries.append(await self._try(url, sealed, params, content_type))
            if push.taken:
                break
        return push

    async def ask(self, url: str, params: dict[str, str]) -> Try:
        """A GET: is the callback ours?"""
        try:
            async with self.http.get(url, params=params, timeout=ClientTimeout(self.patience)) as answer:
                return Try(answer.status, await answer.read())
        except (ClientError, TimeoutError) as error:
            return Try(0, b"", type(error).__name__)

    async def _try(self, url: str, body: bytes, params: dict[str, str], content_type: str) -> Try:
        headers = {"Content-Type": content_type}
        patience = ClientTimeout(self.patience)
        try:
            async with self.http.post(url, data=body, params=params, headers=headers, timeout=patience) as answer:
                return Try(answer.status, await answer.read())
        except (ClientError, TimeoutError) as error:
            return Try(0, b"", type(error).__name__)
