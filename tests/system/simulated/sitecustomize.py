"""Loaded by every Python process of a simulated day (tests/system/clock.py), before anything else.

libfaketime 0.9.10 reads the monotonic moment that `time.sleep` wakes up at as one of the simulated clock, and the
call fails (EINVAL). A select of nothing sleeps as long, and names no moment.
"""

from __future__ import annotations

import select
import time


def sleep(seconds: float, /) -> None:
    select.select((), (), (), seconds)


time.sleep = sleep
