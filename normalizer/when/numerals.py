"""Small numbers as people write them: 12, 十二, 二十三, 廿三, 两, 半. May not read more than four digits."""

from __future__ import annotations

from typing import Final

_DIGITS: Final = {char: value for value, char in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "○": 0,
    "两": 2,
    "初": 0,
}
NUMBER: Final = r"(?:\d{1,4}|[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九零〇])"
SMALL: Final = r"(?:\d{1,2}|[二三四五]?十[一二三四五六七八九]?|[一二两三四五六七八九零〇])"


def number(written: str) -> int:
    """Its value. Raises ValueError: it is none."""
    if written.isascii():
        return int(written)
    written = written.replace("廿", "二十").removeprefix("初") or "零"
    tens, ten, ones = written.partition("十")
    if not ten:
        return int("".join(str(_DIGITS[char]) for char in written))
    return (_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0)
