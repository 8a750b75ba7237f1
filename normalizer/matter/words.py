"""The words of a matter and how rare they are: the table of weights, and the words that name a kind of matter.

May not look at a ticket. Both files are written by `python -m tests.linking_model` and by hand.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

BITS: Final = 20
"""A run of characters is known by so many bits of its hash."""
MOST: Final = 15
"""The weight of what no text of the sample held; 0 has what is in every text."""
_MULTIPLIERS: Final = tuple(np.uint32(one) for one in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F))
_SHIFT: Final = np.uint32(32 - BITS)

Hashes = NDArray[np.uint32]


def hashes(codes: Sequence[Hashes]) -> Hashes:
    """The hashes of runs whose first, second … characters are these."""
    mixed = sum((one * factor for one, factor in zip(codes, _MULTIPLIERS, strict=False)), np.uint32(0) * codes[0])
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x2C1B3C6D)
    mixed ^= mixed >> np.uint32(12)
    return mixed >> _SHIFT


def code_points(text: str) -> Hashes:
    """One number a character; those beyond the first plane are one."""
    return np.minimum(np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32), np.uint32(0xFFFF))


@dataclass(frozen=True, slots=True)
class Words:
    """`weights`: by hash, 0–15. `said`, `group`: hashes of words that name a kind of matter, in order, and which kind.
    `worth`: what it says that two texts name the same kind."""

    weights: NDArray[np.uint8]
    said: Hashes
    group: NDArray[np.intp]
    worth: NDArray[np.float64]

    def groups(self, found: Hashes) -> frozenset[int]:
        """The kinds of matter that these runs name."""
        at = np.searchsorted(self.said, found)
        at[at == len(self.said)] = 0
        return frozenset(self.group[at[self.said[at] == found]].tolist())

    def mass(self, groups: frozenset[int]) -> float:
        """What these kinds are worth together."""
        return float(self.worth[list(groups)].sum()) if groups else 0.0


def kinds() -> Mapping[str, Sequence[str]]:
    """The kinds of matter with their words, as the file has them."""
    found: Mapping[str, Sequence[str]] = tomllib.loads(_read("matter_kinds.toml").decode())
    return found


def said_by_kind() -> tuple[Hashes, NDArray[np.intp]]:
    """Every such word, ascending by hash, and the number of its kind."""
    table: dict[int, int] = {}
    for number, words in enumerate(kinds().values()):
        for word in words:
            codes = code_points(word)
            table[int(hashes([codes[at : at + 1] for at in range(len(codes))])[0])] = number
    said = sorted(table)
    return np.array(said, np.uint32), np.array([table[one] for one in said], np.intp)


@cache
def load() -> Words:
    """From the wheel, once in a process."""
    worth = tomllib.loads(_read("matter_model.toml").decode())["worth"]
    packed = np.frombuffer(zlib.decompress(_read("matter_weights.z")), np.uint8)
    weights = np.stack((packed >> 4, packed & 15), axis=1).reshape(-1)
    return Words(weights, *said_by_kind(), np.array([worth[kind] for kind in kinds()], np.float64))


def _read(name: str) -> bytes:
    return files("normalizer").joinpath("data", name).read_bytes()
