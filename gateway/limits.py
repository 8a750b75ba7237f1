"""How often: token buckets per client, and wrong codes per ticket number. Local, so that they hold with Redis
away.

May not block, may not grow without bound, and reads no clock but the one it is given.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from channels import buckets
from channels.buckets import Clock
from channels.problem import problem

HOUR: Final = 3600.0
NUMBERS_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Too often: `quota` per `window` seconds. `after`: seconds until the next try can succeed."""

    policy: str
    quota: int
    window: float
    after: float


def too_many(refusal: Refusal) -> web.Response:
    """429 with Retry-After (RFC 9110 10.2.3) and the fields of draft-ietf-httpapi-ratelimit-headers-11."""
    after = max(1, math.ceil(refusal.after))
    return problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_requests",
        "Too many requests. Please wait and send it again.",
        headers={
            "Retry-After": str(after),
            "RateLimit-Policy": f'"{refusal.policy}";q={refusal.quota};w={math.ceil(refusal.window)}',
            "RateLimit": f'"{refusal.policy}";r=0;t={after}',
        },
    )


class Buckets:
    """Token buckets by client (channels/buckets.py), whose refusal names the `policy` it follows."""

    def __init__(self, policy: str, *, burst: int, per_minute: float, size: int, clock: Clock = time.monotonic) -> None:
        self._policy = policy
        self._burst = burst
        self._window = burst * 60 / per_minute
        self._buckets = buckets.Buckets(burst=burst, per_minute=per_minute, size=size, clock=clock)

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> Refusal | None:
        """One token of `key`'s bucket, or why not."""
        after = self._buckets.take(key)
        return Refusal(self._policy, self._burst, self._window, after) if after else None


class Guesses:
    """Wrong codes per ticket number: `per_hour` in any hour, whoever tries, also from this machine.

    A try counts as wrong until `right` says otherwise, so that a thousand tries at once are still five.
    """

    def __init__(self, per_hour: int, *, size: int = NUMBERS_REMEMBERED, clock: Clock = time.monotonic) -> None:
        self._per_hour = per_hour
        self._size = size
        self._clock = clock
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tries)

    def attempt(self, number: str) -> Refusal | None:
        """None: the code may be looked at (call `right` if it was right). Otherwise why not."""
        now = self._clock()
        tries = self._tries.pop(number, None) or deque()
        while tries and now - tries[0] >= HOUR:
            tries.popleft()
        self._tries[number] = tries
        if len(self._tries) > self._size:
            self._tries.popitem(last=False)
        if len(tries) >= self._per_hour:
            return Refusal("guesses", self._per_hour, HOUR, after=tries[0] + HOUR - now)
        tries.append(now)
        return None

    def right(self, number: str) -> None:
        """The last attempt was no guess: give it back."""
        tries = self._tries.get(number)
        if tries:
            tries.pop()
            if not tries:
                del self._tries[number]
