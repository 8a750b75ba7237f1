"""Danger that shows in the seat's words: it puts the caller through to rescue, or asks and the caller says yes.

Pure. Adds to `normalizer.alarms`, which reads the citizen's own words; may not take an alarm away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from channels.phone.roles import Line
from channels.phone.rules import Data, Words, anyone, load
from normalizer.ticket import Flag, Note, Speaker

STEP: Final = "phone"
_SAID: Final = 400  # characters of a turn looked at


class _Ask(Words):
    code: str
    flags: tuple[Flag, ...]


class _Book(Data):
    acts: Words
    ask: tuple[_Ask, ...]
    yes: Words
    no: Words
    over: Words


_BOOK: Final = load("danger", _Book)
_ACTS: Final = _BOOK.acts.compiled()
_ASKS: Final = tuple((ask, ask.compiled()) for ask in _BOOK.ask)
_ANY: Final = anyone(word for words in (_BOOK.acts, *_BOOK.ask) for word in words.any)  # most turns hold none
_YES: Final = _BOOK.yes.compiled()
_NO: Final = _BOOK.no.compiled()
_OVER: Final = _BOOK.over.compiled()


def danger_of(lines: Sequence[Line]) -> tuple[tuple[Flag, ...], tuple[Note, ...]]:
    """The flags that the seat's conduct calls for, and why."""
    flags: dict[Flag, None] = {}
    notes: dict[str, Note] = {}
    asked: list[_Ask] = []
    for line in lines:
        text = line.text[:_SAID].strip()
        if line.role is Speaker.AGENT:
            asked = []
            if not _ANY.search(text):
                continue
            asked = [ask for ask, words in _ASKS if words.search(text)]
            if _ACTS.search(text) and not _OVER.search(text):
                flags[Flag.EMERGENCY] = None
                detail = f"the seat puts the caller through to rescue (turn {line.number})"
                notes.setdefault("danger_by_seat", Note(step=STEP, code="danger_by_seat", detail=detail))
        elif line.role is Speaker.CITIZEN:
            if asked and _YES.search(text) and not _NO.search(text) and not _OVER.search(text):
                flags |= dict.fromkeys(flag for ask in asked for flag in ask.flags)
                detail = f"the caller says yes to the seat's question about {asked[0].code} (turn {line.number})"
                notes.setdefault("danger_affirmed", Note(step=STEP, code="danger_affirmed", detail=detail))
            asked = []
    return tuple(flags), tuple(notes.values())
