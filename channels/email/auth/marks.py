"""The marks of a mail as they travel in `Raw.meta`. Pure, and total over what stands there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from normalizer.ticket import Verification

META: Final = "verified"
"""Where they stand in `Raw.meta`."""
METHODS: Final = ("spf", "dkim", "dmarc", "arc", "auth")
RESULTS: Final = frozenset({"none", "pass", "fail", "policy", "neutral", "softfail", "temperror", "permerror"})
"""RFC 8601 2.7."""
LENGTH_MAX: Final = 1_000


def encode(found: Mapping[str, str]) -> str:
    """One JSON object of method and result, in the order of `METHODS`; empty when there is none."""
    marks = {method: found[method] for method in METHODS if method in found}
    return json.dumps(marks, separators=(",", ":")) if marks else ""


def decode(text: str | None) -> tuple[Verification, ...]:
    """What `encode` wrote. Anything else in there is ignored: a mark is no reason to fail."""
    try:
        found = json.loads(text) if text and len(text) <= LENGTH_MAX else None
    except (ValueError, RecursionError):
        return ()
    if not isinstance(found, dict):
        return ()
    said = {method: found.get(method) for method in METHODS}
    return verifications({method: word for method, word in said.items() if isinstance(word, str) and word in RESULTS})


def verifications(found: Mapping[str, str]) -> tuple[Verification, ...]:
    """The same for the ticket."""
    return tuple(Verification(method=method, result=found[method]) for method in METHODS if method in found)
