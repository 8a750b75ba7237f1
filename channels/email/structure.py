"""A mail's bytes into its tree of parts, by the standard library's parser with limits, and a leaf's content.

Pure. Nested mails stay leaves, byte for byte. Characters of a part are bytes read as Latin-1: one byte each.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from email.feedparser import FeedParser
from email.message import Message
from email.policy import Compat32
from functools import cached_property
from typing import Any, Final

from channels.email import parameters
from channels.email.parameters import Content
from normalizer.errors import Rejected

SIZE_MAX: Final = 64 * 1024 * 1024
LINES_MAX: Final = 1_500_000
HEAD_MAX: Final = 2 * 1024 * 1024
FIELD_MAX: Final = 65_536
FIELDS_MAX: Final = 2_000
PARTS_MAX: Final = 1_000
DEPTH_MAX: Final = 20

_CHUNK: Final = 1 << 20
_FIELD: Final = re.compile(rb"[\x21-\x39\x3b-\x7e]{1,100}[ \t]*:")
_FOREIGN: Final = re.compile(rb"[\x21-\x39\x3b-\x7e\x80-\xff]{1,100}[ \t]*:")
_BLANK: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r|\r\n\n|\n\r\n")
_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")
_DELIMITER: Final = re.compile(r"(?:^|\n)--([^\s]{1,70})[ \t]*\r?\n(?=[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-)")
_PADDED: Final = re.compile(rb"[A-Za-z0-9+/]+(?:=+|$)|[A-Za-z0-9+/]+")
_NOT_BASE64: Final = bytes(
    sorted(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
)
_UUENCODED: Final = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})


class _Policy(Compat32):
    """Values as they stand: no Header objects around 8-bit ones, and none longer than the limit."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name.rstrip(" \t"), value[:FIELD_MAX]

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value


_POLICY: Final[Any] = _Policy()


class Part(Message):
    """A node of the tree. What the parser asks it about its type is answered by our own reading of the field."""

    depth = 0
    total: list[int]

    @cached_property
    def content(self) -> Content:
        """Content-Type, the default where it is missing or names no type (RFC 2045 5.2)."""
        found = parameters.read(str(self.get("Content-Type") or ""))
        return found if found.value.count("/") == 1 else Content(self.get_default_type(), found.parameters)

    @cached_property
    def disposition(self) -> Content:
        return parameters.read(str(self.get("Content-Disposition") or ""))

    def get_content_type(self) -> str:
        """For the parser: what it would open by itself (nested mails, delivery status) is a leaf to us."""
        kind = self.content.value
        return "application/octet-stream" if kind.startswith("message/") or not self._opens else kind

    def get_content_maintype(self) -> str:
        return self.get_content_type().partition("/")[0]

    def get_boundary(self, failobj: Any = None) -> Any:
        return self.content.parameters.get("boundary", "").rstrip() or failobj

    def attach(self, payload: Any) -> None:
        payload.depth = self.depth + 1
        payload.total = self.total
        self.total[0] += 1
        if self.total[0] > PARTS_MAX:
            raise Rejected("too_many_parts", f"The mail has more than {PARTS_MAX} parts.")
        super().attach(payload)

    @property
    def _opens(self) -> bool:
        return self.depth < DEPTH_MAX


def parse(body: bytes) -> Part:
    """The tree of `body`.

    Raises:
        Rejected: `too_large` or `too_many_parts`. What is nested deeper than the limit stays one unopened leaf.
    """
    measure(body)
    head, rest = split(body)
    return _parsed(b"".join(field + b"\r\n" for field in fields(head)) + b"\r\n", memoryview(body)[rest:], depth=0)


def measure(body: bytes) -> None:
    """Raises:
    Rejected: `too_large`, more bytes or lines than a mail that a person writes.
    """
    if len(body) > SIZE_MAX or body.count(b"\n") + body.count(b"\r") > 2 * LINES_MAX:
        raise Rejected("too_large", "The mail is larger or has more lines than any mail that a person writes.")


def headless(text: bytes) -> Part:
    """The tree of a text without any head."""
    return _parsed(b"\r\n", memoryview(text), depth=0)


def split(body: bytes) -> tuple[bytes, int]:
    """The head of a mail and where its body starts.

    Raises:
        Rejected: `too_large`, the head is longer than 2 MiB.
    """
    start = len(body) - len(body.lstrip(b"\r\n")) if body[:1] in (b"\r", b"\n") else 0
    blank = _BLANK.search(body, start)
    head, rest = (body[start : blank.start()], blank.end()) if blank else (body[start:], len(body))
    end = _headless_end(head)
    if end < len(head) and not head[end:].isspace():
        head, rest = head[:end], start + end
    if len(head) > HEAD_MAX:
        raise Rejected("too_large", "The head of the mail is longer than 2 MiB.")
    return head, rest


def fields(head: bytes) -> list[bytes]:
    """The fields of a head, each in its lines as written; what is no field among them is left out."""
    found: list[bytearray] = []
    for match in _LINE.finditer(head):
        line = match[0].rstrip(b"\r\n")
        if line[:1] in (b" ", b"\t"):
            if found and len(found[-1]) < FIELD_MAX:
                found[-1] += b"\r\n" + line
        elif _FIELD.match(line) and len(found) < FIELDS_MAX:
            name, colon, value = line.partition(b":")
            found.append(bytearray(name.rstrip(b" \t") + colon + value))
    return [bytes(one) for one in found]


def is_headless(body: bytes) -> bool:
    """Whether no field that mail knows stands where the head must be: `Question: ...` alone is prose."""
    return not any(_is_known(field) for field in fields(split(body)[0]))


def content(part: Part) -> bytes:
    """A leaf's bytes, its transfer encoding undone; damaged encodings give what can be had."""
    payload = part.get_payload()
    if not isinstance(payload, str):
        return b""
    data = payload.encode("latin-1", "replace")
    encoding = str(part.get("Content-Transfer-Encoding") or "").strip(" \t\r\n\"';").lower()
    if encoding.startswith("base64"):
        return _base64(data)
    if encoding.startswith("quoted"):
        return binascii.a2b_qp(data)
    return _uudecoded(data) if encoding in _UUENCODED else data


def reopened(part: Part) -> Part | None:
    """A multipart whose boundary is missing or wrong, read by the boundary its lines show; None when they show none."""
    payload = part.get_payload()
    if not isinstance(payload, str) or not (match := _DELIMITER.search(payload)):
        return None
    head = f'Content-Type: multipart/mixed; boundary="{match[1]}"\r\n\r\n'.encode("latin-1")
    found = _parsed(head, memoryview(payload.encode("latin-1", "replace")), depth=part.depth + 1)
    return found if found.is_multipart() else None


def _parsed(head: bytes, rest: memoryview, depth: int) -> Part:
    total = [0]

    def made() -> Part:
        part = Part(policy=_POLICY)
        part.depth, part.total = depth, total
        return part

    parser: FeedParser[Part] = FeedParser(made, policy=_POLICY)
    parser.feed(head.decode("latin-1"))
    for start in range(0, len(rest), _CHUNK):
        parser.feed(str(rest[start : start + _CHUNK], "latin-1"))
    return parser.close()


def _headless_end(head: bytes) -> int:
    """Where the head ends although no blank line says so: behind the last field, when no line of the rest is one."""
    end, last, broken = 0, 0, False
    for match in _LINE.finditer(head):
        line = match[0]
        end = match.end()
        if not line or match.start() > HEAD_MAX:
            break
        if _FIELD.match(line) or line.startswith((b"From ", b">From ")):
            if not broken or _is_known(line):
                last, broken = end, False
        elif line[:1] in (b" ", b"\t") and not broken and last == match.start():
            last = end
        elif _FOREIGN.match(line):
            continue  # a field with a foreign name, or the first words of the text: what follows tells
        else:
            broken = True
    return last


def _is_known(line: bytes) -> bool:
    """Behind a line that is no field, `Note: ...` may be prose: only names of mail resume the head."""
    name = line.partition(b":")[0].strip().lower()
    return name.startswith((b"x-", b"content-", b"list-", b"arc-", b"dkim-", b"resent-")) or name in _KNOWN


_KNOWN: Final = frozenset(
    b"from to cc bcc subject date message-id in-reply-to references reply-to sender received return-path mime-version "
    b"delivered-to authentication-results precedence importance priority user-agent auto-submitted thread-topic "
    b"thread-index status organization".split()
)


def _base64(data: bytes) -> bytes:
    """RFC 2045 6.8, with what mailers make of it: foreign characters, missing padding, encoded pieces joined (padding
    in the middle), words behind the end."""
    bare = data.translate(None, _NOT_BASE64)
    padding = bare.find(b"=")
    if padding < 0 or not bare[padding:].strip(b"="):
        return _group(bare)
    pieces = [match[0] for match in _PADDED.finditer(bare)]
    whole = all(len(piece) % 4 == 0 for piece in pieces)
    return b"".join(map(_group, pieces)) if whole else _group(pieces[0])


def _group(piece: bytes) -> bytes:
    bare = piece.rstrip(b"=")
    bare = bare[:-1] if len(bare) % 4 == 1 else bare
    return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))


def _uudecoded(data: bytes) -> bytes:
    return b"".join(_uu_lines(data))


def _uu_lines(data: bytes) -> Iterator[bytes]:
    inside = False
    for line in data.splitlines():
        if line.startswith(b"begin "):
            inside = True
        elif line.strip() == b"end":
            break
        elif inside and line:
            # Mailers write too many characters for the count: cut to what the count covers.
            length = ((line[0] - 32) & 63) * 4 // 3 + 5
            try:
                yield binascii.a2b_uu(line[:length])
            except binascii.Error:
                continue
