"""Identity documents and bank cards in running text, by their check digits, lengths and labels.

May not take a number whose check digit or birth date is wrong: ticket numbers, amounts and accounts stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from stdnum import luhn, numdb
from stdnum.cn import ric

from normalizer.personal.words import WORDS, before, either, one_of

_LABELS: Final = WORDS["labels"]
_REACH: Final = 16  # characters before a number that may name what it is
_GAPS: Final = re.compile(r"[\s\x1f\-]")

# GB 11643-1999: 6 digits of place, 8 of birth date, 3 of order, check character (ISO 7064 MOD 11-2). People
# write blanks or hyphens between the groups, or between all digits.
_GAP: Final = r"[\s\x1f-]?"
_PARTS: Final = (
    r"(?<![0-9])[1-9]",
    *["[0-9]"] * 5,
    "(?:1" + _GAP + "[89]|2" + _GAP + "0)",
    *["[0-9]"] * 2,
    "(?:0" + _GAP + "[1-9]|1" + _GAP + "[0-2])",
    "(?:0" + _GAP + "[1-9]|[12]" + _GAP + "[0-9]|3" + _GAP + "[01])",
    *["[0-9]"] * 3,
    "[0-9Xx](?![0-9])",
)
_RESIDENT: Final = re.compile(_GAP.join(_PARTS))
# GB 11643-1989: the year has two digits, and there is no check character: words say what it is, or its place exists.
_OLD: Final = re.compile(
    r"(?<![0-9])(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5])\d{4}\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}"
    r"(?![0-9])"
)
_SAYS_RESIDENT: Final = one_of(_LABELS["resident_id"])
_SAYS_THING: Final = one_of(_LABELS["thing"])
# GB/T 2260: the provinces; with a 9 before, foreigners' cards of permanent residence.
_PROVINCE: Final = re.compile(r"9?(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])")
_PERMIT: Final = re.compile(
    rf"(?:{either(_LABELS['permit'])})(?:号码?|號碼?|编号|no\.?|number|是|为|[：:\s])*(?P<number>[A-Z]{{0,2}}\d{{7,10}})(?!\d)",
    re.IGNORECASE,
)
# Cheap tests: a character before digits, without which none of them can match.
_SAYS_PERMIT: Final = re.compile(r"[证證照pP](?=[^。]{0,12}[0-9]{7})")
_SAYS_HK: Final = re.compile(r"[0-9](?<=[A-Z][0-9][0-9][0-9][0-9][0-9][0-9]) ?[(（]")
_HK: Final = re.compile(r"(?<![A-Za-z0-9])(?P<letters>[A-Z]{1,2})(?P<digits>\d{6}) ?[(（](?P<check>[0-9A])[)）]")

_CARD: Final = re.compile(r"(?<![0-9.])[2-69](?:[ \x1f\-]{0,2}[0-9]){13,18}(?![0-9])")
_SAYS_CARD: Final = one_of(_LABELS["card"])
_SAYS_NO_CARD: Final = one_of(_LABELS["not_card"])
# UnionPay, ICBC's own, Visa, Mastercard, JCB, American Express: lengths by ISO/IEC 7812 issuer ranges.
_SURE_CARD: Final = re.compile(r"62\d{14,17}|9558\d{15}|4\d{15}|5[1-5]\d{14}|35[2-8]\d{13}|3[47]\d{13}")
_LABELLED_CARD: Final = re.compile(r"(?:62|60|69|81|84|94|95)\d{14,17}|2[2-7]\d{14}|[45]\d{15,18}|3[068]\d{12}")


def is_resident_id(number: str) -> bool:
    """Province, check digit and calendar date. The county is not looked up: one renamed since must not leak."""
    if not _PROVINCE.match(number):
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return bool(ric.calc_check_digit(number) == number[-1])


def find_resident_ids(view: str) -> Iterator[tuple[int, int, str]]:
    """Resident identity numbers: start, end, the number without gaps."""
    for match in _RESIDENT.finditer(view):
        number = _GAPS.sub("", match[0]).upper()
        if is_resident_id(number):
            yield match.start(), match.end(), number
    for match in _OLD.finditer(view):
        if _is_day(match[0][6:12]) and _is_old(match[0][:6], before(view, match.start(), _REACH)):
            yield match.start(), match.end(), match[0]


def _is_old(place: str, said: str) -> bool:
    """Whether words say so; or the county is one that was once numbered, and nothing says what else it is."""
    if _SAYS_RESIDENT.search(said):
        return True
    if _SAYS_THING.search(said) or _SAYS_NO_CARD.search(said):
        return False
    return any("county" in told for _, told in numdb.get("cn/loc").info(place)[1:])


def find_permits(view: str) -> Iterator[tuple[int, int, str]]:
    """Travel permits and passports where the words name them, and Hong Kong identity cards by their check digit."""
    for match in _PERMIT.finditer(view) if _SAYS_PERMIT.search(view) else ():
        yield match.start("number"), match.end("number"), match["number"]
    for match in _HK.finditer(view) if _SAYS_HK.search(view) else ():
        if _is_hk(match["letters"], match["digits"], match["check"]):
            yield match.start(), match.end(), match[0]


def find_cards(view: str) -> Iterator[tuple[int, int, str]]:
    """Bank cards: check digit (Luhn), and a length that its issuer gives out."""
    for match in _CARD.finditer(view):
        said = before(view, match.start(), _REACH)
        if _SAYS_NO_CARD.search(said):
            continue
        pattern = _LABELLED_CARD if _SAYS_CARD.search(said) else _SURE_CARD
        for end in _ends(match[0]):
            number = _GAPS.sub("", match[0][:end])
            if luhn.is_valid(number) and (pattern.fullmatch(number) or _SURE_CARD.fullmatch(number)):
                yield match.start(), match.start() + end, number
                break


def _ends(written: str) -> Iterator[int]:
    """Where the number may end: at its end, else at a gap (another number follows)."""
    yield len(written)
    yield from (gap.start() for gap in reversed(list(_GAPS.finditer(written))))


def _is_day(digits: str) -> bool:
    try:
        date(1900 + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return False
    return True


def _is_hk(letters: str, digits: str, check: str) -> bool:
    """Weights 9 to 1 over two letters (a blank counts 36), six digits and the check character, modulo 11."""
    values = [36] * (2 - len(letters)) + [ord(letter) - 55 for letter in letters] + [int(digit) for digit in digits]
    total = sum(weight * value for weight, value in zip(range(9, 1, -1), values, strict=True))
    return (total + int(check, 16)) % 11 == 0
