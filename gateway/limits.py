"""How often: token buckets per client, and wrong codes per ticket number. Local, so that they hold with Redis
away.

May not block, may not grow without bound, and reads no clock but the one it is given.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from channels.problem import problem

HOUR: Final = 3600.0
NUMBERS_REMEMBERED: Final = 100_000

Clock = Callable[[], float]


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


def client_key(address: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 /64 (a household or device has at least
    that)."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, 64), strict=False))


class Buckets:
    """Token buckets by key: `burst` at once, then one every 60/`per_minute` seconds. Only the `size` keys
    used last are remembered: a forgotten one starts full."""

    def __init__(self, policy: str, *, burst: int, per_minute: float, size: int, clock: Clock = time.monotonic) -> None:
        self._policy = policy
        self._burst = burst
        self._per_second = per_minute / 60
        self._size = size
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> Refusal | None:
        """One token of `key`'s bucket, or why not."""
        now = self._clock()
        tokens, since = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - since) * self._per_second)
        granted = tokens >= 1
        self._buckets[key] = (tokens - 1 if granted else tokens, now)
        if len(self._buckets) > self._size:
            self._buckets.popitem(last=False)
        if granted:
            return None
        return Refusal(self._policy, self._burst, self._burst / self._per_second, after=(1 - tokens) / self._per_second)


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
