"""A text as hashed character n-grams, in one vectorised pass: what models are trained on and asked with.

May not change without a new `FORMAT` in model_file: a model knows its n-grams by these hashes only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]

LONGEST: Final = 4000
"""Characters looked at: a matter is stated before that, and hostile input must not hold the line up."""
ORDER: Final = 3
"""The longest n-gram."""
WIDTH: Final = 32
"""Bits of a hash."""
_PLANE: Final = 1 << 16
_PRIME: Final = np.uint32(0x01000193)
_SPREAD: Final = np.uint32(0x9E3779B1)
_MIX: Final = np.uint32(0x2C1B3C6D)
_SPACE, _A, _Z, _CASE = (np.uint32(code) for code in (0x20, 0x41, 0x5A, 0x20))
_WIDE_FROM, _WIDE_TO, _WIDE, _WIDE_SPACE = (np.uint32(code) for code in (0xFF01, 0xFF5E, 0xFEE0, 0x3000))


@lru_cache(maxsize=2)
def hashes(text: str, unread: str = "") -> Hashes:
    """A 32-bit hash of every n-gram of 1 to 3 characters. Cached: several models read the same ticket in turn."""
    return _hashed(characters(text, unread))


def lengths(many: int) -> list[int]:
    """Of so many hashes of one text, how many are of n-grams of 1, of 2 … characters; they stand in that order."""
    size = many if many < ORDER else (many + ORDER) // ORDER
    return [size - less for less in range(min(ORDER, size))]


def characters(text: str, unread: str = "") -> Hashes:
    """Code points: half width, lower case, every run of white space one blank; none of `unread`."""
    codes = np.frombuffer(text[:LONGEST].encode("utf-32-le", "replace"), dtype=np.uint32)
    codes = np.where((codes >= _WIDE_FROM) & (codes <= _WIDE_TO), codes - _WIDE, codes)
    codes = np.where((codes < _SPACE) | (codes == _WIDE_SPACE) | (codes == np.uint32(0xA0)), _SPACE, codes)
    codes = np.where((codes >= _A) & (codes <= _Z), codes + _CASE, codes)
    if unread:
        codes = codes[_read(unread).take(codes, mode="clip")]
    blank = codes == _SPACE
    keep = np.ones(len(codes), dtype=bool)
    keep[1:] = ~(blank[1:] & blank[:-1])
    return codes[keep]


@lru_cache(maxsize=8)
def _read(unread: str) -> NDArray[np.bool_]:
    """Whether each code point of the basic plane is read; the last stands for all beyond it."""
    table = np.ones(_PLANE, dtype=bool)
    table[[ord(one) for one in unread if ord(one) < _PLANE - 1]] = False
    return table


def _hashed(codes: Hashes) -> Hashes:
    found = []
    rolling = spread = codes * _SPREAD
    for length in range(1, ORDER + 1):
        if length > len(codes):
            break
        if length > 1:
            rolling = (rolling[:-1] * _PRIME) ^ spread[length - 1 :]
        mixed = (rolling ^ (rolling >> np.uint32(15))) * _MIX
        found.append((mixed ^ (mixed >> np.uint32(12))) + np.uint32(length * 0x51ED27))
    if not found:
        return np.zeros(0, dtype=np.uint32)
    hashed = np.concatenate(found)
    hashed.flags.writeable = False
    return hashed
