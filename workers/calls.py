"""The list of citizens whom an operator calls, because nothing that we could send reached them.

May not dial. Two operators never hold one call; every try is on record, with who, when and what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from normalizer import events
from normalizer.errors import Rejected
from workers import keys
from workers.ending import CALLING, SENT, UNDELIVERABLE
from workers.lifecycle import Illegal
from workers.notices import CALL, addresses, notices, worded
from workers.region import Region
from workers.replies import tried
from workers.runtime import Site
from workers.store import Index, Record, Step, Store
from workers.waiting import Entry, WaitingList


class CallOutcome(StrEnum):
    """What came of a call."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    WRONG_NUMBER = "wrong_number"


_WORDS: Final = {CallOutcome.REACHED: SENT}


@dataclass(frozen=True, slots=True)
class Call:
    """One call to make: whom, and what to say. `tries`: how often nobody answered so far. Holds personal data."""

    id: str
    number: str
    operation: str
    phone: str
    name: str | None
    text: str
    tries: int


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the list, without personal data."""

    id: str
    number: str
    operation: str
    tries: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Try:
    """What `operator` says came of a call, and the key under which that is repeated. `said`: whom the operator spoke
    to, and what was said."""

    operator: str
    key: str
    outcome: CallOutcome
    said: str | None = None

    @property
    def step(self) -> str:
        """The operation that records it. A key is its sender's own."""
        scope = f"{self.operator}\0{self.key}"
        return f"call:{sha256(scope.encode()).hexdigest()[:32]}"

    def event(self, operation: str) -> dict[str, str]:
        """What the event says of it, but the moment."""
        data = {
            "operation": operation,
            "channel": CALL,
            "outcome": _WORDS.get(self.outcome, "failed"),
            "reason": None if self.outcome is CallOutcome.REACHED else str(self.outcome),
            "by": self.operator,
            "said": self.said,
        }
        return {name: value for name, value in data.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a try: the ticket's version since, and whether the call stays on the list."""

    number: str
    version: int
    stays: bool


class Calls:
    """`attempts`: tries without an answer after which a citizen counts as not reached. Every call raises
    redis.RedisError when Redis is away."""

    def __init__(self, store: Store, region: Region, site: Site, *, attempts: int) -> None:
        self._store = store
        self._region = region
        self._site = site
        self._attempts = attempts
        self._list = WaitingList(store.client, keys.CALLS)

    async def count(self) -> int:
        """How many wait."""
        return await self._list.count()

    async def rows(self, now: datetime, *, start: int, count: int) -> list[Row]:
        """A page of the list, the one that waits longest first."""
        found = []
        for entry in await self._list.entries(now, start=start, count=count):
            ticket_id, _, operation = entry.id.partition(":")
            record = await self._store.load(ticket_id)
            if record is not None:
                found.append(Row(entry.id, record.number, operation, _tries(record, operation), entry))
        return found

    async def lease(
        self, operator: str, now: datetime, *, seconds: float, count: int = 1, only: Sequence[str] = ()
    ) -> list[Call]:
        """Up to `count` calls for `operator`, of the entries `only` if given; a lease ends by itself."""
        entries = await self._list.lease(operator, now, seconds=seconds, count=count, only=only)
        return [call for entry in entries if (call := await self._call(entry)) is not None]

    async def give_back(self, operator: str, id: str, now: datetime) -> None:
        """Somebody else shall make this call. Raises Illegal: `not_held`."""
        await self._check_holder(operator, id, now)
        await self._list.give_back(id)

    async def record(self, id: str, made: Try, now: datetime) -> Recorded:
        """What came of the call that the operator holds. The same again under its key changes nothing, and is answered
        as before.

        Raises:
            Illegal: `missing`: it is not on the list any more; `not_held`: the operator does not hold it.
            Rejected: `conflict`: the key was used for something else.
        """
        ticket_id, _, operation = id.partition(":")
        while True:
            record = await self._store.load(ticket_id)
            if record is not None and (before := _repeated(record, operation, made)) is not None:
                return before
            if record is None or record.fields.get(f"reply:{operation}") != CALLING:
                raise Illegal("missing", "There is no such call to make.")
            await self._check_holder(made.operator, id, now)
            step, stays = self._step(record, id, operation, made, now)
            word, version = await self._store.step(ticket_id, record.version, step)
            if word == "done":
                await self._list.give_back(id)
                return Recorded(record.number, version, stays)

    async def _check_holder(self, operator: str, id: str, now: datetime) -> None:
        if await self._list.holder(id, now) != operator:
            raise Illegal("not_held", "Lease this call first.")

    async def _call(self, id: str) -> Call | None:
        ticket_id, _, operation = id.partition(":")
        record = await self._store.load(ticket_id)
        notice = (
            next((one for one in notices(record, self._region) if one.operation == operation), None) if record else None
        )
        if record is None or notice is None:
            return None
        index = tried(record, operation)
        return Call(
            id=id,
            number=record.number,
            operation=operation,
            phone=addresses(record, notice)[index].to.address,
            name=record.ticket().requester.name,
            text=worded(notice, record, self._region, self._site).text,
            tries=_tries(record, operation),
        )

    def _step(self, record: Record, id: str, operation: str, made: Try, now: datetime) -> tuple[Step, bool]:
        """`notified`, with who called; and whether the call stays on the list. Without an answer it goes to the end of
        the list; without one so many times, or with a stranger's, the next address of the notice is taken."""
        tries = _tries(record, operation) + 1
        stays = made.outcome is CallOutcome.NO_ANSWER and tries < self._attempts
        fields: dict[str, str | int] = {f"calls:{operation}": tries, f"stays:{made.step}": int(stays)}
        if made.outcome is CallOutcome.REACHED:
            fields |= {f"reply:{operation}": SENT, f"told:{operation}": CALL}
        elif not stays:
            fields |= self._given_up(record, operation, made.outcome)
        step = Step(
            operation=made.step,
            type=events.NOTIFIED,
            at=now,
            data=made.event(operation) | {"at": events.rfc3339(now)},
            due=None if stays else now.timestamp(),
            fields=fields,
            indexes=(Index(keys.waiting(keys.CALLS), id, now.timestamp() if stays else None),),
        )
        return step, stays

    def _given_up(self, record: Record, operation: str, outcome: CallOutcome) -> dict[str, str | int]:
        """Another telephone number of the citizen, if there is one; else the end."""
        notice = next((one for one in notices(record, self._region) if one.operation == operation), None)
        after = tried(record, operation) + 1
        if notice is not None and after < len(addresses(record, notice)):
            return {f"reply:{operation}": "", f"try:{operation}": after, f"calls:{operation}": 0}
        return {f"reply:{operation}": UNDELIVERABLE, f"why:{operation}": str(outcome)}


def _repeated(record: Record, operation: str, made: Try) -> Recorded | None:
    """What became of the try when it was said before; None: it was not. Raises Rejected as `Calls.record`."""
    version = record.fields.get(f"op:{made.step}")
    if version is None:
        return None
    said = made.event(operation)
    data = record.events()[int(version) - 2]["data"]
    if {name: value for name, value in data.items() if name in (*said, "reason", "said")} != said:
        raise Rejected("conflict", "The same key was used before for something else.")
    return Recorded(record.number, int(version), record.fields[f"stays:{made.step}"] == "1")


def _tries(record: Record, operation: str) -> int:
    return int(record.fields.get(f"calls:{operation}", 0))
