"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): what makes two HTTP requests the same submission.

May not keep keys: the spool knows what was accepted under which source id.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from aiohttp import web

from normalizer.errors import Fault, Rejected

KEY_MAX: Final = 255
# A structured-field string (RFC 9651 3.3.3: printable ASCII, `\` before `"` and `\`), or the same, bare.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')
_BARE = re.compile(r"[!#-\[\]-~]+")


def key_of(request: web.Request) -> str | None:
    """The request's key within the scope of its caller, hashed; None when it gives none.

    Raises:
        Rejected: the key is malformed, too long, or given twice.
    """
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    match = _QUOTED.fullmatch(keys[0]) or _BARE.fullmatch(keys[0])
    if len(keys) > 1 or match is None or len(keys[0]) > KEY_MAX:
        detail = f"Idempotency-Key is one string of 1 to {KEY_MAX} ASCII characters."
        raise Rejected("idempotency_key_invalid", detail, [Fault("", "idempotency_key_invalid", detail)])
    key = re.sub(r"\\(.)", r"\1", match[1]) if match.re is _QUOTED else match[0]
    return sha256(f"{request.get('caller', '')}\0{key}".encode()).hexdigest()
