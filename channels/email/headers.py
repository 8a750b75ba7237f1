"""One header field's raw value into text, message ids or a date: RFC 2047 as it is written, not as it should be.

Pure and total: any value gives something, in linear time. A raw value is the field's bytes read as Latin-1.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from typing import Final

from channels.email import charsets

TEXT_MAX: Final = 16_384
"""Characters of a field that are decoded; the rest is no subject and no name."""
IDS_MAX: Final = 100
ID_LENGTH_MAX: Final = 998

# RFC 2047 2. The text may hold blanks and lone question marks, which the RFC forbids and mailers write all the same.
_WORD: Final = re.compile(r"=\?([^\s?*]{1,40})(?:\*[^\s?]{0,40})?\?([bBqQ])\?((?:[^?]|\?(?!=)){0,2000})\?=")
_FOLD: Final = re.compile(r"(?<![ \t])[ \t]*(?:\r\n|\r|\n)[ \t]*")
_ID: Final = re.compile(r"<\s*([^<>\s]{1,998})\s*>")
_BARE_ID: Final = re.compile(r"[^\s<>\"',;()]+@[^\s<>\"',;()]+")
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")
_SPACES: Final = re.compile(r"[ \t]+")


@dataclass(slots=True)
class _Run:
    """Encoded words of one charset that stand together: a character may be cut anywhere between them."""

    charset: str
    data: bytes = b""
    base64: str = ""
    """What a word left over: mailers also cut base64 between its groups of four."""

    def add(self, encoding: str, text: str) -> None:
        if encoding in "qQ":
            self.flush()
            # RFC 2047 4.2: the underscore is a space in any charset.
            # Raw characters, which have no place here, were read already: back into the word's own charset with them.
            charset = "ascii" if text.isascii() else charsets.codec(self.charset) or "utf-8"
            plain = _SPACES.sub("_", text).encode(charset, "replace")
            self.data += binascii.a2b_qp(plain, header=True)
            return
        bare = self.base64 + _NOT_BASE64.sub("", text)
        whole = len(bare) if "=" in text else len(bare) - len(bare) % 4
        self.base64 = bare[whole:]
        self.data += base64(bare[:whole])

    def flush(self) -> None:
        self.data += base64(self.base64)
        self.base64 = ""

    def text(self) -> str:
        self.flush()
        return charsets.decode(self.data, self.charset).text


def base64(text: str) -> bytes:
    """Base64 without foreign characters, whose padding may be missing; a last lone character says nothing."""
    whole = text[: len(text) - 1] if len(text) % 4 == 1 else text
    return binascii.a2b_base64(whole + "=" * (-len(whole) % 4))


def decode(raw: str, hint: str | None = None) -> str:
    """The text of an unstructured field: unfolded, 8-bit characters read by their look or as `hint` (the charset of
    the body), encoded words decoded, control characters removed, trimmed."""
    readable = unicode(_FOLD.sub(" ", raw[:TEXT_MAX]), hint)
    return one_line("".join(_pieces(readable)))


def one_line(text: str) -> str:
    """Cleaned, in one line, without blanks around."""
    return charsets.clean(text).replace("\n", " ").strip()


def unicode(raw: str, hint: str | None = None) -> str:
    """Latin-1 that stands for bytes, as what the bytes mean. RFC 6532 says UTF-8; senders also write GBK."""
    if raw.isascii():
        # ISO-2022-JP has seven bits, so that nothing else shows it.
        return charsets.decode(raw.encode("latin-1"), None).text if "\x1b" in raw else raw
    data = raw.encode("latin-1", "replace")
    found = charsets.decode(data, None)
    hinted = charsets.decode(data, hint) if hint and found.charset != "utf_8" else found
    return found.text if hinted.damaged else hinted.text


def words(text: str) -> str:
    """`text`, already characters, with its encoded words decoded."""
    return "".join(_pieces(text)) if "=?" in text else text


def _pieces(text: str) -> Iterator[str]:
    run: _Run | None = None
    end = 0
    for match in _WORD.finditer(text):
        between = text[end : match.start()]
        charset, encoding, encoded = match.group(1, 2, 3)
        # RFC 2047 6.2: blanks between two encoded words are no part of the text.
        if run is not None and (between.strip() or run.charset.lower() != charset.lower()):
            yield run.text()
            run = None
        elif run is not None:
            between = ""
        yield between if end == 0 or between.strip() else ""
        run = run or _Run(charset)
        run.add(encoding, encoded)
        end = match.end()
    if run is not None:
        yield run.text()
    yield text[end:]


def ids(raw: str) -> tuple[str, ...]:
    """Message ids in the order written, without their brackets and without repeats; the first and the latest of
    very many. An id without brackets is taken too."""
    value = _FOLD.sub(" ", raw)
    found = tuple(dict.fromkeys(_ID.findall(value))) or tuple(dict.fromkeys(_bare(value)))
    return found if len(found) <= IDS_MAX else (found[0], *found[1 - IDS_MAX :])


def _bare(value: str) -> Iterable[str]:
    return (one for one in value.split() if len(one) <= ID_LENGTH_MAX and _BARE_ID.fullmatch(one))


def date(raw: str) -> datetime | None:
    """When the sender says it was written (RFC 5322 3.3 and what mailers make of it); no zone means UTC."""
    try:
        parts = parsedate_tz(raw[:200])
        if parts is None:
            return None
        offset = timedelta(seconds=parts[9] or 0)
        zone = timezone(offset) if abs(offset) < timedelta(hours=24) else UTC
        return datetime(*parts[:6], tzinfo=zone)
    except Exception:  # the standard library's reader fails in many ways on what is no date
        return None
