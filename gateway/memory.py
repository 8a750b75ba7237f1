"""Memory of a process that now and then holds something large: it goes back to the system when it is freed.

May not decide how much may be held: limits do.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
LARGE: Final = 1024 * 1024


def give_back_large_blocks() -> None:
    """Blocks from 1 MB on are mapped each by itself. Left alone, glibc raises that size to the largest block that was
    freed and keeps twice as much for later: after one mail of 25 MB the process stays 100 MB larger (mallopt(3))."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # other C libraries have none, and do not keep them
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, LARGE)
