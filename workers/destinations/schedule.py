"""When a failed delivery is tried again. Pure: the caller brings the number of attempts and the chance."""

from __future__ import annotations

from typing import Final

_SECOND, _MINUTE, _HOUR = 1, 60, 3600
_SPREAD: Final = 0.2

# Standard Webhooks 1.0.0, "Deliverability and reliability": the recommended schedule.
DELAYS: Final = (
    0,
    5 * _SECOND,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)


def delay(attempt: int, *, jitter: float) -> float | None:
    """Seconds to wait before the next try; None = the schedule is exhausted.

    Args:
        attempt: how many tries were made so far; 0 asks for the first one.
        jitter: a random number in [0, 1); it lengthens the wait by up to 20 %, so that what failed together
            does not come back together.

    Raises:
        ValueError: a negative `attempt`, or `jitter` outside [0, 1).
    """
    if attempt < 0 or not 0 <= jitter < 1:
        raise ValueError(f"attempt {attempt} or jitter {jitter} out of range")
    if attempt >= len(DELAYS):
        return None
    return DELAYS[attempt] * (1 + _SPREAD * jitter)
