"""Who calls, as far as the citizen says: name, and the wish to stay unnamed. May not guess a name or a sex."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from channels.phone.roles import Line
from channels.phone.rules import Data, Words, load
from normalizer.ticket import Speaker

_SAID: Final = 2_000  # characters of a turn looked at


class _Book(Data):
    full_name: Words
    family_name: Words
    addressed: Words
    anonymous: Words
    confidential: Words
    not_confidential: Words
    asks_confidential: Words
    asks_anonymous: Words
    no: Words


_BOOK: Final = load("requester", _Book)
# Each alternative names its group itself, so they cannot share one pattern.
_FULL: Final = tuple(re.compile(one) for one in _BOOK.full_name.any)
_FAMILY: Final = tuple(re.compile(one) for one in _BOOK.family_name.any)
_ADDRESSED: Final = _BOOK.addressed.compiled()
_ANONYMOUS: Final = _BOOK.anonymous.compiled()
_CONFIDENTIAL: Final = _BOOK.confidential.compiled()
_NOT_CONFIDENTIAL: Final = _BOOK.not_confidential.compiled()
_ASKS_CONFIDENTIAL: Final = _BOOK.asks_confidential.compiled()
_ASKS_ANONYMOUS: Final = _BOOK.asks_anonymous.compiled()
_NO: Final = _BOOK.no.compiled()


class Caller(NamedTuple):
    """What the talk says about who calls."""

    name: str | None
    anonymous: bool
    confidential: bool


def caller_of(lines: Sequence[Line]) -> Caller:
    """Name (with the title by which the agent addresses the caller) and wishes; no name when anonymous."""
    anonymous = confidential = False
    asked = ""
    for line in lines:
        text = line.text[:_SAID]
        if line.role is Speaker.AGENT:
            asked = text
        elif line.role is Speaker.CITIZEN:
            if _NOT_CONFIDENTIAL.search(text):
                continue
            agrees = not _NO.search(text.strip())
            anonymous = anonymous or bool(_ANONYMOUS.search(text)) or (agrees and bool(_ASKS_ANONYMOUS.search(asked)))
            confidential = confidential or bool(_CONFIDENTIAL.search(text))
            confidential = confidential or (agrees and bool(_ASKS_CONFIDENTIAL.search(asked)))
            asked = ""
    return Caller(None if anonymous else _name(lines), anonymous, confidential)


def _name(lines: Sequence[Line]) -> str | None:
    said = [line.text[:_SAID] for line in lines if line.role is Speaker.CITIZEN]
    heard = [line.text[:_SAID] for line in lines if line.role is Speaker.AGENT]
    full = _first(_FULL, said)
    if full:
        return full["name"]
    family = _first(_FAMILY, said)
    if not family:
        return None
    name = family["name"]
    title = re.compile(f"{re.escape(name)}(?:{_ADDRESSED.pattern})")
    return next((found[0] for text in heard if (found := title.search(text))), name)


def _first(patterns: Sequence[re.Pattern[str]], texts: Sequence[str]) -> re.Match[str] | None:
    return next((found for text in texts for pattern in patterns if (found := pattern.search(text))), None)
