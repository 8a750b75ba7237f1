"""Bytes of a form body (multipart or urlencoded) into fields and files.

Pure; may not know which fields exist. Raises Rejected when the body cannot be read; one bad part is a fault.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from python_multipart import MultipartParser
from python_multipart.multipart import MultipartState, parse_options_header

from normalizer.attachment import clean_name
from normalizer.errors import Fault, Rejected
from normalizer.ticket import Attachment

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# Its warnings quote bytes of the body; what matters in them reaches the sender as Rejected.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

FIELDS_MAX: Final = 64
JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"
URLENCODED: Final = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class Parts:
    """What a form body holds. `structured` are the fields whose part was JSON (a place, a span)."""

    fields: dict[str, str] = field(default_factory=dict)
    structured: set[str] = field(default_factory=set)
    files: list[Attachment] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, name: str, value: bytes) -> None:
        """A text field; the line ends of HTML forms (CRLF, HTML 4.10.22.7) become LF."""
        if name in self.fields:
            self.faults.append(Fault(pointer(name), "duplicate_key", "The field is given twice."))
            return
        try:
            self.fields[name] = value.decode().replace("\r\n", "\n")
        except UnicodeDecodeError:
            self.faults.append(Fault(pointer(name), "bad_encoding", "The value is not UTF-8."))


def pointer(name: str) -> str:
    """RFC 6901: the pointer to the field `name`. What a sender made up is cut: a fault stores nothing."""
    return "/" + name[:60].replace("~", "~0").replace("/", "~1")


def essence(content_type: str) -> str:
    """The media type without its parameters, lower case (RFC 9110 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def urlencoded(body: bytes) -> Parts:
    """application/x-www-form-urlencoded (WHATWG URL 5.1)."""
    parts = Parts()
    pairs = body.replace(b"+", b" ").split(b"&")
    if len(pairs) > FIELDS_MAX:
        raise refused("too_many_parts", f"A form has {FIELDS_MAX} fields at most.")
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        if pair:
            parts.add(_name(unquote_to_bytes(name)), unquote_to_bytes(value))
    return parts


def multipart(body: bytes, content_type: str) -> Parts:
    """multipart/form-data (RFC 7578). A part with a file name is a file, whatever its field is called."""
    reader = _Reader()
    try:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise refused("boundary_missing", "The content type names no boundary.")
        parser = MultipartParser(boundary, reader.callbacks())
        parser.write(body)
    except ValueError as error:  # FormParserError is one, and so is a header that is not Latin-1
        raise refused("body_invalid", "The multipart body could not be read.") from error
    if parser.state != MultipartState.END:
        raise refused("body_truncated", "The multipart body ends before its last boundary.")
    return reader.parts


def refused(code: str, detail: str) -> Rejected:
    """A Rejected about the whole body."""
    return Rejected(code, detail, [Fault("", code, detail)])


def _name(name: bytes) -> str:
    return name.decode("utf-8", "replace")


class _Reader:
    """Collects the parser's callbacks; one part at a time."""

    def __init__(self) -> None:
        self.parts = Parts()
        self._count = 0
        self._headers: dict[bytes, bytes] = {}
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._data: list[bytes] = []

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_part_data": lambda data, start, end: self._data.append(data[start:end]),
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > FIELDS_MAX:
            raise refused("too_many_parts", f"A form has {FIELDS_MAX} parts at most.")
        self._headers = {}
        self._data = []

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _end(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"").decode("latin-1")
        options = parse_options_header(disposition)[1]
        if b"name" not in options:
            self.parts.faults.append(Fault("", "part_without_name", "A part of the form has no name."))
            return
        content = b"".join(self._data)
        name = _name(options[b"name"])
        kind = self._headers.get(b"content-type", b"").decode("latin-1").strip()
        if b"filename" in options:
            self._file(name, options[b"filename"], kind, content)
            return
        if essence(kind) == JSON:
            self.parts.structured.add(name)
        self.parts.add(name, content)

    def _file(self, name: str, filename: bytes, kind: str, content: bytes) -> None:
        if not filename and not content:
            return  # what a browser sends for a file field that was left empty
        if name != "attachments":
            self.parts.faults.append(Fault(pointer(name), "unknown_field", "Files belong in `attachments`."))
            return
        self.parts.files.append(
            Attachment(name=clean_name(_name(filename)), declared_type=kind or None, content=content)
        )
