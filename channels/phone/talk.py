"""The citizen's turns in order as one text: sounds of hesitation, acknowledgements and pure echoes left out.

May not add, translate or reorder a word; what is left out here stands whole in the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from channels.phone.call import Utterance
from channels.phone.numerals import CHARACTERS, understood
from channels.phone.roles import BACKCHANNEL, Line
from channels.phone.rules import Data, Words, load
from normalizer.ticket import Note, Speaker

STEP: Final = "phone"
_DOUBTFUL_MOST: Final = 50  # words named in the note
_ECHO_LONGEST: Final = 60  # characters of a turn that can be an echo
_RECENT: Final = 200  # turns back in which the citizen may have said it before
_TAIL: Final = 8  # characters that show how a turn ends
_WHOLE: Final = 6  # characters from which on an identical turn is the other side of the line


class _Book(Data):
    sounds: Words
    padding: Words
    acknowledgement: Words
    apart: Words
    statement: Words


_BOOK: Final = load("talk", _Book)
_APART: Final = "|".join(_BOOK.apart.any)
_SOUNDS: Final = re.compile(rf"(?:{'|'.join(_BOOK.sounds.any)})[，,、…]?[ \t]?", re.I)
_PADDING: Final = re.compile(
    rf"(?:(?<=[，,、。！？；…\n])|^)(?:{'|'.join(sorted(_BOOK.padding.any, key=len, reverse=True))})[，,、…]+[ \t]?",
    re.I,
)
_PADDING_LAST: Final = re.compile(
    rf"[，,、…](?:{'|'.join(sorted(_BOOK.padding.any, key=len, reverse=True))})(?=[。！？；]?$)", re.I
)
_ACKNOWLEDGED: Final = "|".join(sorted(_BOOK.acknowledgement.any, key=len, reverse=True))
_ACKNOWLEDGEMENT: Final = re.compile(rf"(?:(?:{_ACKNOWLEDGED}|{'|'.join(_BOOK.sounds.any)}|{_APART})){{1,20}}", re.I)
_ACK_HEAD: Final = re.compile(
    rf"^(?:(?:{_ACKNOWLEDGED})(?:{_APART})+)+|(?:(?:{_APART})*(?:{_ACKNOWLEDGED}))+(?:{_APART})*$", re.I
)
_ASKED: Final = _BOOK.statement.compiled()
_MARKS: Final = re.compile(r"[\W_]+")
_LEADING: Final = re.compile(r"^[\s，,、。.…！!？?；;]+")
_ENDED: Final = re.compile(r"[。！？!?；;….]['\"”’]?\s*$")
_LATIN_END: Final = re.compile(r"[A-Za-z0-9,]$")


def text_of(lines: Sequence[Line]) -> str:
    """What the citizens said, a turn a line; a sentence that the agent's "mm" broke in two is joined again."""
    pieces: list[str] = []
    said_before: list[str] = []
    last, open_end = "", False
    for at, line in enumerate(lines):
        if line.role is not Speaker.CITIZEN:
            open_end = open_end and _only_listens(line.text, last)
            continue
        said = spoken(line.text)
        if not said or _is_echo(said, lines, at, said_before[-_RECENT:]):
            continue
        said_before.append(_bare(said))
        if last:
            pieces.append(_joint(last, said) if open_end else "\n")
        pieces.append(said)
        interrupted = at + 1 < len(lines) and lines[at + 1].role is not Speaker.CITIZEN
        last, open_end = said, interrupted and not _ENDED.search(said[-_TAIL:])
    return "".join(pieces)


def spoken(text: str) -> str:
    """One turn without hesitation; empty when it only acknowledges."""
    if len(text) <= 60 and _ACKNOWLEDGEMENT.fullmatch(text.strip()):
        return ""
    kept = _SOUNDS.sub("", text.strip())
    kept = _PADDING.sub("", _PADDING.sub("", kept))
    return _LEADING.sub("", _PADDING_LAST.sub("", kept)).strip()


def content(text: str) -> str:
    """One turn without acknowledgements at its ends: what it says beyond yes and thanks."""
    return _ACK_HEAD.sub("", spoken(text)).strip() if len(text) <= _ECHO_LONGEST else text


def doubtful(lines: Iterable[Line], below: float) -> tuple[Note, ...]:
    """A note that lists, by turn, the citizens' and agents' words whose own confidence lies below `below`."""
    found = [
        f"turn {line.number}: {word.text} ({word.confidence:.2f})"
        for line in lines
        for word in line.said.words
        if word.confidence < below and word.text.strip()
    ]
    if not found:
        return ()
    more = f"; and {len(found) - _DOUBTFUL_MOST} more" if len(found) > _DOUBTFUL_MOST else ""
    return (Note(step=STEP, code="doubtful_words", detail="; ".join(found[:_DOUBTFUL_MOST]) + more),)


def confidence_of(said: Utterance) -> float | None:
    """How sure the recogniser is of an utterance, 0..1: its own figure, else the mean of its words'."""
    given = said.confidence
    if given is None and said.words:
        given = sum(word.confidence for word in said.words) / len(said.words)
    if given is None or given != given:
        return None
    return min(1.0, max(0.0, round(given, 4)))


def _joint(last: str, said: str) -> str:
    """What stands between two halves of a sentence: a blank between Latin words, nothing between Chinese."""
    return " " if _LATIN_END.search(last[-_TAIL:]) and said[0].isascii() else ""


def _only_listens(text: str, last: str) -> bool:
    """Whether the agent only listens, or repeats the digits just said."""
    if BACKCHANNEL.search(text.strip()):
        return True
    bare = _bare(text[:_ECHO_LONGEST])
    return 1 < len(bare) <= 12 and not bare.strip(CHARACTERS) and _bare(last[-_ECHO_LONGEST:]).endswith(bare)


def _is_echo(said: str, lines: Sequence[Line], at: int, said_before: Sequence[str]) -> bool:
    """Whether the citizen only repeats the agent. What was said for the first time in answer to a question, or names
    a number, is no echo: it would be lost."""
    if len(said) > _ECHO_LONGEST:
        return False
    before = lines[at - 1] if at else None
    if before is None or before.role is not Speaker.AGENT:
        return False
    bare, heard = _bare(content(said) or said), _bare(before.text)
    if len(bare) < 2 or bare not in heard:
        return False
    if any(bare in earlier for earlier in said_before):
        return True
    if understood(bare) != bare or any(character.isdigit() for character in bare):
        return False
    return not _ASKED.search(before.text) or (bare == heard and len(bare) >= _WHOLE)


def _bare(text: str) -> str:
    return _MARKS.sub("", text[: 4 * _ECHO_LONGEST]).lower()
