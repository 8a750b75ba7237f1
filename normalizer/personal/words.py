"""The words of data/contact.toml, compiled. May not hold a word itself."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, Final

WORDS: Final[dict[str, dict[str, Any]]] = tomllib.loads(
    files("normalizer").joinpath("data/contact.toml").read_text("utf-8")
)
_CLAUSE: Final = re.compile(r"[。！？!?；;\n]")


def either(words: Iterable[str]) -> str:
    """One alternation, the longest piece first."""
    return "|".join(sorted(words, key=len, reverse=True))


def one_of(words: Iterable[str]) -> re.Pattern[str]:
    """Any of the words, Latin ones in any case."""
    return re.compile(either(words), re.IGNORECASE)


def before(text: str, position: int, reach: int) -> str:
    """What stands before `position` in its sentence, at most `reach` characters of it."""
    return _CLAUSE.split(text[max(0, position - reach) : position])[-1]


def after(text: str, position: int, reach: int) -> str:
    """What stands after `position` in its sentence, at most `reach` characters of it."""
    return _CLAUSE.split(text[position : position + reach], maxsplit=1)[0]


def last(pattern: re.Pattern[str], text: str) -> int:
    """Where the last match ends; -1 when there is none."""
    return max((found.end() for found in pattern.finditer(text)), default=-1)
