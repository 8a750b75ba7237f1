"""Bytes into a document: JSON values or text, whatever the encoding; what is neither is refused with a reason.

May not know any format of transcripts.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from pydantic_core import from_json

from normalizer.errors import Fault, Rejected

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY: Final = (
    b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"RIFF", b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"%PDF", b"\x89PNG",
)  # fmt: skip
_MOSTLY: Final = 4
"""Characters beyond ASCII that read as UTF-8, for each place that does not, in UTF-8 that was cut off or spoilt."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f]")


def decode(body: bytes) -> str:
    """The text of `body`: by its byte order mark, else UTF-8, else GB 18030 (which covers GBK and GB 2312).

    Raises:
        Rejected: `no_speech` (empty), `unknown_format` (an archive, audio, a picture), `encoding_unknown`.
    """
    if not body.strip():
        raise refused("no_speech", "The transcript is empty.")
    if body.startswith(_BINARY):
        raise refused("unknown_format", "This is an archive, audio or a picture, not a transcript.")
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], (encoding,))
    return _decoded(body, ("utf-8",) if _is_spoilt_utf8(body) else ("utf-8", "gb18030"))


def _is_spoilt_utf8(body: bytes) -> bool:
    """Whether all but a little is UTF-8: read as GB 18030 it might give other characters without an error. Of text
    that is GB 18030, less than half reads as UTF-8 by chance."""
    text = body.decode("utf-8", "replace")
    spoilt = text.count("\ufffd")
    wide = len(text) - len(text.encode("ascii", "ignore")) - spoilt
    return spoilt > 0 and wide >= _MOSTLY * spoilt


def _decoded(body: bytes, encodings: tuple[str, ...]) -> str:
    for encoding in encodings:
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text
    raise refused("encoding_unknown", "The transcript is damaged, or in no known encoding (UTF-8, UTF-16, GB 18030).")


def json_value(text: str) -> object:
    """The JSON value.

    Raises:
        Rejected: `json_invalid`: cut off, nested too deeply, or not JSON at all.
    """
    try:
        value: object = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise refused("json_invalid", "The transcript is not whole JSON, or is nested too deeply.") from error
    return value


def refused(code: str, detail: str) -> Rejected:
    """A Rejected about the whole transcript."""
    return Rejected(code, detail, [Fault("", code, detail)])
