"""The words of data/places.toml, as the expressions that the readers use. May not decide anything."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final


def either(words: str) -> str:
    """An expression for any of the words, the longest first."""
    return "|".join(map(re.escape, sorted(set(words.split()), key=len, reverse=True)))


@dataclass(frozen=True, slots=True)
class Words:
    """What the file says; every text is simplified."""

    ethnic: tuple[str, ...]
    short_follows: re.Pattern[str]
    area_follows: re.Pattern[str]
    address_follows: re.Pattern[str]
    near_follows: re.Pattern[str]
    stretched: frozenset[str]
    landmark_ends: tuple[str, ...]
    long_is_other: re.Pattern[str]
    general: frozenset[str]
    full_is_other: dict[str, tuple[str, ...]]
    address: re.Pattern[str]
    address_after: re.Pattern[str]
    authority: re.Pattern[str]
    authority_after: re.Pattern[str]
    answered: re.Pattern[str]
    origin: re.Pattern[str]
    called: re.Pattern[str]
    origin_after: re.Pattern[str]
    direction: tuple[str, ...]


def _load(data: dict[str, Any]) -> Words:
    short, long, cue = data["short"], data["long"], data["cue"]
    # A mark (anything that is neither letter nor digit), a listed word, or the end.
    follows = rf"[^\w]|(?:{either(short['bodies'] + ' ' + short['areas'])})|$"
    return Words(
        ethnic=tuple(sorted(data["ethnic"]["groups"].split(), key=len, reverse=True)),
        short_follows=re.compile(follows),
        area_follows=re.compile(rf"[^\w]|(?:{either(short['areas'])})|$"),
        # A name of its own: with less before it the road or river is named after the place.
        address_follows=re.compile(
            rf"(?!{either(short['no_address'])})[^\W\d{''.join(short['no_name_begins'].split())}](?:(?!{either(short['address_ends'])})\w){{1,3}}"
            rf"(?:{either(short['address_ends'])})"
        ),
        near_follows=re.compile(
            rf"(?!\w{{0,4}}?(?:{either(long['proper'] + ' ' + short['no_address'] + ' ' + short['address_ends'])}))"
            rf"[^\W的在]{{1,4}}?(?:{either(short['near'])})"
        ),
        stretched=frozenset(short["stretched"].split()),
        landmark_ends=tuple(short["landmark_ends"].split()),
        long_is_other=re.compile(rf"[^\W的]{{0,{long['reach']}}}?(?:{either(long['proper'])})"),
        general=frozenset(data["general"]["districts"].split()),
        full_is_other={last: tuple(words.split()) for last, words in data["full"].items()},
        address_after=re.compile(rf"\w{{1,8}}?(?:{either(cue['address_after'])})"),
        # Up to a few characters may stand between the cue and the name: a city, a word.
        address=re.compile(rf"(?:{either(cue['address'])})[^，。；！？,;!?\n]{{0,4}}$"),
        authority=re.compile(rf"(?:{either(cue['authority'])})[^，。；！？,;!?\n]{{0,3}}$"),
        authority_after=re.compile(either(cue["authority_after"])),
        answered=re.compile(rf"\w{{0,12}}?(?:{either(cue['answered'])})"),
        # 户口落在…, 老家的人在…: what follows is where the matter is.
        origin=re.compile(
            rf"(?:{either(cue['origin'])})(?:(?!的[^，]{{0,4}}在|[落迁入转])[^，。；！？,;!?\n]){{0,6}}$"
        ),
        called=re.compile(rf"(?:{either(cue['called'])})$"),
        origin_after=re.compile(rf"\w{{0,4}}?(?:{either(cue['origin_after'])})"),
        direction=tuple(cue["direction"].split()),
    )


DATA: Final[dict[str, Any]] = tomllib.loads(files("normalizer").joinpath("data/places.toml").read_text("utf-8"))
WORDS: Final = _load(DATA)
