"""The centre's desk: what waits for its people, who holds it, and what they decide.

May not decide by itself, nor speak HTTP. A decision about what waits needs the lease on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from normalizer.errors import Fault, Rejected
from normalizer.life import StepName
from workers import keys, once, waiting_rows
from workers.life import Taken
from workers.lifecycle import Illegal
from workers.once import Word
from workers.region import Region
from workers.store import Record, Store
from workers.waiting import WaitingList
from workers.waiting_rows import Page

NEEDS_LEASE: Final[Mapping[StepName, str]] = {
    StepName.ANSWER: keys.TRIAGE,
    StepName.REFER: keys.TRIAGE,
    StepName.DISPATCH: keys.TRIAGE,
    StepName.UPHOLD: keys.OBJECTIONS,
    StepName.OVERRULE: keys.OBJECTIONS,
}
"""Which list a decision is about."""
LISTS: Final = (keys.TRIAGE, keys.OBJECTIONS)


class Centre:
    """Every call raises redis.RedisError when Redis is away; a repeated one is harmless."""

    def __init__(self, store: Store, region: Region, now: Callable[[], datetime]) -> None:
        self.store = store
        self.region = region
        self._now = now

    async def page(self, name: str, *, start: int, count: int) -> Page:
        """What waits in the list `name` (of LISTS), the oldest first."""
        waiting = self._list(name)
        row = waiting_rows.for_the_desk
        return await waiting_rows.page(self.store, waiting, self._now(), start=start, count=count, row=row)

    async def lease(
        self, name: str, operator: str, *, seconds: float, count: int, only: Sequence[str] = ()
    ) -> list[Record]:
        """Up to `count` tickets that nobody else holds, of the numbers `only` if given; `operator` holds them now."""
        ids = [id for number in only if (id := await self.store.resolve(number)) is not None]
        if only and not ids:
            return []
        found = await self._list(name).lease(operator, self._now(), seconds=seconds, count=count, only=ids)
        records = [await self.store.load(id) for id in found]
        return [record for record in records if record is not None]

    async def give_back(self, name: str, operator: str, number: str) -> None:
        """End the operator's own lease; what somebody else holds stays held."""
        id = await self.store.resolve(number)
        if id is not None:
            await self._list(name).lease(operator, self._now(), seconds=0, only=[id])

    async def take(self, number: str, word: Word) -> Taken:
        """Take a step in the operator's name.

        Raises:
            Illegal: `missing`, `not_leased`, and as `Lives.take`.
            Rejected: `conflict`; `unknown_unit`, `unknown_referral` naming the fields.
        """
        word = self._worded(word)
        record = await self.store.find(number)
        if record is None or not record.complete:
            raise Illegal("missing", "There is no such ticket.")
        if (before := once.repeated(record, word)) is not None:
            return before
        _check(self.region, word)
        name = NEEDS_LEASE.get(word.step)
        waiting = self._list(name) if name else None
        if waiting is not None and await waiting.holder(record.ticket_id, self._now()) != word.by.id:
            raise Illegal("not_leased", "Lease the ticket first: only who holds it decides about it.")
        taken = await once.take(self.store, record, word, self._now())
        if waiting is not None:
            await waiting.give_back(record.ticket_id)
        return taken

    def _worded(self, word: Word) -> Word:
        """Who is referred elsewhere is told in the region's words, unless the operator has better ones."""
        referral = self.region.referrals.get(str(word.says.get("referral")))
        if word.step is not StepName.REFER or referral is None or word.says.get("text"):
            return word
        return replace(word, says={**word.says, "text": referral.text["zh"]})

    def _list(self, name: str) -> WaitingList:
        return WaitingList(self.store.client, name)


def _check(region: Region, word: Word) -> None:
    faults = [*unknown_units(region, word.says), *_unknown_referral(region, word.says)]
    if faults:
        raise Rejected(faults[0].code, faults[0].detail, faults)


def unknown_units(region: Region, says: Mapping[str, object]) -> Iterator[Fault]:
    """A fault for every unit named that the region does not have."""
    for name in ("lead", "co", "cc"):
        said = says.get(name)
        several = isinstance(said, tuple | list)
        for place, unit in enumerate(said if isinstance(said, tuple | list) else [said] if said else []):
            if unit not in region.units:
                pointer = f"/{name}/{place}" if several else f"/{name}"
                yield Fault(pointer, "unknown_unit", "There is no such unit.")


def _unknown_referral(region: Region, says: Mapping[str, object]) -> Iterator[Fault]:
    if (referral := says.get("referral")) and referral not in region.referrals:
        yield Fault("/referral", "unknown_referral", "There is no such place to refer to.")
