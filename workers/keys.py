"""The names of everything in Redis, and the Lua scripts. Public names: downstream systems read these keys.

May not talk to Redis.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

TICKETS: Final = "jiesu:tickets"
EVENTS: Final = "jiesu:events"
DUE: Final = "jiesu:due"
IMMEDIATE: Final = "jiesu:immediate"
DEAD: Final = "jiesu:dead"
STATS: Final = "jiesu:stats"
GATEWAYS: Final = "jiesu:gateways"
GROUP: Final = "dispatch"


def ticket(ticket_id: str) -> str:
    """The hash of a ticket: doc, number, code, state, version, entry and what the scripts need."""
    return f"jiesu:ticket:{ticket_id}"


def steps(ticket_id: str) -> str:
    """The list of every later event of a ticket."""
    return f"jiesu:steps:{ticket_id}"


def number(number: str) -> str:
    """-> ticket_id"""
    return f"jiesu:number:{number}"


def submission(submission_id: str) -> str:
    """-> ticket_id; outlives the spool, so that a late redelivery still finds its ticket."""
    return f"jiesu:submission:{submission_id}"


def claim(ticket_id: str) -> str:
    """The token of the job that is delivering this ticket right now."""
    return f"jiesu:claim:{ticket_id}"


def cursor(channel: str) -> str:
    """A poller's place in its source."""
    return f"jiesu:cursor:{channel}"


def replies(address: str) -> str:
    """What was sent to an address (its digest) in the last hour."""
    return f"jiesu:replies:{address}"


def script(name: str) -> str:
    """The source of `workers/scripts/<name>.lua`."""
    return (files("workers") / "scripts" / f"{name}.lua").read_text(encoding="utf-8")
