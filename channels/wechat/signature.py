"""WeChat's signatures: what the query of a request says, and whether it is from someone who knows the token.

Pure. A plain signature does not cover the message (developers.weixin.qq.com, 消息加解密说明), a sealed one does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from channels.social.signed import any_same, signed

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_NONCE: Final = re.compile(r"[!-~]{1,128}")
_HEX: Final = re.compile(r"[0-9a-f]{40}")


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
        return any_same(self.plain, (signed(token, self.timestamp, self.nonce) for token in tokens))

    def covers_message(self, tokens: Iterable[str], encrypted: str) -> bool:
        """Whether the signature over the encrypted message is by one of the tokens."""
        return any_same(self.sealed, (signed(token, self.timestamp, self.nonce, encrypted) for token in tokens))
