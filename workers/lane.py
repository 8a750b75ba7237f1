"""Which lane a submission takes: what people must hear of at once goes before everything else, on a worker of its own.

Pure. May not change a ticket's tier: the lane is only about whose turn it is.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from normalizer.ticket import Flag, Tier

ALARMING: Final = frozenset({Flag.EMERGENCY, Flag.GROUP_EVENT, Flag.VIOLENCE, Flag.SELF_HARM})
"""Flags that somebody is told of at once, whatever the tier (ordinance, art. 29)."""


def lane(tier: str, flags: Collection[str]) -> str:
    """The tier by which the queue orders: `immediate` for what alarms, else the ticket's own."""
    return Tier.IMMEDIATE.value if any(flag in ALARMING for flag in flags) else tier
