"""The signatures of the Chinese platforms' pushes: SHA-1 over what was sorted, good for one message, for a while.

Pure but for the clock it is given. Such a signature does not cover the message, so one (timestamp, nonce) is good for
one message only: the same again is the platform trying again.
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import sha1


def signed(secret: str, *parts: str) -> str:
    """Hex SHA-1 over the secret and the parts, sorted and joined."""
    return sha1("".join(sorted((secret, *parts))).encode(), usedforsecurity=False).hexdigest()


def any_same(given: str, expected: Iterable[str]) -> bool:
    """In constant time for each, and every one is looked at."""
    return bool(given) and sum(hmac.compare_digest(given.encode(), one.encode()) for one in expected) > 0


class Freshness:
    """Remembers which message came with which (timestamp, nonce), for as long as that is fresh.

    Only what carries a good signature is to be remembered; of more than `size` the oldest are forgotten.
    """

    def __init__(self, tolerance: float, *, size: int = 100_000, clock: Callable[[], float] = time.time) -> None:
        """`tolerance`, and what `clock` gives: seconds."""
        self._tolerance = tolerance
        self._size = size
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()

    def stale(self, moment: float) -> bool:
        """Whether it is older, or further in the future, than is tolerated; unix seconds."""
        return abs(self._clock() - moment) > self._tolerance

    def replayed(self, timestamp: str, nonce: str, message: str) -> bool:
        """Whether the two came with another message; else it is remembered."""
        now = self._clock()
        while self._seen and (next(iter(self._seen.values()))[0] < now or len(self._seen) > self._size):
            self._seen.popitem(last=False)
        _, before = self._seen.setdefault((timestamp, nonce), (now + 2 * self._tolerance, message))
        return before != message
