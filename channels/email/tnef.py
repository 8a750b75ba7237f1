"""winmail.dat (TNEF, MS-OXTNEF) into the files and the text inside. Our own: the one library is quadratic, loops four
billion times when asked to, and cuts zeros off files. Pure, linear; raises nothing but Unreadable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from channels.email import charsets

SIGNATURE: Final = b"\x78\x9f\x3e\x22"
FILES_MAX: Final = 500
RTF_MAX: Final = 4 * 1024 * 1024

_ATTACHMENT_STARTS, _ATTACHMENT_DATA, _ATTACHMENT_TITLE, _ATTACHMENT_PROPERTIES = 0x9002, 0x800F, 0x8010, 0x9005
_MESSAGE_PROPERTIES, _BODY, _CODE_PAGE = 0x9003, 0x800C, 0x9007
_TEXT, _HTML, _RTF = 0x1000, 0x1013, 0x1009
_LONG_NAME, _NAME, _SHOWN_NAME, _OBJECT = 0x3707, 0x3704, 0x3001, 0x3701
_SIZES: Final = {0x02: 4, 0x0B: 4, 0x03: 4, 0x04: 4, 0x0A: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING, _UNICODE = 0x1E, 0x1F
_VARIABLE: Final = frozenset({_STRING, _UNICODE, 0x0D, 0x0102})
_INTERFACE: Final = 16
"""An embedded object starts with the id of its interface."""
_MANY, _NAMED = 0x1000, 0x8000
_RTF_START: Final = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


class Unreadable(Exception):
    """No TNEF, or broken before anything could be had."""


@dataclass(slots=True)
class File:
    """A file inside; `name` is empty when it has none."""

    name: str = ""
    data: bytes = b""


@dataclass(slots=True)
class Unpacked:
    """What was inside. `whole`: it was read to its end without damage."""

    files: list[File] = field(default_factory=list)
    text: str = ""
    html: str = ""
    rtf: bytes = b""
    whole: bool = True


def unpack(data: bytes) -> Unpacked:
    """The contents of a TNEF stream; what stands behind damage is missing and `whole` says so.

    Raises:
        Unreadable: these bytes are no TNEF.
    """
    if data[:4] != SIGNATURE:
        raise Unreadable
    found = Unpacked()
    try:
        _read(memoryview(data), found)
    except (struct.error, ValueError):
        found.whole = False
    return found


def _read(data: memoryview, found: Unpacked) -> None:
    page: str | None = None
    at = 6
    while at + 11 <= len(data):
        _, name, _, length = struct.unpack_from("<BHHI", data, at)
        value = data[at + 9 : at + 9 + length]
        if len(value) < length:
            found.whole = False
        at += length + 11
        if name == _CODE_PAGE and len(value) >= 4:
            page = f"cp{struct.unpack_from('<I', value)[0]}"
        elif name == _ATTACHMENT_STARTS and len(found.files) < FILES_MAX:
            found.files.append(File())
        elif name == _MESSAGE_PROPERTIES:
            _message(value, page, found)
        elif name == _BODY:
            found.text = found.text or _string(bytes(value), page)
        elif found.files:
            _attached(name, value, page, found.files[-1])


def _attached(name: int, value: memoryview, page: str | None, file: File) -> None:
    if name == _ATTACHMENT_DATA:
        file.data = bytes(value)
    elif name == _ATTACHMENT_TITLE:
        file.name = file.name or _string(bytes(value), page)
    elif name == _ATTACHMENT_PROPERTIES:
        names: dict[int, str] = {}
        for tag, kind, content in _properties(value):
            if tag in (_LONG_NAME, _NAME, _SHOWN_NAME):
                names[tag] = _string(bytes(content), "utf-16-le" if kind == _UNICODE else page)
            elif tag == _OBJECT and kind == 0x0D:
                file.data = bytes(content[_INTERFACE:])
            elif tag == _OBJECT:
                file.data = bytes(content)
        file.name = names.get(_LONG_NAME) or names.get(_NAME) or file.name or names.get(_SHOWN_NAME, "")


def _message(value: memoryview, page: str | None, found: Unpacked) -> None:
    for tag, kind, content in _properties(value):
        if tag == _TEXT:
            found.text = _string(bytes(content), "utf-16-le" if kind == _UNICODE else page) or found.text
        elif tag == _HTML:
            found.html = _string(bytes(content), "utf-16-le" if kind == _UNICODE else page)
        elif tag == _RTF:
            found.rtf = _decompressed(bytes(content))


def _properties(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Tag, type and value of every property of variable length (MS-OXTNEF 2.1.3.4), the others skipped."""
    (count,) = struct.unpack_from("<I", data)
    at = 4
    for _ in range(min(count, len(data) // 4)):
        kind, tag = struct.unpack_from("<HH", data, at)
        at = _behind_name(data, at + 4) if tag & _NAMED else at + 4
        many = bool(kind & _MANY)
        kind &= ~_MANY
        values = 1
        if many or kind in _VARIABLE:
            (values,) = struct.unpack_from("<I", data, at)
            at += 4
        if kind not in _VARIABLE:
            at += values * _SIZES[kind] if kind in _SIZES else _unknown()
            continue
        for _ in range(min(values, len(data) // 4)):
            (length,) = struct.unpack_from("<I", data, at)
            yield tag, kind, data[at + 4 : at + 4 + length]
            at += 4 + length + -length % 4


def _behind_name(data: memoryview, at: int) -> int:
    kind, length = struct.unpack_from("<II", data, at + 16)
    return at + 24 if kind == 0 else at + 24 + length + -length % 4


def _unknown() -> int:
    raise ValueError("unknown type of property: its length is unknown too")


def _string(data: bytes, charset: str | None) -> str:
    wide = charset == "utf-16-le"
    bare = data.decode("utf-16-le", "replace") if wide else charsets.decode(data.rstrip(b"\0"), charset).text
    return charsets.clean(bare)


def _decompressed(data: bytes) -> bytes:
    """Compressed RTF (MS-OXRTFCP 2.2)."""
    if len(data) < 16:
        return b""
    _, size, kind = struct.unpack_from("<III", data)
    if kind == 0x414C454D:  # MELA: not compressed
        return data[16 : 16 + size]
    if kind != 0x75465A4C:  # LZFu
        return b""
    out, start, at, end = bytearray(_RTF_START), len(_RTF_START), 16, min(len(data), RTF_MAX)
    limit = start + min(size, RTF_MAX)
    while at < end and len(out) < limit:
        control = data[at]
        at += 1
        for bit in range(8):
            if at >= end or len(out) >= limit:
                break
            if not control >> bit & 1:
                out.append(data[at])
                at += 1
                continue
            place = int.from_bytes(data[at : at + 2], "big")
            at += 2
            if not _copied(out, place >> 4, (place & 15) + 2):
                return bytes(out[start:])
    return bytes(out[start:limit])


def _copied(out: bytearray, offset: int, length: int) -> bool:
    """Copy from the window of 4,096 bytes; False at the end mark (the place that is written next)."""
    write = len(out) % 4096
    if offset == write:
        return False
    source = len(out) - ((write - offset) % 4096)
    if source < 0:
        return False
    for index in range(length):
        out.append(out[source + index])
    return True
