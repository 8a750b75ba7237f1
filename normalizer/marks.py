"""What a text sounds like where no rule has its words: data/models/marks.model, which learned from written cases.

May only add to what rules find (danger, a tier, flags): neither its silence nor its doubt takes anything back.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from normalizer import models
from normalizer.models.spotting import heights
from normalizer.ticket import Flag, Tier

CALL: Final = ("110", "119", "120")
"""Nobody knows which of them a danger needs that only sounds like one, so all."""
CODE: Final = "sounds_like"
"""Of notes and reasons."""
_HAN: Final = re.compile("[\u4e00-\u9fff]")
_LATIN: Final = re.compile("[a-z]")


@lru_cache(maxsize=4)
def marks(text: str) -> frozenset[str]:
    """The marks of a folded text: tiers and flags by their names; none of one that is not in Chinese, of which it has
    learned too little. Cached: receipt, tier and flags ask in turn."""
    if not is_chinese(text):
        return frozenset()
    model = models.load(models.shipped("marks"))
    return frozenset(label for label, height in zip(model.labels, heights(model, text), strict=True) if height >= 0)


def is_chinese(text: str) -> bool:
    """Whether Han characters say more of it than letters do: one says as much as a short word."""
    han = len(_HAN.findall(text))
    return han > 0 and han * 3 >= len(_LATIN.findall(text))


def is_danger(text: str) -> bool:
    """Whether a part of it speaks like those who are in danger now, or see somebody who is."""
    return Tier.IMMEDIATE in marks(text)


def tier(text: str) -> Tier | None:
    """The most urgent tier below a danger that it sounds like."""
    found = marks(text)
    return next((one for one in (Tier.HOURS_2, Tier.HOURS_24) if one in found), None)


def flags(text: str) -> tuple[Flag, ...]:
    """The flags that it sounds like."""
    found = marks(text)
    return tuple(flag for flag in Flag if flag in found)


__all__ = ["CALL", "CODE", "flags", "is_chinese", "is_danger", "marks", "tier"]
