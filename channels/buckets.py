"""Token buckets per client, for channels that meet their clients themselves.

May not block, may not grow without bound, and reads no clock but the one it is given.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

Clock = Callable[[], float]


def client_key(address: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 /64 (a household or device has at least that)."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))


class Buckets:
    """Token buckets by key: `burst` at once, then one every 60/`per_minute` seconds. Only the `size` keys used last
    are remembered: a forgotten one starts full."""

    def __init__(self, *, burst: int, per_minute: float, size: int, clock: Clock = time.monotonic) -> None:
        self._burst = float(burst)
        self._per_second = per_minute / 60
        self._size = size
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> float:
        """One token of `key`'s bucket: 0 when it was given, else the seconds until the next one."""
        now = self._clock()
        tokens, since = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        granted = tokens >= 1
        self._buckets[key] = (tokens - 1 if granted else tokens, now)
        if len(self._buckets) > self._size:
            self._buckets.popitem(last=False)
        return 0.0 if granted else (1 - tokens) / self._per_second
