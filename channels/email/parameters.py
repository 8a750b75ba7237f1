"""Content-Type and Content-Disposition with their parameters (RFC 2045 5.1, RFC 2183, RFC 2231), however broken.

Pure and total, linear. Names of files come out decoded, whether RFC 2231, RFC 2047 or raw GBK carried them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from channels.email import charsets, headers

FIELD_MAX: Final = 16_384
PIECES_MAX: Final = 500

_VALUE: Final = re.compile(r"^\s*([^\s;,=\"()]+)")
_SLASH: Final = re.compile(r"(?<!\s)\s*/\s*")
_COMMENT: Final = re.compile(r"\([^()]*\)")
# Name, then a quoted string (its closing quote may be missing) or everything up to the next semicolon.
_PARAMETER: Final = re.compile(
    r"""[;\s]{1,20}([^\s=;"]{1,80})\s*=\s*(?:"((?:[^"\\]|\\.){0,8000})(?:"|$)|([^;]*))""", re.DOTALL
)
_PIECE: Final = re.compile(r"^([^*]+)(?:\*(\d{1,3}))?(\*)?$")
# Only these two: a backslash before anything else is a Windows path.
_QUOTED_PAIR: Final = re.compile(r"\\([\"\\])")


@dataclass(frozen=True, slots=True)
class Content:
    """`value`: lower-case media type or disposition ("" when there is none); `parameters` by lower-case name."""

    value: str
    parameters: Mapping[str, str]


def read(raw: str, hint: str | None = None) -> Content:
    """`raw`: the field as in `headers`."""
    text = headers.unicode(raw[:FIELD_MAX], hint)
    head = _SLASH.sub("/", text.partition(";")[0])
    if "(" in head:
        head = _COMMENT.sub(" ", head)
    match = _VALUE.match(head)
    value = match[1].lower() if match and "=" not in head.split(match[1], 1)[1][:1] else ""
    start = text.find(";")
    rest = text[start:] if start >= 0 else " " + text[match.end(1) if match and value else 0 :]
    return Content(value, _joined(_pieces(rest), hint))


@dataclass(frozen=True, slots=True)
class _Piece:
    name: str
    index: int
    extended: bool
    value: str


def _pieces(rest: str) -> list[_Piece]:
    found = []
    for match in _PARAMETER.finditer(rest):
        name, quoted, bare = match.group(1, 2, 3)
        parts = _PIECE.match(name.lower())
        if parts is None:
            continue
        value = _QUOTED_PAIR.sub(r"\1", quoted) if quoted is not None else _bare(bare)
        found.append(_Piece(parts[1], int(parts[2] or -1), parts[3] is not None, value))
        if len(found) >= PIECES_MAX:
            break
    return found


def _bare(value: str) -> str:
    trimmed = value.strip(' \t\r\n"')
    return _COMMENT.sub("", trimmed).strip() if trimmed.endswith(")") and " (" in trimmed else trimmed


def _joined(pieces: list[_Piece], hint: str | None) -> dict[str, str]:
    """Parameters by name. RFC 2231 wins over the plain form beside it; the first of two equal ones stays."""
    by_name: dict[str, list[_Piece]] = {}
    for piece in pieces:
        by_name.setdefault(piece.name, []).append(piece)
    return {name: _value(found, hint) for name, found in by_name.items()}


def _value(found: list[_Piece], hint: str | None) -> str:
    continued = sorted((one for one in found if one.index >= 0), key=lambda one: one.index)
    whole = [one for one in found if one.index < 0 and one.extended]
    chosen = continued or whole[:1] or found[:1]
    if not any(one.extended for one in chosen):
        return headers.one_line(headers.words(re.sub(r"[\r\n]+[ \t]*", " ", "".join(one.value for one in chosen))))
    charset, first = _labelled(chosen[0])
    data = b"".join(
        unquote_to_bytes(value) if one.extended else value.encode("utf-8")
        for one, value in zip(chosen, [first, *(one.value for one in chosen[1:])], strict=True)
    )
    return headers.one_line(headers.words(charsets.decode(data, charset or hint).text))


def _labelled(piece: _Piece) -> tuple[str | None, str]:
    """RFC 2231 4: charset'language'value; some write no quotes at all."""
    if not piece.extended or piece.value.count("'") < 2:
        return None, piece.value
    charset, _, value = piece.value.split("'", 2)
    return charset or None, value
