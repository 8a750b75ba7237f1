"""A title of at most TITLE_MAX characters: the given one, else the first sentence. Never empty.

May not summarise: every word is the citizen's, except the catalogue's neutral title when there are no words.
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Final

from normalizer.ticket import TITLE_MAX, Inbound, Note, Speaker, Ticket

STEP: Final = "title"

_UNTITLED: Final[dict[str, str]] = tomllib.loads(
    files("normalizer").joinpath("data/catalogue.toml").read_text("utf-8")
)["untitled"]
_GREETING = 8  # characters: a first sentence shorter than this says nothing yet ("你好！"), the next one joins it
_SENTENCE_END = re.compile(r"[。！？!?；;\n]+[”』」’\")]*|\.(?=\s|$)")
_CLAUSE_END = re.compile(r"[，,、：:；;。！？!?\s]")
_ELLIPSIS: Final = "…"


def shorten(text: str, limit: int = TITLE_MAX) -> str:
    """`text` on at most `limit` characters; a longer one ends at a boundary in its second half, with "…"."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    ends = [mark.start() for mark in _CLAUSE_END.finditer(head, limit // 2)]
    return (head[: ends[-1]] if ends else head).rstrip() + _ELLIPSIS


def first_sentence(text: str) -> str:
    """The first sentence of `text`, on one line; a short greeting is joined to what follows."""
    for end in _SENTENCE_END.finditer(text):
        if end.end() >= _GREETING:
            text = text[: end.start()] if end[0].strip() in {"", "。", ".", ";", "；"} else text[: end.end()]
            break
    return " ".join(text.split())


def give_title(inbound: Inbound, draft: Ticket) -> Ticket:
    """Fill title."""
    if draft.title:
        title, code, detail = draft.title, "given", "the source gave a title"
    elif draft.text:
        title, code, detail = first_sentence(draft.text), "from_text", "first sentence of the text"
    elif spoken := _first_words(draft):
        title, code, detail = (
            first_sentence(spoken),
            "from_conversation",
            "first sentence of the conversation",
        )
    else:
        title = _UNTITLED.get(draft.requester.language or "", _UNTITLED["default"])
        code, detail = "neutral", "there are no words to make a title of"
    short = shorten(title)
    notes = [*draft.notes, Note(step=STEP, code=code, detail=detail)]
    if short != title:
        notes.append(Note(step=STEP, code="cut", detail=f"{len(title)} characters, at most {TITLE_MAX}"))
    return draft.model_copy(update={"title": short, "notes": tuple(notes)})


def _first_words(draft: Ticket) -> str:
    ours = (Speaker.AGENT, Speaker.SYSTEM)
    return next((turn.text for turn in draft.conversation if turn.text and turn.speaker not in ours), "")
