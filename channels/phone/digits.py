"""Digits said aloud, in Chinese or English, one by one or in groups: 幺三八 两个零, one three double five.

Pure. May not know what a number is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from channels.phone.numerals import BOOK, CHARACTERS, DIGIT_OF, numeral

_ENGLISH: Final = "|".join(sorted(BOOK.english, key=len, reverse=True))
_TIMES: Final = "|".join(BOOK.english_times)
_TOKEN: Final = re.compile(
    rf"(?P<times>[二两三四五六2-6])个(?P<repeated>[{CHARACTERS}])"
    rf"|(?P<round>[一二三四五六七八九]百(?:[一二三四五六七八九]十)?[一二三四五六七八九]?|[二两三四五六七八九]千)(?![{CHARACTERS}百千万个多遍次回年天块元米人户])"
    rf"|(?P<digits>(?!一[共下些直般样起定种次])[{CHARACTERS}])(?!个[{CHARACTERS}]|位)"
    rf"|\b(?:(?P<factor>{_TIMES})[ -])?(?P<english>{_ENGLISH})\b",
    re.IGNORECASE,
)
_BETWEEN: Final = re.compile(r"[\s，,、。.…\-—–·()（）杠]{0,4}")
_PLUS: Final = re.compile(r"\+\s?$|加号\s?$|\bplus\s$", re.IGNORECASE)
_MOST: Final = 40  # digits of one run; more are no number that anybody dictates


@dataclass(frozen=True, slots=True)
class Run:
    """Digits said without another word between them. `groups`: as a pause or a comma parted them. `start` and `end`:
    where they stand in the text."""

    groups: tuple[str, ...]
    start: int
    end: int
    plus: bool = False

    @property
    def digits(self) -> str:
        return "".join(self.groups)


def runs(text: str) -> list[Run]:
    """Every run of digits in `text`, in order. Linear: a run that is too long is cut into several."""
    found: list[Run] = []
    groups: list[str] = []
    start = end = 0
    for token_start, token_end, digits, spoken_apart in _tokens(text):
        gap = text[end:token_start]
        if groups and _BETWEEN.fullmatch(gap) and sum(map(len, groups)) < _MOST:
            if gap.strip(" ") or (gap and not spoken_apart):
                groups.append(digits)
            else:
                groups[-1] += digits
        else:
            _close(found, groups, text, start, end)
            groups, start = [digits], token_start
        end = token_end
    _close(found, groups, text, start, end)
    return found


def _tokens(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Start, end, digits of each token, and whether blanks part its kind anyway (English words)."""
    for found in _TOKEN.finditer(text):
        if found["times"]:
            digits = DIGIT_OF[found["repeated"]] * int(DIGIT_OF[found["times"]])
        elif found["round"]:
            digits = numeral(found["round"])
        elif found["digits"]:
            digits = DIGIT_OF[found["digits"]]
        else:
            times = BOOK.english_times.get((found["factor"] or "").lower(), 1)
            digits = str(BOOK.english[found["english"].lower()]) * times
        yield found.start(), found.end(), digits, bool(found["english"])


def _close(found: list[Run], groups: list[str], text: str, start: int, end: int) -> None:
    if groups:
        found.append(Run(tuple(groups), start, end, plus=bool(_PLUS.search(text, max(0, start - 6), start))))
