"""The errand that links a new ticket to earlier ones on the same matter: repeats of a citizen, one incident of several.

May not merge, dispatch or drop: every citizen is answered, and a likely repeat is a person's to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from normalizer import events
from normalizer.matter import keys as of
from normalizer.matter.likeness import QUOTED, quoted, score, shipped
from normalizer.matter.reading import Matter, of_ticket
from normalizer.ticket import Flag, Place, Related, Relation, Ticket
from workers.destinations.contract import TryLater
from workers.errands import Ended, Errand
from workers.store import Record, Step

if TYPE_CHECKING:
    from workers.runtime import Runtime

log = structlog.get_logger()

COMPARED: Final = 12
"""Earlier tickets that are read and scored."""
LINKED: Final = 5
"""Links of one ticket, the surest."""
DONE: Final = "linking"
"""The field that says it was looked for: how it ended."""
ASK: Final = "perhaps_repeat"
"""The field with the score of a repeat that a person is asked about."""
TRUSTED: Final = 0.5
"""A place of less confidence rules nothing out."""
OUTAGE: Final = timedelta(days=3)
"""From so long after one outage on, another is another."""
NO_MATTER: Final = frozenset({Flag.AUTOMATED, Flag.NO_REQUEST})


def outstanding(runtime: Runtime, record: Record) -> Iterator[Link]:
    """One, until it was looked for; not of what came before anything is remembered."""
    ticket = record.ticket()
    old = runtime.now() - ticket.received_at > timedelta(days=runtime.links.config.days)
    if DONE not in record.fields and not old and NO_MATTER.isdisjoint(ticket.flags):
        yield Link(record)


def asked(record: Record) -> str | None:
    """Why a person must look before this goes to a unit; None: nobody need be asked. Without the other ticket's
    number: units read reasons, and may not learn which tickets are of one citizen."""
    found = record.fields.get(ASK)
    return f"perhaps a repeat of an earlier ticket of this citizen (score {found}), see `related`" if found else None


@dataclass(frozen=True, slots=True)
class Found(Ended):
    """The links, and the score of a repeat that a person is asked about."""

    links: tuple[Related, ...] = ()
    ask: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """The look for earlier tickets like this one, once."""

    record: Record

    @property
    def name(self) -> str:
        return "link"

    @property
    def counter(self) -> str:
        return "linked"

    @property
    def subject(self) -> str:
        return "link"

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Compare it with the likeliest earlier tickets. A fault in that holds up no citizen: it goes on unlinked."""
        ticket = self.record.ticket()
        try:
            matter = of_ticket(ticket)
            earlier = await self._earlier(runtime, ticket, matter)
            scored = [(likeness(ticket, matter, other), other) for other in earlier]
        except (ValueError, ArithmeticError, LookupError, TypeError) as error:
            log.error("linking_failed", ticket_id=ticket.ticket_id, error=type(error).__name__)
            return await self._alone(runtime, "failed")
        threshold = runtime.links.config.threshold
        least = shipped().threshold if threshold is None else threshold
        links = [_related(ticket, other, sure) for sure, other in scored if sure >= least]
        if not links:
            return await self._alone(runtime, "alone")
        surest = sorted(links, key=lambda link: (-(link.score or 0), link.ticket_id))[:LINKED]
        repeats = [link.score or 0 for link in surest if link.relation is Relation.REPEAT_OF]
        ask = max(repeats, default=0.0)
        return Found("linked", links=tuple(surest), ask=ask if repeats and ask >= runtime.links.config.ask else None)

    async def _earlier(self, runtime: Runtime, ticket: Ticket, matter: Matter) -> Sequence[Ticket]:
        known = {ticket.ticket_id, *(one.ticket_id for one in ticket.related)}
        ids = await runtime.links.earlier(ticket, matter, runtime.now(), COMPARED)
        return await runtime.store.accepted([id for id in ids if id not in known])

    async def _alone(self, runtime: Runtime, word: str) -> Ended:
        """Nothing to put on record: only that it was looked for."""
        await runtime.store.note(self.record.ticket_id, {DONE: word})
        return Ended(word)

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step | None:
        """`linked`, with every link; None when there is none."""
        if not isinstance(ended, Found):
            return None
        at = runtime.now()
        links = [link.model_dump(mode="json") for link in ended.links]
        asks: Mapping[str, str | int] = {ASK: f"{ended.ask:.2f}"} if ended.ask is not None else {}
        return Step(
            operation="link",
            type=events.LINKED,
            at=at,
            data={"related": links, "asks": bool(asks), "at": events.rfc3339(at)},
            due=None if rest else "done",
            fields={DONE: "linked", **asks},
        )


def likeness(ticket: Ticket, matter: Matter, other: Ticket) -> float:
    """How sure it is that both are about one matter."""
    its = of_ticket(other)
    if quoted(matter, ticket.number, its, other.number):
        return QUOTED
    if _elsewhere(ticket, other) or _another_time(ticket, matter, other, its):
        return 0.0
    days = abs((ticket.received_at - other.received_at).total_seconds()) / 86400
    return score(matter, its, days=days, same_citizen=_same_citizen(ticket, other))


def _same_citizen(one: Ticket, other: Ticket) -> bool:
    return not of.of_citizen(one).isdisjoint(of.of_citizen(other))


def _elsewhere(one: Ticket, other: Ticket) -> bool:
    """Both say where, and it is not the same city or district."""
    if one.place is None or other.place is None or min(map(_trusted, (one.place, other.place))) < TRUSTED:
        return False
    pairs = ((one.place.city, other.place.city), (one.place.district, other.place.district))
    return any(mine and yours and mine != yours for mine, yours in pairs)


def _trusted(place: Place) -> float:
    return 1.0 if place.confidence is None else place.confidence


def _another_time(one: Ticket, matter: Matter, other: Ticket, its: Matter) -> bool:
    """Both tell of an outage and when it was, and days lie between: what was cut off and restored is cut off again."""
    if not (matter.numbers.outage and its.numbers.outage and one.occurred_at and other.occurred_at):
        return False
    first, second = sorted((one.occurred_at, other.occurred_at), key=lambda span: span.start)
    return second.start - (first.end or first.start) > OUTAGE


def _related(ticket: Ticket, other: Ticket, sure: float) -> Related:
    relation = Relation.REPEAT_OF if _same_citizen(ticket, other) else Relation.SAME_INCIDENT
    return Related(ticket_id=other.ticket_id, relation=relation, score=round(sure, 3))
