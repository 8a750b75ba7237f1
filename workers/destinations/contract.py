"""What a destination is: it takes one event and says what became of it.
A destination may not schedule, count attempts or read the ticket store: that is its caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Event:
    """One CloudEvent to deliver. `id` stays the same over every retry; `subject` is the ticket_id; `document`
    is the whole event as JSON (CloudEvents 1.0 JSON format), one line without its line end."""

    id: str
    type: str
    subject: str
    document: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it. `repeat`: it had it before, and dropped this one by its id. `reference`: by which a report
    that it did not arrive after all names it."""

    repeat: bool = False
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class TryLater:
    """Not delivered, or not known to be: deliver the same event again.

    Args:
        reason: lower_snake_case, without personal data and without the receiver's words.
        after: seconds before which the receiver must not be tried again; None = the schedule alone decides.
            After a try that counts, wait for the later of `after` and the schedule: a receiver that is down
            and says "in one second" would use up every attempt in ten seconds.
        tried: False = the receiver was not called at all (it is braked, or we are not ready), so this is no
            attempt and the next one comes after `after` alone.
    """

    reason: str
    after: float | None
    tried: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """This event will never be taken; others may be."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disabled:
    """Never call this destination again until an operator enables it (Standard Webhooks 1.0.0: HTTP 410)."""

    reason: str


Outcome = Delivered | TryLater | Refused | Disabled


class Destination(Protocol):
    """One downstream system, as the site's configuration names it."""

    @property
    def name(self) -> str: ...

    async def deliver(self, event: Event) -> Outcome:
        """Hand over one event. Safe to call again with the same `event.id`; ends within the destination's own
        time-out. The outside world's faults are outcomes, never exceptions; only a brake that cannot be asked
        raises (that is our own Redis being away)."""

    async def close(self) -> None:
        """Free sockets and files; the destination may be used again afterwards."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A destination is not to be called: for `seconds` more, or (None) until an operator enables it."""

    reason: str
    seconds: float | None


class Brake(Protocol):
    """What all workers together know about destinations that asked for rest."""

    async def get(self, name: str) -> Hold | None:
        """The hold on destination `name`; None = it may be called."""

    async def set(self, name: str, hold: Hold) -> None:
        """Hold destination `name`; a hold that lasts longer already stays."""

    async def failed(self, name: str, reason: str) -> None:
        """Destination `name` did not answer: hold it for a short time, and longer the more often that happened."""

    async def answered(self, name: str) -> None:
        """Destination `name` answered, whatever it said: the next failure is the first again."""
