"""Address fields (RFC 5322 3.4) as people and machines write them, into names and addresses.

Pure and total, linear, without recursion: the standard library's reader dies of nested brackets and broken quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from channels.email import headers

ADDRESSES_MAX: Final = 200
FIELD_MAX: Final = 65_536
LENGTH_MAX: Final = 998

# An encoded word is one token: some hold a bare comma. Then specials one by one, then all else.
_TOKEN: Final = re.compile(
    r"""=\?[^\s?]{1,40}\?[bBqQ]\?[^?\s]{0,500}\?=|\\.|["(),;:<>\\]|(?:(?!=\?)[^"(),;:<>\\])+|=""", re.DOTALL
)
_ROUTE: Final = re.compile(r"^@[^:]*:")
_BLANKS: Final = re.compile(r"\s+")
_DOT_ATOM: Final = re.compile(r"[^\s\"(),:;<>@\[\]\\]+")
_ENCODED: Final = re.compile(r"^\s*(?:=\?[^\s?]+\?[bBqQ]\?[^?]*\?=\s*)+$")


@dataclass(frozen=True, slots=True)
class Address:
    """Who: `name` may be empty, `address` is as written (no lower-casing), empty when there was only a name."""

    name: str
    address: str


@dataclass(slots=True)
class _Entry:
    """What was read of one address so far."""

    phrase: list[str]
    comments: list[str]
    angle: str | None = None
    has_at: bool = False
    quoted: str = ""  # the quoted string that was read just before

    def say(self, words: str) -> None:
        self.phrase.append(words)
        self.has_at = self.has_at or "@" in words

    def say_quoted(self, words: str) -> None:
        self.say(words)
        self.quoted = words

    def say_bare(self, words: str) -> None:
        """What follows a quoted string at once with an @ makes it a local part (RFC 5322 3.4.1), not a name."""
        if words.startswith("@") and self.quoted and not _DOT_ATOM.fullmatch(self.quoted):
            self.angle = _local(self.quoted) + words.split()[0]
        self.say(words)
        self.quoted = ""

    def address(self) -> Address | None:
        phrase = "".join(self.phrase)
        if self.angle is None:
            found = next((word for word in phrase.split() if "@" in word.strip("@")), "") if self.has_at else ""
            rest = phrase.replace(found, "", 1) if found else phrase
            name = rest.strip() or " ".join(self.comments)
            return _address(name, found)
        name = phrase if phrase.strip() else " ".join(self.comments)
        return _address(name, _ROUTE.sub("", self.angle))


def read(raw: str, hint: str | None = None) -> tuple[Address, ...]:
    """The addresses of one field, in order; groups are opened, empty ones dropped. `raw`: as in `headers`."""
    text = headers.unicode(raw[:FIELD_MAX], hint)
    if _ENCODED.match(text):
        text = headers.words(text)  # the whole field in encoded words: brackets and commas are inside (and forbidden)
    found = []
    for address in _entries(text):
        found.append(address)
        if len(found) >= ADDRESSES_MAX:
            break
    return tuple(found)


def _entries(text: str) -> Iterator[Address]:
    entry = _Entry([], [])
    tokens = iter(_TOKEN.findall(text))
    for mark in tokens:
        if mark == '"':
            entry.say_quoted(_until(tokens, '"'))
        elif mark == "(":
            entry.comments.append(_comment(tokens))
        elif mark == "<":
            entry.angle = _angle(tokens) or entry.angle
        elif mark in (",", ";"):
            if (address := entry.address()) is not None:
                yield address
            entry = _Entry([], [])
        elif mark == ":" and not entry.has_at:
            entry = _Entry([], [])  # a group's name
        elif mark not in (">", ")"):
            entry.say_bare(mark[1:] if mark.startswith("\\") and len(mark) > 1 else mark)
    if (address := entry.address()) is not None:
        yield address


def _until(tokens: Iterator[str], end: str) -> str:
    held: list[str] = []
    for mark in tokens:
        if mark == end:
            break
        held.append(mark[1:] if len(mark) == 2 and mark.startswith("\\") else mark)
    return "".join(held)


def _angle(tokens: Iterator[str]) -> str:
    """What stands in angle brackets; a missing bracket ends it at the comma, a doubled one does not count."""
    held: list[str] = []
    for mark in tokens:
        if mark == ">":
            break
        if mark in (",", ";") and "@" in "".join(held[-8:]):
            break
        if mark == "(":
            _comment(tokens)
        elif mark == '"':
            held.append(_local(_until(tokens, '"')))
        elif mark != "<":
            held.append(mark)
    return "".join(held)


def _local(quoted: str) -> str:
    """A quoted local part as it must be written: without its quotes only where it means the same without them."""
    if not quoted or _DOT_ATOM.fullmatch(quoted) or "@" in quoted:
        return quoted
    return '"' + quoted.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(tokens: Iterator[str]) -> str:
    depth, held = 1, []
    for mark in tokens:
        depth += (mark == "(") - (mark == ")")
        if depth == 0:
            break
        held.append(mark[1:] if len(mark) == 2 and mark.startswith("\\") else mark)
    return "".join(held).strip()


def _address(name: str, address: str) -> Address | None:
    shown = _BLANKS.sub(" ", headers.one_line(headers.words(name[:LENGTH_MAX]))).strip("'\" ")
    cut = address[:LENGTH_MAX].strip()
    if cut.startswith('"') and '"@' in cut:  # blanks belong to a quoted local part
        return Address(shown, headers.one_line(cut))
    bare = headers.one_line(headers.words(_BLANKS.sub("", cut))).strip("'\"<>")
    return Address(shown, bare) if shown or bare else None
