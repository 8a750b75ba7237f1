"""Public addresses of posts: Weibo writes an id in base 62, seven decimal digits at a time.

Pure. Where an address cannot be built there is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from channels.weibo.documents import author_of, identity_of

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHORT: Final = re.compile(r"[0-9A-Za-z]{5,16}")
_GROUP: Final = 10_000_000
_WIDTH: Final = 4
_OLD: Final = 10**15
"""Ids below are from before 2011, when an id was not what the address names."""


def link_of(status: Mapping[str, Any]) -> str | None:
    """Where everybody can read the post."""
    author, identity = author_of(status), identity_of(status)
    given = status.get("mblogid") or status.get("bid")
    if author is None or identity is None:
        return None
    if isinstance(given, str) and _SHORT.fullmatch(given):
        return f"https://weibo.com/{author}/{given}"
    return f"https://weibo.com/{author}/{base62(int(identity))}" if int(identity) >= _OLD else None


def base62(identity: int) -> str:
    """As in the post's address; every group of seven digits but the first is filled up to four characters."""
    groups = []
    while identity:
        identity, group = divmod(identity, _GROUP)
        written = _digits(group)
        groups.append(written.rjust(_WIDTH, "0") if identity else written)
    return "".join(reversed(groups))


def _digits(number: int) -> str:
    written = ""
    while number or not written:
        number, digit = divmod(number, len(_ALPHABET))
        written = _ALPHABET[digit] + written
    return written
