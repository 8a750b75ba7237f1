"""Under which keys a matter is found again: its rarest names and words, who wrote, and numbers of tickets.

May not hold what it is made of: a key is 31 bits of a hash.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from normalizer.matter.reading import Matter
from normalizer.ticket import Ticket

KEPT: Final = 16
"""Runs under which a matter is put into the index."""
ASKED: Final = 40
"""Runs under which it is looked for: what is rare in one text need not be among the rarest of the other."""
_NAMES: Final = 0.5
"""Share of them that end a name or stand in the title, if there are so many."""
_RUN: Final = np.uint32(0x9E3779B1)


def of_runs(matter: Matter, count: int) -> list[tuple[int, float]]:
    """The rarest runs as keys, each with its weight: first those of names and titles, then any."""
    order = np.lexsort((matter.runs, -matter.weights))
    likely = order[(matter.place | matter.head)[order]][: round(count * _NAMES)]
    rest = order[~np.isin(order, likely)][: count - len(likely)]
    chosen = np.concatenate((likely, rest))
    hashed: NDArray[np.uint32] = (matter.runs[chosen] + np.uint32(1)) * _RUN >> np.uint32(1)
    return list(zip(hashed.tolist(), matter.weights[chosen].tolist(), strict=True))


def of_citizen(ticket: Ticket) -> frozenset[str]:
    """What tells that two tickets are of one citizen. Personal data: only `hashed` may leave the process."""
    who = ticket.requester
    return frozenset(
        (
            *((f"phone:{who.phone}",) if who.phone else ()),
            *((f"email:{who.email.casefold()}",) if who.email else ()),
            *(f"{handle.platform}:{handle.id}" for handle in who.handles),
        )
    )


def of_numbers(matter: Matter, number: str) -> frozenset[str]:
    """The ticket's own number and those it quotes."""
    return frozenset(f"number:{one}" for one in (number, *matter.quoted))


def hashed(word: str) -> int:
    """31 bits of a digest."""
    return int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=4).digest()) >> 1
