"""Text cleaning: what cannot be seen goes, what was said stays. May not invent, translate or reorder a word.

Applied twice it changes nothing more: `clean(clean(x)) == clean(x)`.
"""

from __future__ import annotations

import re
from typing import Final

from normalizer.ticket import TEXT_MAX, Handle, Inbound, Note, Place, ReplyAddress, Requester, Ticket

STEP: Final = "text"

_BREAKS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# C0/C1 controls, soft hyphen, zero-width space, bidi marks, embeddings, overrides, isolates (Trojan Source),
# word joiner, BOM, interlinear annotation, noncharacters, lone surrogates (no encoding has them), tags.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]+"
)
# Joiners shape Arabic, Mongolian, emoji sequences; beside Latin, digits, Han or blanks they only hide words.
_JOINERS = re.compile("[\u200c\u200d]+")
_PLAIN = re.compile("[\x00-\x7f\\s\u3400-\u9fff\u3001-\u3011\uff00-\uff65]?")
_MOST = 4 * TEXT_MAX  # characters worth cleaning: what lies behind them would be cut anyway
# Only digits and letters: Chinese punctuation keeps its width.
_WIDE = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]+")
_HALF = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
_BLANKS = re.compile("[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_MARGINS = re.compile(" ?\n ?")
_GAPS = re.compile("\n{3,}")


def clean(text: str) -> str:
    """`text` without hidden characters, with half-width digits and letters, single blanks, at most one empty
    line in a row. Not brought to a Unicode normal form: that is quadratic on hostile runs of accents."""
    return _cleaned(text)[0]


def clean_line(text: str) -> str:
    """`clean`, on a single line."""
    return clean(text).replace("\n\n", " ").replace("\n", " ")


def clean_text(inbound: Inbound, draft: Ticket) -> Ticket:
    """Clean every string that people wrote, and cut the text at TEXT_MAX characters."""
    text, hidden, wide = _cleaned(draft.text)
    notes = []
    if hidden:
        notes.append(Note(step=STEP, code="hidden_removed", detail=f"runs of invisible characters removed: {hidden}"))
    if wide:
        notes.append(Note(step=STEP, code="width_folded", detail=f"runs of full-width letters or digits: {wide}"))
    if len(text) > TEXT_MAX:
        notes.append(Note(step=STEP, code="cut", detail=f"of {len(draft.text)} characters kept {TEXT_MAX}"))
        text = clean(text[:TEXT_MAX])
    if not text:
        notes.append(Note(step=STEP, code="empty", detail="the submission has no text"))
    return draft.model_copy(
        update={
            "title": clean_line(draft.title),
            "text": text,
            "requester": _requester(draft.requester),
            "place": _place(draft.place) if draft.place else None,
            "conversation": tuple(turn.model_copy(update={"text": clean(turn.text)}) for turn in draft.conversation),
            "notes": (*draft.notes, *notes),
        }
    )


def _cleaned(text: str) -> tuple[str, int, int]:
    """The clean text, runs of hidden characters removed, runs of full-width characters folded."""
    text = _BREAKS.sub("\n", text[:_MOST])
    text, hidden = _HIDDEN.subn("", text)
    text, wide = _WIDE.subn(_to_half, text)
    text = _JOINERS.sub(_joined, text)
    text = _MARGINS.sub("\n", _BLANKS.sub(" ", text))
    return _GAPS.sub("\n\n", text).strip(" \n"), hidden, wide


def _to_half(run: re.Match[str]) -> str:
    return run[0].translate(_HALF)


def _joined(run: re.Match[str]) -> str:
    """The joiners themselves between two characters that they can shape, else nothing."""
    text, start, end = run.string, run.start(), run.end()
    plain = _PLAIN.fullmatch(text[max(0, start - 1) : start]) or _PLAIN.fullmatch(text[end : end + 1])
    return "" if plain else run[0]


def _optional(text: str | None) -> str | None:
    """Blank counts as not given."""
    return (clean_line(text) or None) if text else None


def _requester(given: Requester) -> Requester:
    return given.model_copy(
        update={
            "name": _optional(given.name),
            "phone": _optional(given.phone),
            "email": _optional(given.email),
            "language": _optional(given.language),
            "handles": tuple(_handle(handle) for handle in given.handles),
            "reply_to": tuple(_address(address) for address in given.reply_to),
        }
    )


def _handle(given: Handle) -> Handle:
    return Handle(platform=clean_line(given.platform), id=clean_line(given.id), name=_optional(given.name))


def _address(given: ReplyAddress) -> ReplyAddress:
    return ReplyAddress(channel=clean_line(given.channel), address=clean_line(given.address))


def _place(given: Place) -> Place:
    words = ("text", "province", "city", "district", "street", "detail")
    return given.model_copy(update={word: _optional(getattr(given, word)) for word in words})
