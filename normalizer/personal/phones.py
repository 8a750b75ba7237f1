"""Telephone numbers in running text: mobile, landline with extension, 400/800, with a country code, local ones.

May not take a ticket number, an amount, a date or a coordinate for one: the words around a number decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from normalizer.personal.words import WORDS, before, either, last, one_of

_LONGEST_PHONE = 40  # characters; longer is not a phone number, and not worth parsing
_REACH: Final = 14  # characters before a number that may name what it is
_BEHIND: Final = 6  # and behind it

_LABELS: Final = WORDS["labels"]
_PHONE: Final = one_of(_LABELS["phone"])
_THING: Final = one_of(_LABELS["thing"])
_LABEL: Final = re.compile(rf"(?:{either(_LABELS['phone'])})(?:号码?|是|为|[：:\s])*[（(]?$", re.IGNORECASE)
_ABROAD: Final = one_of(_LABELS["abroad"])
_COMMA: Final = re.compile(r"[，,、]")
_UNIT: Final = re.compile(rf"\s?(?:{either(_LABELS['unit'])})")
_CODE: Final = re.compile(r"[A-Za-z]$")

# MIIT numbering plan: mobile 1[3-9] + 9; area code 10, 2x (8 digits follow) or 3xx to 9xx (7 or 8); 400/800 + 7.
_P: Final = r"[ \x1f\-－–—.·]"
_EXT: Final = rf"(?:\s?[，,]?\s?(?:{either(_LABELS['extension'])})[：:.\s]?\s?\d{{1,6}}|[-－–—]\d{{1,5}})"
_HOME: Final = rf"(?:[(（]?(?:[+＋]|00)?86[)）]?{_P}?)"
_MOBILE: Final = (
    rf"1[3-9](?:\d{{9}}|\d(?:{_P}{{1,3}}\d{{4}}{_P}{{1,3}}\d{{4}}|{_P}{{1,3}}\d{{8}}|{_P}\d{{3}}{_P}\d{{5}})"
    rf"|\d{{2}}{_P}\d{{3}}{_P}\d{{4}}|\d{{2}}{_P}\d{{4}}{_P}\d{{3}}|\d{{5}}{_P}\d{{4}})"
    rf"|1\x1f?[3-9](?:\x1f?\d){{9}}|[(（]1[3-9]\d[)）]{_P}?\d{{4}}{_P}?\d{{4}}"
)
_LOCAL: Final = rf"(?:[2-9]\d{{2,3}}{_P}?\d{{4}}|[2-9]\d{{3}}{_P}\d{{3}})"
_AREA: Final = r"(?:10|2\d|[3-9]\d{2})"
_PATTERN: Final = re.compile(
    rf"(?<!\d)(?<!\d[.\-])(?:"
    rf"(?P<mobile>{_HOME}?(?:{_MOBILE}))"
    rf"|(?P<landline>(?:{_HOME}{_P}?(?:[(（]0[)）]{_P}?|[(（]?0?)|[(（]?0){_AREA}{_P}?[)）]?{_P}{{0,3}}{_LOCAL}{_EXT}?"
    rf"|0(?:\x1f?\d){{9,11}}{_EXT}?)"
    rf"|(?P<service>[48]00(?:{_P}?\d{{3}}{_P}?\d{{4}}|{_P}\d{{4}}{_P}\d{{3}}|\d{_P}\d{{3}}{_P}\d{{3}}){_EXT}?)"
    rf"|(?P<foreign>(?:[(（]?[+＋]|00)[1-9](?:[ \-()（）]{{0,2}}\d){{7,13}})"
    rf"|(?P<near>[(（]?(?:85[23]|886)[)）]?{_P}{{0,2}}\d{{1,4}}{_P}?\d{{3,4}}{_P}?\d{{3,4}})"
    rf"|(?P<local>{_LOCAL})"
    rf")(?!\d|[.\-]\d|/\d{{1,4}}(?!\d))"
)
# Digits that may begin a number: seven or more of them, or fewer before a separator and more of them.
_RUN: Final = re.compile(r"[0-9](?<![0-9][0-9])[0-9]{0,40}(?:(?<=[0-9]{7})|(?=[ \x1f\-－–—.·)）]{1,3}[0-9(（]))")
_LISTED: Final = frozenset({"、", "/", "，", ",", "或", "和", " ", "，或", "；", "及"})
"""Between a number and the next, which is one as well."""
_OPENS: Final = frozenset("(（+＋")
_SHOWS_EXTENSION: Final = re.compile(_EXT + "$", re.IGNORECASE)
_PLAN: Final = re.compile(r"(?:\+86|0086|86)?0?(?P<national>(?:10|2\d)[2-8]\d{7}|[3-9]\d{2}[2-8]\d{6,7}|400\d{7})")
_NOT_DIALLED: Final = re.compile(r"[^\d+]")
_WIDE: Final = str.maketrans("＋（）－", "+()-")


@dataclass(frozen=True, slots=True)
class Phone:
    """A telephone number found. `dialled`: E.164, None when it needs an extension or an area code that is not there."""

    start: int
    end: int
    shape: str
    dialled: str | None


def e164(phone: str, region: str) -> str | None:
    """E.164 of `phone` as dialled in `region`; None when it is no valid number there or carries an extension
    (which E.164 cannot hold). National service numbers (400…) count as valid."""
    if len(phone) > _LONGEST_PHONE or _HAS_EXTENSION.search(phone):
        return None
    try:
        number = phonenumbers.parse(phone, region)
    except NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


_HAS_EXTENSION: Final = re.compile(r"\d\D*(?:转|轉|分机|分機)\D*\d")


def _abroad(written: str) -> str | None:
    """E.164 of a number with its country code. Its length must be possible there; which prefixes are given out is
    older in our tables than on the telephones."""
    digits = _NOT_DIALLED.sub("", written).removeprefix("00")
    try:
        number = phonenumbers.parse(digits if digits.startswith("+") else "+" + digits, None)
    except NumberParseException:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if _is_possible(number) else None


def _is_possible(number: phonenumbers.PhoneNumber) -> bool:
    return phonenumbers.is_possible_number(number) and number.country_code != 86


def find_phones(view: str) -> Iterator[Phone]:
    """The numbers of `view` (a text, spoken digits written as digits), in order."""
    position = 0
    for run in _RUN.finditer(view):
        start = run.start()
        if start < position:
            continue
        while start > position and view[start - 1] in _OPENS:
            start -= 1
        for begin in range(start, run.start() + 1):
            match = _PATTERN.match(view, begin)
            listed = position > 0 and view[position:begin] in _LISTED
            if match is not None and (found := _read(view, match, listed=listed)) is not None:
                yield found
                position = found.end
                break


def _read(view: str, match: re.Match[str], *, listed: bool) -> Phone | None:
    """The number that stands there, unless it is something else."""
    shape = match.lastgroup or ""
    said = before(view, match.start(), _REACH)
    labelled = listed or bool(_LABEL.search(said))
    if not labelled and _is_other(view, match, said):
        return None
    named = labelled or (shape == "near" and bool(_ABROAD.search(said + view[match.end() : match.end() + _BEHIND])))
    dialled, whole = _dialled(shape, match[0], named)
    return Phone(match.start(), match.end(), shape, dialled) if whole else None


def _is_other(view: str, match: re.Match[str], said: str) -> bool:
    """Whether the words around say that it is no telephone number; digits in the groups of one always are."""
    if match[0].isdecimal():
        clause = _COMMA.split(said)[-1]
        named = last(_THING, clause)
        if named >= 0 and named >= last(_PHONE, clause):
            return True
    if said.endswith(("¥", "￥", "$", "€", "£")) or _CODE.search(said):
        return True
    following = view[match.end() : match.end() + 4]
    return bool(_UNIT.match(following)) or (following[:1].isascii() and following[:1].isalpha())


def _dialled(shape: str, written: str, labelled: bool) -> tuple[str | None, bool]:
    """How it is dialled, and whether it is a telephone number at all."""
    plain = written.translate(_WIDE)
    if shape == "mobile":
        return "+86" + _NOT_DIALLED.sub("", plain)[-11:], True
    if shape == "local":
        return None, labelled
    if shape in {"near", "foreign"}:
        number = _abroad(plain) if labelled or shape == "foreign" else None
        return number, number is not None
    extension = _SHOWS_EXTENSION.search(plain) if shape in {"landline", "service"} else None
    base = _NOT_DIALLED.sub("", plain[: extension.start()] if extension else plain)
    number = _national(base)
    if number is None and extension and (number := _national(_NOT_DIALLED.sub("", plain))):
        return number, True  # 010-8888-6666 ends like an extension
    return (None if extension else number), number is not None


def _national(digits: str) -> str | None:
    """E.164 by the tables of numbers given out, else by the numbering plan: some exchanges are newer."""
    if (number := e164(digits, "CN")) is not None:
        return number
    match = _PLAN.fullmatch(digits)
    return f"+86{match['national']}" if match else None
