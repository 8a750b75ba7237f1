"""A unit's side: its own list, leases on it for its programs, its tickets as it may see them, its steps.

May not show or say anything of a ticket that is not the unit's: for the unit there is no such ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from normalizer.errors import Fault, Rejected
from normalizer.life import StepName
from workers import keys, once, views, waiting_rows
from workers.centre import unknown_units
from workers.life import Life, Taken
from workers.lifecycle import Illegal
from workers.once import Word
from workers.region import Region
from workers.store import Record, Store
from workers.waiting import WaitingList
from workers.waiting_rows import Page

STEPS: Final = (
    StepName.SIGN,
    StepName.CONTACT,
    StepName.PROGRESS,
    StepName.ASK_HELP,
    StepName.HELP,
    StepName.OBJECT,
    StepName.EXTEND,
    StepName.REPLY,
)
"""What units do."""
_DONE: Final = frozenset({StepName.SIGN, StepName.OBJECT, StepName.REPLY})
"""After these it does not wait for the unit's program any more."""


class UnitSide:
    """Every call raises redis.RedisError when Redis is away; a repeated one is harmless."""

    def __init__(self, store: Store, region: Region, now: Callable[[], datetime]) -> None:
        self.store = store
        self.region = region
        self._now = now

    async def page(self, unit: str, *, start: int, count: int, states: Collection[str] = ()) -> Page:
        """The unit's open tickets, those it had first at the head; only those in one of `states`, if given."""
        portions = [keys.of_unit_in(unit, part, state) for state in states for part in keys.PARTS]
        waiting = WaitingList(self.store.client, keys.of_unit(unit), portions or None)

        def still(record: Record) -> bool:
            return unit in Life.of(record).units and (not states or record.state in states)

        row = waiting_rows.for_a_unit(unit)
        return await waiting_rows.page(self.store, waiting, self._now(), start=start, count=count, row=row, still=still)

    async def lease(
        self, unit: str, holder: str, *, seconds: float, count: int, states: Collection[str]
    ) -> list[Record]:
        """Up to `count` tickets in one of `states` that the unit leads and no other program of it holds."""
        led = [keys.of_unit_in(unit, keys.LEADS, state) for state in states]
        waiting = WaitingList(self.store.client, keys.of_unit(unit), led)
        leased = await waiting.lease(holder, self._now(), seconds=seconds, count=count)
        records = [await self.store.load(id) for id in leased]
        return [record for record in records if record is not None and Life.of(record).lead == unit]

    async def find(self, unit: str, number: str) -> Record:
        """A ticket of the unit: it leads, helps or is informed. Raises Illegal: `missing`."""
        record = await self.store.find(number)
        if record is None or not record.complete or unit not in Life.of(record).units:
            raise Illegal("missing", "There is no such ticket.")
        return record

    def view(self, unit: str, record: Record, *, personal: bool) -> dict[str, Any]:
        """The ticket as the unit may see it."""
        return views.of_ticket(record, unit=unit, personal=personal)

    async def take(self, number: str, word: Word) -> Taken:
        """Take a step in the name of the unit `word.by`.

        Raises:
            Illegal: `missing`, and as `Lives.take`.
            Rejected: `conflict`; `unknown_unit`, `not_another`, `in_the_past` naming the fields.
        """
        unit = word.by.id
        record = await self.store.find(number)
        if record is not None and record.complete and (before := once.repeated(record, word)) is not None:
            return before  # also when the step itself took the ticket away from the unit
        record = await self.find(unit, number)
        if faults := [*unknown_units(self.region, word.says), *self._impossible(record, word.says)]:
            raise Rejected(faults[0].code, faults[0].detail, faults)
        taken = await once.take(self.store, record, word, self._now())
        if word.step in _DONE:
            await WaitingList(self.store.client, keys.of_unit(unit)).give_back(record.ticket_id)
        return taken

    def _impossible(self, record: Record, says: Mapping[str, object]) -> Iterator[Fault]:
        until, co = says.get("until"), says.get("co")
        if isinstance(until, datetime) and until <= self._now():
            yield Fault("/until", "in_the_past", "The new limit must be still to come.")
        if isinstance(co, tuple) and Life.of(record).lead in co:
            yield Fault("/co", "not_another", "The lead cannot help itself.")
