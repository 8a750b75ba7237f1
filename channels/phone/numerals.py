"""Spoken numbers to digits, for understanding places, times and telephone numbers: 一百二十一栋 is 121栋.

Pure. May not change a ticket's text: people read the words that were said.
"""

from __future__ import annotations

import re
from typing import Final

from channels.phone.rules import Data, Words, load


class _Numerals(Data):
    digits: dict[str, int]
    powers: dict[str, int]
    units: Words
    english: dict[str, int]
    english_times: dict[str, int]


BOOK: Final = load("numerals", _Numerals)
_WIDE: Final = {chr(0xFF10 + digit): str(digit) for digit in range(10)}
DIGIT_OF: Final[dict[str, str]] = {
    **{str(digit): str(digit) for digit in range(10)},
    **_WIDE,
    **{word: str(digit) for word, digit in BOOK.digits.items()},
}
"""Every single character that is said for a digit."""
CHARACTERS: Final = "".join(DIGIT_OF)
_POWERS: Final = "".join(BOOK.powers)
_UNITS: Final = "|".join(sorted(BOOK.units.any, key=len, reverse=True))
# At most 20 characters: longer is no number of anything, and hostile runs stay linear.
_WITH_UNIT: Final = re.compile(f"[{CHARACTERS}{_POWERS}]{{1,20}}(?=(?:{_UNITS}))|(?<=[点时])[{CHARACTERS}十]{{1,3}}")
_RUN: Final = re.compile(f"[{CHARACTERS}]{{3,}}")


def numeral(words: str) -> str:
    """The digits of one number: 一百二十一 is "121", 幺零一 is "101", 一百二 is "120", 十五 is "15"."""
    if not any(power in words for power in BOOK.powers):
        return "".join(DIGIT_OF[word] for word in words)
    total, part, digits, last = 0, 0, "", 1
    for word in words:
        power = BOOK.powers.get(word)
        if power is None:
            digits, last = (digits + DIGIT_OF[word]), last if DIGIT_OF[word] != "0" else 1
        elif power == 10_000:
            total, part, digits, last = (total + part + int(digits or "0")) * power, 0, "", power
        else:
            part, digits, last = part + int(digits or "1") * power, "", power
    # 一百二 is 120: a last digit right behind a power counts the next lower one, unless a zero stands between.
    tail = int(digits or "0") * (last // 10 if len(digits) == 1 and last >= 100 else 1)
    return str(total + part + tail)


def understood(text: str) -> str:
    """`text` with its numbers in digits where a unit follows or three digits were said in a row: 三号楼二单元幺零一
    becomes 3号楼2单元101. Everything else stays."""
    return _RUN.sub(_digits, _WITH_UNIT.sub(_digits, text))


def _digits(found: re.Match[str]) -> str:
    return numeral(found[0])
