"""Which public unit a text accuses, in the text's own words, so that the request is not sent to it.

May not decide whether anybody is accused (the rule `against_official` does), nor which unit of a region is meant.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from normalizer.simplified import simplified

MOST: Final = 4
_LONGEST: Final = 8  # characters before an ending that may belong to the name
_LEVELS: Final = 3  # a town, its village, the office there: one after the other
_NEAR: Final = 8  # characters between a unit and its people
_SENTENCE: Final = re.compile(r"[^。！？!?；;\n]{1,400}")


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    endings: Annotated[tuple[str, ...], Field(min_length=1)]
    roles: str
    before: str
    asked: re.Pattern[str]
    acting: re.Pattern[str]
    english: re.Pattern[str]


_WORDS: Final = _Words.model_validate(
    tomllib.loads(files("normalizer").joinpath("data/accused.toml").read_text("utf-8"))
)
_ENDINGS: Final = "|".join(_WORDS.endings)
_UNIT: Final = re.compile(rf"(?:[\u4e00-\u9fff0-9]{{0,{_LONGEST}}}?(?:{_ENDINGS})){{1,{_LEVELS}}}")
_ROLE: Final = re.compile(_WORDS.roles)
_BEFORE: Final = re.compile(_WORDS.before)


def units_accused(text: str) -> tuple[str, ...]:
    """The words of the units in a text that accuses, as it writes them; without a unit, those of the person accused."""
    plain = simplified(text)
    units = list(_units(plain))
    # A place is named like its office: whoever has a person in office behind the name is meant before the others.
    meant = [(start, end) for start, end in units if _ROLE.search(plain, end, end + _NEAR)] or units
    named = list(dict.fromkeys(text[start:end] for start, end in meant))
    if not named:
        named = list(dict.fromkeys(text[one.start() : one.end()] for one in _ROLE.finditer(plain)))
    if not named:
        named = list(dict.fromkeys(one[1] for one in _WORDS.english.finditer(text)))
    return tuple(named[:MOST])


def _units(plain: str) -> Iterator[tuple[int, int]]:
    for sentence in _SENTENCE.finditer(plain):
        for found in _UNIT.finditer(plain, sentence.start(), sentence.end()):
            start = _begin(plain, found)
            asked = _WORDS.asked.search(plain, max(sentence.start(), start - 8), start)
            if (
                not asked
                and not _WORDS.acting.search(plain[found.end() : found.end() + 12])
                and start < found.end() - 1
            ):
                yield start, found.end()


def _begin(plain: str, found: re.Match[str]) -> int:
    """Where the name begins: after the last word that cannot belong to it, but before its ending."""
    last = found.start()
    for cut in _BEFORE.finditer(plain, found.start(), found.end()):
        if cut.end() < found.end():
            last = cut.end()
    return last
