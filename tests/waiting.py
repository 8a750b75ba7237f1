"""How tests wait for what happens elsewhere: until it is so, with a deadline that only ends what hangs.

A bound that a test asserts does not belong here: that is an order of events, or a ratio to something measured beside.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

HANGS: Final = 120.0
"""Seconds after which something hangs, also on a machine many times slower and busy with other things."""
EACH: Final = 0.05
"""Seconds between two looks."""


def wait_until(condition: Callable[[], object], what: str, seconds: float = HANGS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(EACH)


async def until(condition: Callable[[], object], what: str, seconds: float = HANGS) -> None:
    """The same for conditions that take a moment: looked at in a thread, so that the event loop goes on."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(EACH)
