"""Numbers read out digit by digit (幺三八零零…), as digits in place. May not change the length of a text."""

from __future__ import annotations

import re
from typing import Final

PAUSE: Final = "\x1f"
"""Stands for a pause within such a number; cleaned text holds none of its own."""

_VALUES: Final = (
    "零〇○洞", "一幺么妖壹", "二两贰兩貳", "三叁參", "四肆", "五伍", "六陆陸", "七柒拐", "八捌", "九玖",
)  # fmt: skip
_DIGIT_OF: Final = {ord(char): str(digit) for digit, chars in enumerate(_VALUES) for char in chars}
_SPOKEN: Final = "".join(_VALUES)
_RUN: Final = re.compile(rf"[{_SPOKEN}0-9](?:[ ，,、-]?[{_SPOKEN}0-9]){{9,}}")
_FEW: Final = re.compile(rf"[{_SPOKEN}][ ，,、-]?[{_SPOKEN}0-9][ ，,、-]?[{_SPOKEN}0-9]")
_PAUSES: Final = re.compile("[ ，,、-]")


def digits_view(text: str) -> str:
    """`text` with runs of at least ten spoken digits written as digits, one character for one."""
    return _RUN.sub(_as_digits, text) if _FEW.search(text) else text


def _as_digits(run: re.Match[str]) -> str:
    if run[0].isascii():
        return run[0]
    return _PAUSES.sub(PAUSE, run[0].translate(_DIGIT_OF))
