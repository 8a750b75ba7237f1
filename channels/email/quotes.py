"""A mail's text without the message it answers and without the signature, line by line and in linear time.

Pure. May not lose a word: what is taken off the text stands in the other fields. When in doubt a line is the sender's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from channels.email.rules import Data, Words, load

_LONG: Final = 600  # characters; a longer line is nobody's marker, and the patterns stay cheap
_MARKER_LINES: Final = 6  # lines over which "On ... wrote:" may be folded
_BLOCK_LINES: Final = 14  # lines of a header block that are looked at
_SIGNATURE_LINES: Final = 10  # lines with something in them below "-- "
_FOOTER_LINES: Final = 5  # the same below a rule of underscores
_SIGNATURE_WIDTH: Final = 120
_BLANKS: Final = " \t\u00a0\u3000\u200b\u200e\ufeff\u1427"  # U+1427: the tracking mark of one mail program
_DASHES: Final = "-=_*—–─|:： \t\u00a0"
_WRAPS: Final = "()[]_* .。…"


class _Book(Data):
    wrote: Words
    wrote_by: Words
    opening: Words
    original: Words
    forwarded: Words
    sender: Words
    sent: Words
    to: Words
    between: Words
    subject: Words
    device: Words
    closing: Words


class _Kind(StrEnum):
    """What one line is."""

    TEXT = "t"
    EMPTY = "e"
    QUOTE = "q"
    MARKER = "b"  # "On ... wrote:" with the time or the address that only a program writes
    WEAK = "w"  # the same without: believed only above quoted lines
    ORIGINAL = "o"
    FORWARDED = "f"
    HEADERS = "h"
    SIGNATURE = "s"
    CLOSING = "c"
    RULE = "r"
    DROPPED = "x"


_BOOK: Final = load("quotes", _Book)
_QUOTE: Final = re.compile(r"[>＞]|[A-Za-z]{1,2}>(?:[\s>]|$)")
_QUOTE_MARKS: Final = re.compile(r"^[>＞\s]+")
_QUOTED_ONCE: Final = re.compile(r"^\s{0,8}[>＞] ?")
_RULE: Final = re.compile(r"[-=_*#~+—–─]{2,}|—")
_ADDRESS: Final = re.compile(r"[\w.+=-]@[\w-]|mailto:")
_DATE: Final = re.compile(r"(?:19|20)\d{2}|\d{1,2}[:：.h]\d{2}|\d{1,2}[/.-]\d{1,2}[/.-]\d{2}|\d{1,2}月")
_TIME: Final = re.compile(r"\d{1,2}[:：.h]\d{2}(?!\d*[./-])|\d ?[ap]\.?m\b", re.IGNORECASE)
_ENDS: Final = _BOOK.wrote.compiled(after=r"\s?[:：]?[\s-]{0,8}$")
_ENDS_BARE: Final = _BOOK.wrote.compiled(after=r"$")
_ENDS_BY: Final = _BOOK.wrote_by.compiled(before=r"\b", after=r"\b[^\n]{0,250}[:：]$")
_ENDS_ADDRESS: Final = re.compile(
    r"^(?:\w{2,12}\.?,? )?\d{1,4}\D[^\n]{0,80}\d{1,2}:\d{2}[^\n]{0,200}<[^<>\n]{3,200}>\s?[:：]$"
)
_GMT: Final = re.compile(r"^\d{4}-\d{2}-\d{2} \d{1,2}:\d{2} GMT[+-]\d{1,2}:?\d{2} \S")
_DATE_ADDRESS: Final = re.compile(r"^\d{4}[/-]\d{1,2}[/-]\d{1,2}\b[^\n]{0,200}<[^<>\n]{3,200}>$")
_OPENING: Final = _BOOK.opening.compiled()
_ORIGINAL: Final = _BOOK.original.compiled()
_FORWARDED: Final = _BOOK.forwarded.compiled()
_DEVICE: Final = _BOOK.device.compiled()
_CLOSING: Final = _BOOK.closing.compiled()
_FIELDS: Final = tuple(
    (name, getattr(_BOOK, name).compiled(before=r"\*{0,2}", after=r"\s?\*{0,2}\s?[:：]"))
    for name in ("sender", "sent", "to", "between", "subject")
)
_SENTENCE: Final = re.compile(r"[。！？；]$")
_QUOTED: Final = frozenset({_Kind.QUOTE})
_MARKERS: Final = frozenset({_Kind.MARKER, _Kind.WEAK})
_BREAKS: Final = frozenset({_Kind.ORIGINAL, _Kind.FORWARDED, _Kind.HEADERS})
_SPACE: Final = frozenset({_Kind.EMPTY, _Kind.RULE, _Kind.DROPPED})


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A mail's text, taken apart.

    `text`: what the sender wrote, with the quotations between which the sender wrote; empty when there is nothing but
    a quotation below "... wrote:". `quoted`: the message answered or passed on. `signature`: the signature and what
    the program added. `forwarded`: the part of `quoted` that was passed on, not answered: it may be the very matter.
    """

    text: str
    quoted: str = ""
    signature: str = ""
    forwarded: str = ""


def trim(text: str) -> Trimmed:
    """Take the quoted message and the signature off a mail's plain text. Linear in the length of `text`.

    Mail that only passes something on, with nothing above it, stays whole.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kinds = _kinds(lines)
    _find_signatures(lines, kinds)
    cut = _find_cut(kinds)
    _settle(kinds, cut)
    if _Kind.TEXT not in kinds[:cut]:
        return _without_own_words(lines, kinds)
    return _taken_apart(lines, kinds, cut)


def _kinds(lines: Sequence[str]) -> list[_Kind]:
    """What each line is by itself (or, for a marker or a header block, together with the next ones)."""
    bare = [line.strip(_BLANKS) for line in lines]
    kinds: list[_Kind] = []
    solid = _Kind.EMPTY  # the last kind that was not blank
    while (at := len(kinds)) < len(bare):
        kind, count = _kind_at(bare, at, solid)
        kinds += [kind] * count
        if kind is not _Kind.EMPTY:
            solid = kind
    return kinds


def _kind_at(bare: Sequence[str], at: int, before: _Kind) -> tuple[_Kind, int]:
    line = bare[at]
    if not line:
        return _Kind.EMPTY, 1
    if _QUOTE.match(line) or (line[0] == "|" and _is_barred(line, before)):
        return (_Kind.FORWARDED if _passes_on(line, before) else _Kind.QUOTE), 1
    if len(line) > _LONG:
        return _Kind.TEXT, 1
    if count := _header_block(bare, at):
        return _Kind.HEADERS, count
    if found := _marker(bare, at):
        return found
    return _alone(line), 1


def _is_barred(line: str, before: _Kind) -> bool:
    """Some programs quote with bars; a line that also ends in one is a row of a table."""
    return (before in _MARKERS or before is _Kind.QUOTE) and (line == "|" or not line.endswith("|"))


def _passes_on(line: str, before: _Kind) -> bool:
    """Some programs quote what they pass on: the first line of the quotation then says so."""
    core = _QUOTE_MARKS.sub("", line)
    return before is _Kind.TEXT and 0 < len(core) <= _LONG and _alone(core) is _Kind.FORWARDED


def _alone(line: str) -> _Kind:
    """What a line is that stands for itself."""
    if _RULE.fullmatch(line):
        return _Kind.RULE
    core = line.strip(_DASHES)
    dashes = len(line) - len(core)
    if dashes >= 4 and _ORIGINAL.fullmatch(core):
        return _Kind.ORIGINAL
    if dashes >= 1 and _FORWARDED.fullmatch(core):
        return _Kind.FORWARDED
    core = line.strip(_WRAPS)
    if _DEVICE.fullmatch(core) or _DEVICE.fullmatch(line):
        return _Kind.SIGNATURE
    return _Kind.CLOSING if _CLOSING.fullmatch(core) else _Kind.TEXT


def _header_block(bare: Sequence[str], at: int) -> int:
    """Lines of the header block that begins here, 0 when none does: three fields with the sender's, or two with an
    address; between them no field of another name, and at most one line that continues one."""
    if _field(bare[at]) not in {"sender", "sent", "subject", "to"}:
        return 0
    found: set[str] = set()
    strayed = last = 0
    for offset, line in enumerate(bare[at : at + _BLOCK_LINES]):
        name = _field(line)
        if name:
            found.add(name)
            strayed, last = 0, offset
        elif line and (strayed := strayed + 1) > 2:
            break
    found.discard("between")
    if "sender" not in found:
        return 0
    with_address = any(_ADDRESS.search(line[:_LONG]) for line in bare[at : at + last + 1])
    return last + 1 if len(found) >= 3 or (len(found) == 2 and with_address) else 0


def _field(line: str) -> str:
    for name, pattern in _FIELDS:
        if pattern.match(line[:40]):
            return name
    return ""


def _marker(bare: Sequence[str], at: int) -> tuple[_Kind, int] | None:
    """The line "On ... wrote:" that begins here, with the number of lines over which it is folded."""
    first = bare[at].strip("-* ")
    if not (_DATE.search(first) or _ADDRESS.search(first)):
        return None
    opens = bool(_OPENING.match(first))
    window = ""
    for count, line in enumerate(bare[at : at + (_MARKER_LINES if opens else 3)], 1):
        if not line:
            if _continues(bare, at + count):
                continue
            break
        if count > 1 and (_OPENING.match(line) and _DATE.search(line)):
            break
        window = f"{window} {line.strip('-* ')}".strip()
        if len(window) > _LONG:
            break
        if kind := _marks(window, line, opens=opens):
            return kind, count
    return None


def _continues(bare: Sequence[str], at: int) -> bool:
    """Whether a marker goes on after a blank line: only with the address that belongs to it."""
    return at < len(bare) and bare[at].startswith("<")


def _marks(window: str, line: str, *, opens: bool) -> _Kind | None:
    """Whether a marker is complete. `opens`: it began as such lines begin, so a colon may be missing after 'wrote'."""
    ended = line.endswith((":", "：", "-"))
    if (ended and (_ENDS.search(window) or _ENDS_BY.search(window))) or (opens and _ENDS_BARE.search(window)):
        if not (_DATE.search(window) or _ADDRESS.search(window)):
            return None
        return _Kind.MARKER if _ADDRESS.search(window) or _TIME.search(window) else _Kind.WEAK
    if _ENDS_ADDRESS.match(window) or _GMT.match(window):
        return _Kind.MARKER
    return _Kind.WEAK if _DATE_ADDRESS.match(window) else None


def _find_signatures(lines: Sequence[str], kinds: list[_Kind]) -> None:
    """Mark what stands below "-- " or below a rule of underscores, when it is short and has no sentence in it."""
    seen_text = False
    for at, kind in enumerate(kinds):
        seen_text = seen_text or kind is _Kind.TEXT
        if kind is not _Kind.RULE or not seen_text:
            continue
        rule = lines[at].strip(_BLANKS)
        limit = _SIGNATURE_LINES if rule in {"--", "—"} else _FOOTER_LINES if len(rule.strip("_")) == 0 else 0
        if limit and (end := _signature_end(lines, kinds, at + 1, limit)):
            kinds[at:end] = [_Kind.SIGNATURE] * (end - at)


def _signature_end(lines: Sequence[str], kinds: Sequence[_Kind], start: int, limit: int) -> int:
    """Where the signature ends that begins at `start`; 0 when what stands there is no signature."""
    filled = 0
    for at in range(start, len(kinds)):
        if kinds[at] is _Kind.EMPTY:
            continue
        if kinds[at] not in {_Kind.TEXT, _Kind.SIGNATURE, _Kind.CLOSING}:
            return at if filled and kinds[at] is not _Kind.RULE else 0
        line = lines[at].strip(_BLANKS)
        filled += 1
        if filled > limit or len(line) > _SIGNATURE_WIDTH or _SENTENCE.search(line):
            return 0
    return len(kinds) if filled else 0


def _find_cut(kinds: list[_Kind]) -> int:
    """Where another's message begins that is not marked line by line; the number of lines when there is none.

    Above all text such a beginning is the sender's own (a mail that only passes something on).
    """
    following = _following(kinds)
    seen_text = False
    for at, kind in enumerate(kinds):
        if kind is _Kind.TEXT:
            seen_text = True
        elif kind in _BREAKS:
            if seen_text:
                return at
            kinds[at] = _Kind.TEXT
            seen_text = following[at] not in _BREAKS
        elif kind in _MARKERS and following[at] not in _QUOTED and following[at] is not kind:
            if kind is _Kind.WEAK:
                kinds[at] = _Kind.TEXT
                seen_text = True
            elif seen_text:
                return _first_of(kinds, at)
            else:
                kinds[_first_of(kinds, at) : at + 1] = [_Kind.DROPPED] * (at + 1 - _first_of(kinds, at))
    return len(kinds)


def _first_of(kinds: Sequence[_Kind], at: int) -> int:
    """The first line of the marker that ends at `at`."""
    while at and kinds[at - 1] is kinds[at]:
        at -= 1
    return at


def _following(kinds: Sequence[_Kind]) -> list[_Kind]:
    """For each line the kind of the next one that is not blank."""
    result = [_Kind.EMPTY] * len(kinds)
    coming = _Kind.EMPTY
    for at in range(len(kinds) - 1, -1, -1):
        result[at] = coming
        if kinds[at] is not _Kind.EMPTY:
            coming = kinds[at]
    return result


def _settle(kinds: list[_Kind], cut: int) -> None:
    """Decide about lines that depend on what surrounds them: closings, and a quotation above all of the text."""
    following = _following(kinds)
    at_end = True
    for at in range(cut - 1, -1, -1):
        if kinds[at] is _Kind.CLOSING:
            kinds[at] = _Kind.SIGNATURE if at_end or following[at] in _MARKERS | _QUOTED else _Kind.TEXT
        at_end = at_end and kinds[at] is not _Kind.TEXT
    own = [kind for kind in kinds[:cut] if kind not in _SPACE and kind is not _Kind.SIGNATURE]
    if not own or own[0] not in _MARKERS:
        return
    runs = "".join(own)
    body = runs.lstrip("bw").lstrip("q")
    if "t" in body and not set(body.rstrip("qbw")) & set("qbw"):  # one quotation on top, then only text
        first = kinds.index(_Kind.TEXT)
        kinds[:first] = [_Kind.DROPPED if kind in _QUOTED | _MARKERS else kind for kind in kinds[:first]]


def _taken_apart(lines: Sequence[str], kinds: Sequence[_Kind], cut: int) -> Trimmed:
    last = max(at for at in range(cut) if kinds[at] is _Kind.TEXT)
    text: list[str] = []
    quoted: list[str] = []
    signature: list[str] = []
    for at in range(cut):
        kind = kinds[at]
        if kind is _Kind.SIGNATURE:
            signature.append(lines[at])
        elif kind in _MARKERS or kind is _Kind.DROPPED or (at > last and kind in _QUOTED):
            quoted.append(lines[at])
        elif at <= last:
            text.append(lines[at])
    rest = lines[cut:]
    if rest and _QUOTE.match(rest[0].strip(_BLANKS)):
        rest = [_QUOTED_ONCE.sub("", line) for line in rest]
    is_forwarded = any(kind is _Kind.FORWARDED for kind in kinds[cut : cut + 1])
    return Trimmed(
        text=_joined(text),
        quoted=_joined([*quoted, *rest]),
        signature=_joined(signature),
        forwarded=_joined(rest) if is_forwarded else "",
    )


def _without_own_words(lines: Sequence[str], kinds: Sequence[_Kind]) -> Trimmed:
    """Nothing here is the sender's own: a bare quotation is what was sent, one below a marker is not."""
    whole = _joined(lines)
    signature = _joined([line for line, kind in zip(lines, kinds, strict=True) if kind is _Kind.SIGNATURE])
    bare = not any(kind in _MARKERS or kind is _Kind.DROPPED for kind in kinds)
    inside = [_QUOTE_MARKS.sub("", line) for line, kind in zip(lines, kinds, strict=True) if kind in _QUOTED]
    if bare and _Kind.TEXT in _kinds(inside):
        return Trimmed(text=whole)
    quoted = [line for line, kind in zip(lines, kinds, strict=True) if kind is not _Kind.SIGNATURE]
    return Trimmed(text="", quoted=_joined(quoted), signature=signature)


def _joined(lines: Sequence[str]) -> str:
    """The lines without blank ones at both ends; what stands before the first word of a line stays."""
    start, end = 0, len(lines)
    while start < end and not lines[start].strip(_BLANKS):
        start += 1
    while end > start and not lines[end - 1].strip(_BLANKS):
        end -= 1
    return "\n".join(lines[start:end]).rstrip()
