"""What a vendor's answer means: taken, never, not now, or nobody knows.

Pure. Of an answer's body only codes are kept, and only if they look like codes: its words repeat numbers and texts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from channels.contract import Delivery
from channels.sms.config import Answers, SmsConfig
from normalizer.errors import TryAgain

_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,40}")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9_.:/+=-]{1,100}")
_BUSY: Final = frozenset({429, 503})
_OURS: Final = frozenset({401, 403, 404, 405, 407})
"""Key, address or method: our configuration is wrong, no citizen is to blame. The request was not taken."""
LATER: Final = 300.0
"""Seconds until the operator may have repaired it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`retry_after`: seconds, if the vendor said so."""

    status: int
    body: bytes
    retry_after: float | None = None


class Doubt(Exception):
    """It is unknown whether the message went out. `reason` is without personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def judge(answer: Answer, config: SmsConfig) -> Delivery:
    """`sent`, `failed` or `not_allowed`, with the vendor's code.

    Raises:
        TryAgain: it was not taken; the same may be taken later.
        Doubt: it may have been taken.
    """
    if answer.status in _BUSY:
        raise TryAgain(answer.retry_after or config.retry_after, "the vendor takes no message now")
    rules = config.answers
    document = _document(answer.body)
    code = _at(document, rules.code) if rules.code else None
    if code is not None and _CODE.fullmatch(code):
        if (said := _by_code(code, rules, config)) is not None:
            return said
        if answer.status in rules.status:
            if code in rules.accepted or code in rules.duplicate:
                return Delivery(outcome="sent", reference=_reference(document, rules))
            return Delivery(outcome="failed", reason=f"code_{code}")
    if answer.status in rules.status:
        if rules.code is None:
            return Delivery(outcome="sent", reference=_reference(document, rules))
        raise Doubt("no_code")
    if answer.status in _OURS or 300 <= answer.status < 400:
        raise TryAgain(LATER, "the vendor refuses us")
    if answer.status >= 500:
        raise Doubt(f"status_{answer.status}")
    return Delivery(outcome="failed", reason=f"code_{code}" if _is_code(code) else f"status_{answer.status}")


def _by_code(code: str, rules: Answers, config: SmsConfig) -> Delivery | None:
    """Of codes that mean the same whatever the status is. Raises TryAgain."""
    if code in rules.temporary:
        raise TryAgain(config.retry_after, "the vendor takes no message now")
    if code in rules.not_allowed:
        return Delivery(outcome="not_allowed", reason=f"code_{code}")
    return None


def _is_code(code: str | None) -> bool:
    return code is not None and _CODE.fullmatch(code) is not None


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _at(document: Any, path: str) -> str | None:
    """The text or number that stands at `path`: names and places in lists, with dots between."""
    for part in path.split("."):
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, list) and part.isascii() and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return None
    if isinstance(document, bool):
        return "true" if document else "false"
    return str(document) if isinstance(document, str | int) else None


def _reference(document: Any, rules: Answers) -> str | None:
    found = _at(document, rules.reference) if rules.reference else None
    return found if found is not None and _REFERENCE.fullmatch(found) else None
