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


def poller(channel: str) -> str:
    """The token of the gateway that polls for this channel; gone when its lease is over."""
    return f"jiesu:poller:{channel}"


def replies(address: str) -> str:
    """What was sent to an address (its digest) in the last hour."""
    return f"jiesu:replies:{address}"


def refusals(unit: str) -> str:
    """What a unit was told in the last day that its mail could not be taken."""
    return f"jiesu:refusals:{unit}"


def meter(channel: str) -> str:
    """How far replies have used what a platform allows in a day."""
    return f"jiesu:meter:{channel}"


TRIAGE: Final = "triage"
OBJECTIONS: Final = "objections"
CALLS: Final = "calls"
ALARMS: Final = "alarms"


def of_unit(unit: str) -> str:
    """The name of a unit's own list."""
    return f"unit:{unit}"


LEADS: Final = "lead"
OTHER: Final = "other"
PARTS: Final = (LEADS, OTHER)
"""A unit leads a ticket, or helps or is informed."""


def of_unit_in(unit: str, part: str, state: str) -> str:
    """The name of that portion of a unit's own list: its part (of PARTS) in tickets of this state."""
    return f"unit:{unit}:{part}:{state}"


def waiting(name: str) -> str:
    """A list of tickets that wait for somebody (`triage`, `objections`, `calls`, `unit:<id>` …), by time."""
    return f"jiesu:waiting:{name}"


def alike(place: str, rule: str) -> str:
    """The tickets of one place under one rule of the catalogue, by time."""
    return f"jiesu:alike:{place}:{rule}"


def alike_told(place: str, rule: str) -> str:
    """The ticket with which an alarm was last raised for such tickets; gone when the next one may be."""
    return f"jiesu:alike_told:{place}:{rule}"


LINKING_GENERATIONS: Final = "jiesu:linking:generations"


def linking_tickets(generation: int) -> str:
    """The tickets of one generation of the index of matters, 17 bytes each, in the order in which they came."""
    return f"jiesu:linking:tickets:{generation}"


def linking_buckets(generation: int) -> str:
    """Where in it matters are found again: 32,768 buckets of hashed keys."""
    return f"jiesu:linking:buckets:{generation}"


def leases(name: str) -> str:
    """Who holds which entry of such a list, and until when."""
    return f"jiesu:leases:{name}"


def script(name: str) -> str:
    """The source of `workers/scripts/<name>.lua`."""
    return (files("workers") / "scripts" / f"{name}.lua").read_text(encoding="utf-8")
