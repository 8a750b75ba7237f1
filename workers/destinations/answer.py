"""What an HTTP answer to a webhook means (Standard Webhooks 1.0.0, "Delivery success and failure"; RFC 9110).
May not keep or pass on anything of an answer's body.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from workers.destinations.contract import Delivered, Disabled, Outcome, Refused, TryLater

MAX_BODY: Final = 4096  # bytes of a body that are read and thrown away, so that the connection can be kept
MAX_PAUSE: Final = 24 * 3600.0  # seconds; the longest Retry-After that is honoured
PAUSE: Final = 30.0  # seconds of rest for a receiver that says it is overloaded but not for how long
_DRAIN_TIMEOUT: Final = 1.0
_OVERLOADED: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and Retry-After header as received at `at` (aware)."""

    status: int
    retry_after: str | None
    at: datetime


def judge(answer: Answer) -> Outcome:
    """The outcome of a delivery that was answered. Anything but 2xx, 410 and 413 is tried again (attempts are
    limited elsewhere): a 404 or a 401 is mostly a receiver being set up."""
    status = answer.status
    if 200 <= status < 300:
        return Delivered()
    if status == 410:
        return Disabled("status_410")
    if status == 413:
        return Refused("status_413")
    return TryLater(f"status_{status}", _asked_pause(answer))


def pause(answer: Answer) -> float | None:
    """Seconds for which nobody should call this receiver; None or 0 = it did not ask for rest."""
    if answer.status not in _OVERLOADED:
        return None
    asked = _asked_pause(answer)
    return PAUSE if asked is None else asked


async def drain(response: aiohttp.ClientResponse) -> None:
    """Read a short body to its end so that the connection can be used again; aiohttp drops the connection of
    one not read to its end. The answer is known by then, so nothing here fails."""
    left = MAX_BODY
    with suppress(aiohttp.ClientError, OSError):  # OSError covers TimeoutError
        async with asyncio.timeout(_DRAIN_TIMEOUT):
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)


def _asked_pause(answer: Answer) -> float | None:
    """Retry-After in seconds from now (RFC 9110, 10.2.3: a number of seconds or an HTTP date), between 0 and
    MAX_PAUSE; None = none, not understood, or of a status it has no meaning for."""
    text = answer.retry_after
    if text is None or answer.status not in _OVERLOADED:
        return None
    if text.isascii() and text.isdigit():
        return MAX_PAUSE if len(text) > 9 else min(float(text), MAX_PAUSE)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000": UTC, origin unknown (RFC 5322, 3.3)
        date = date.replace(tzinfo=UTC)
    return min(max((date - answer.at).total_seconds(), 0.0), MAX_PAUSE)
