"""WeChat's signatures: whether a request is from someone who knows the token, is fresh, and is no replay.

No I/O, and no clock but the one it is given. A plain signature does not cover the message (developers.weixin.qq.com,
消息加解密说明), so one (timestamp, nonce) is good for one message: the same again is WeChat trying again.
"""

from __future__ import annotations

import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha1
from typing import Final, Self

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_NONCE: Final = re.compile(r"[!-~]{1,128}")
_HEX: Final = re.compile(r"[0-9a-f]{40}")


def signed(token: str, *parts: str) -> str:
    """Hex SHA-1 over the token and the parts, sorted and joined."""
    return sha1("".join(sorted((token, *parts))).encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Signature:
    """What the query of a request says: `plain` covers the token only, `sealed` the encrypted message too."""

    timestamp: str
    nonce: str
    plain: str
    sealed: str
    aes: bool

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self | None:
        """The signature of a request; None when it has none, or one that WeChat never makes."""
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        plain, sealed = query.get("signature", ""), query.get("msg_signature", "")
        if not _TIMESTAMP.fullmatch(timestamp) or not _NONCE.fullmatch(nonce):
            return None
        if not all(_HEX.fullmatch(one) or not one for one in (plain, sealed)) or not (plain or sealed):
            return None
        return cls(timestamp, nonce, plain, sealed, query.get("encrypt_type") == "aes")

    def covers_token(self, tokens: Iterable[str]) -> bool:
        """Whether the plain signature is by one of the tokens."""
        return _any_same(self.plain, (signed(token, self.timestamp, self.nonce) for token in tokens))

    def covers_message(self, tokens: Iterable[str], encrypted: str) -> bool:
        """Whether the signature over the encrypted message is by one of the tokens."""
        return _any_same(self.sealed, (signed(token, self.timestamp, self.nonce, encrypted) for token in tokens))


class Freshness:
    """Remembers which message came with which (timestamp, nonce), for as long as that is fresh.

    Only what carries a good signature is remembered; of more than `size` the oldest are forgotten.
    """

    def __init__(self, tolerance: float, *, size: int = 100_000, clock: Callable[[], float] = time.time) -> None:
        self._tolerance = tolerance
        self._size = size
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()

    def stale(self, signature: Signature) -> bool:
        """Whether it is older, or further in the future, than is tolerated."""
        return abs(self._clock() - int(signature.timestamp)) > self._tolerance

    def replayed(self, signature: Signature, message: str) -> bool:
        """Whether the same timestamp and nonce came with another message; else it is remembered."""
        now = self._clock()
        while self._seen and (next(iter(self._seen.values()))[0] < now or len(self._seen) > self._size):
            self._seen.popitem(last=False)
        _, before = self._seen.setdefault((signature.timestamp, signature.nonce), (now + 2 * self._tolerance, message))
        return before != message


def _any_same(given: str, expected: Iterable[str]) -> bool:
    """In constant time for each, and every one is looked at."""
    return bool(given) and sum(hmac.compare_digest(given, one) for one in expected) > 0
