"""Bytes and the charset their sender claimed into text: false, missing and unknown labels are seen through.

Pure and total: any bytes give some text. May not read headers or know what the text is for.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Final

import chardet

SAMPLE: Final = 16_384
"""Bytes that a guess looks at."""

# What senders write, and the larger set that they mean. GB 18030 contains GBK and GB 2312, and most mail labelled with
# either of these uses characters of the larger sets. The Windows sets are what the web's standard reads for Latin ones.
_MEANT: Final = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "ascii": "",
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "mbcs": "",
}
_ALSO: Final = {
    "x_gbk": "gb18030",
    "gb_2312_80": "gb18030",
    "gb2312_80": "gb18030",
    "gb18030_2022": "gb18030",
    "chinesebig5": "big5hkscs",
    "hz_gb2312": "hz",
    "x_sjis": "cp932",
    "windows_31j": "cp932",
    "x_euc_jp": "euc_jp",
    "cp_850": "cp850",
    "windows_874": "cp874",
    "windows_949": "cp949",
    "windows_936": "gb18030",
    "x_mac_roman": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_6_i": "iso8859_6",
    "unicode_1_1_utf_8": "utf_8",
    "unicode_1_1_utf_7": "utf_7",
    "unicode": "utf_16",
    "utf8mb4": "utf_8",
}
_CODECS: Final = frozenset(aliases.values()) | {"cp874", "koi8_u", "cp1006", "cp737", "cp856", "cp875", "cp720"}
# No charsets of mail, and some of them are slow or warn (bytes to bytes, host names, Python's own).
_NEVER: Final = frozenset(
    {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs", "oem"}
    | {"idna", "punycode", "raw_unicode_escape", "unicode_escape", "undefined"}
)
_SEVEN_BIT: Final = frozenset({"hz", "utf_7", "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_kr"})
_CHINESE: Final = frozenset({"gb18030", "big5hkscs"})
_LATIN: Final = frozenset({"cp1252", "iso8859_15", "cp1250", "cp1254"})
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf_8"),
    (codecs.BOM_UTF32_LE, "utf_32_le"),
    (codecs.BOM_UTF16_LE, "utf_16_le"),
    (codecs.BOM_UTF16_BE, "utf_16_be"),
)
_PLAUSIBLE: Final = ("gb18030", "big5", "big5hkscs", "euc-jp", "shift_jis", "cp932", "euc-kr", "cp949", "koi8-r")
_PLAUSIBLE_LATER: Final = ("windows-1250", "windows-1251", "windows-1252", "iso-8859-1", "iso-8859-2", "iso-8859-15")
_HIGH_RUN: Final = re.compile(rb"[\x80-\xff]+")
_GB2312_RUN: Final = re.compile(rb"(?:[\xa1-\xf7][\xa1-\xfe])+")
_ISO_2022_JP: Final = re.compile(rb"\x1b\$[@B]")
_HZ: Final = re.compile(rb"~\{[\x21-\x7e]{1,200}~\}")
_CONTROL: Final = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)])


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text; `charset` (a Python codec) that gave it; `guessed`: the label was missing where one was needed, or false;
    `damaged`: some bytes made no character and stand as U+FFFD."""

    text: str
    charset: str
    guessed: bool = False
    damaged: bool = False


def codec(label: str | None) -> str | None:
    """The Python codec that `label` stands for; None when it says nothing (ASCII too: 8-bit bytes belie it)."""
    if not label or len(label) > 40:
        return None
    # Looked up in tables only: codecs.lookup would remember every name that a stranger invents.
    name = normalize_encoding(label.strip(" \t\"'").lower().removeprefix("charset="))
    found = _ALSO.get(name) or (name if name in _CODECS else aliases.get(name)) or _glued(name)
    if found is None or found in _NEVER:
        return None
    return _MEANT.get(found, found) or None


def decode(data: bytes, label: str | None) -> Decoded:
    """`data` as text, by its label where that can be true, else by what the bytes look like. Newlines stay."""
    for bom, name in _BOMS:
        if data.startswith(bom):
            return _replaced(data[len(bom) :], name, guessed=False)
    declared = codec(label)
    if declared in _SEVEN_BIT:
        strict = _strict(data, declared)
        if strict is not None:
            return Decoded(strict, declared)
    if data.isascii() and (declared is None or not declared.startswith(("utf_16", "utf_32"))):
        return _seven_bit(data)
    return _labelled(data, declared) if declared else _unlabelled(data)


def clean(text: str) -> str:
    """With line feeds only, without NUL and other control characters (C0 but tab, and C1), without lone surrogates."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL)
    return unified.encode("utf-8", "replace").decode() if not unified.isascii() else unified


def _glued(name: str) -> str | None:
    """`utf_8_foo` and `gb2312_0` mean their first words."""
    match = re.match(r"(utf_?8|gb18030|gb2312|gbk|big5|iso_8859_\d+|windows_\d+)", name)
    return aliases.get(match[1], match[1] if match[1] in _CODECS else None) if match and match[1] != name else None


def _labelled(data: bytes, declared: str) -> Decoded:
    utf8 = _strict(data, "utf_8")
    if utf8 is not None and declared != "utf_8" and _speaks_utf8(utf8, declared):
        return Decoded(utf8, "utf_8", guessed=True)
    if declared in _LATIN and _looks_gb2312(data) and (strict := _strict(data, "gb18030")) is not None:
        return Decoded(strict, "gb18030", guessed=True)
    if declared == "cp1252":
        return _western(data)
    strict = utf8 if declared == "utf_8" else _strict(data, declared)
    if strict is not None:
        return Decoded(strict, declared)
    damaged = _replaced(data, declared, guessed=False)
    if (
        (_mostly_utf8(data) or _cut_utf8(data))
        if declared == "utf_8"
        else damaged.text.count("\ufffd") * 8 <= len(damaged.text)
    ):
        return damaged
    other = _unlabelled(data)
    return other if not other.damaged and (declared == "utf_8" or other.charset not in _LATIN) else damaged


def _unlabelled(data: bytes) -> Decoded:
    """UTF-8 where it is valid, then what looks most like it; Chinese before Western when both could be."""
    for name in ("utf_8", *(("gb18030",) if _looks_gb2312(data) else ())):
        if (text := _strict(data, name)) is not None:
            return Decoded(text, name, guessed=True)
    if _mostly_utf8(data):
        return _replaced(data, "utf_8", guessed=True)
    found = codec(chardet.detect(data[:SAMPLE], include_encodings=(*_PLAUSIBLE, *_PLAUSIBLE_LATER))["encoding"])
    for name in dict.fromkeys((found or "gb18030", "gb18030")):
        if name == "cp1252":
            return _western(data, guessed=True)
        if (text := _strict(data, name)) is not None:
            return Decoded(text, name, guessed=True)
    return _replaced(data, found or "gb18030", guessed=True)


def _seven_bit(data: bytes) -> Decoded:
    """ASCII, unless it shifts into another set by itself (RFC 1468, RFC 1843)."""
    if b"\x1b" in data and _ISO_2022_JP.search(data[:SAMPLE]) and (text := _strict(data, "iso2022_jp_2")) is not None:
        return Decoded(text, "iso2022_jp", guessed=True)
    if b"~{" in data and _HZ.search(data[:SAMPLE]) and (text := _strict(data, "hz")) is not None:
        return Decoded(text, "hz", guessed=True)
    return Decoded(data.decode("ascii"), "ascii")


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeError, LookupError):
        return None


def _replaced(data: bytes, name: str, *, guessed: bool) -> Decoded:
    text = data.decode(name, "replace")
    return Decoded(text, name, guessed=guessed, damaged="\ufffd" in text)


def _western(data: bytes, *, guessed: bool = False) -> Decoded:
    """Windows-1252; its five holes are C1 controls, as browsers read them."""
    strict = _strict(data, "cp1252")
    return Decoded(data.decode("latin_1") if strict is None else strict, "cp1252", guessed=guessed)


def _speaks_utf8(text: str, declared: str) -> bool:
    """Valid UTF-8 under another label: an accident only in short text of two-byte characters, which Chinese sets
    hold too (C2-DF, then A1-BF). Text of seven bits proves nothing."""
    if declared.startswith(("utf_16", "utf_32")):
        return False
    return any(ord(one) > 0x7FF for one in text[:SAMPLE]) if declared in _CHINESE else not text.isascii()


def _looks_gb2312(data: bytes) -> bool:
    """Nearly all high bytes stand in pairs of GB 2312, and most of those are the common characters of level 1 or
    punctuation: in Western text high bytes stand alone."""
    sample = data[:SAMPLE]
    high = sum(len(run) for run in _HIGH_RUN.findall(sample))
    paired = _GB2312_RUN.findall(sample)
    inside = sum(len(run) for run in paired)
    if high < 4 or inside < high * 0.9:
        return False
    leads = [lead for run in paired for lead in run[::2]]
    common = sum(1 for lead in leads if 0xB0 <= lead <= 0xD7 or lead in (0xA1, 0xA3))
    return common >= len(leads) * 0.7


def _cut_utf8(data: bytes) -> bool:
    """Sound but for a last character that was cut."""
    return any((text := _strict(data[:-short], "utf_8")) is not None and not text.isascii() for short in (1, 2, 3))


def _mostly_utf8(data: bytes) -> bool:
    """A few broken bytes do not make UTF-8 something else: at least ten whole characters for each broken one, or the
    break is at the very end (a cut)."""
    text = data[: SAMPLE * 4].decode("utf-8", "ignore")
    whole = sum(1 for one in text if ord(one) > 0x7F)
    used = sum(len(one.encode()) for one in text if ord(one) > 0x7F)
    high = sum(len(run) for run in _HIGH_RUN.findall(data[: SAMPLE * 4]))
    return whole > 0 and (high - used) * 10 <= max(used, 30 if whole >= 2 else 0)
