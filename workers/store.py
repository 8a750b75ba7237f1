"""The ticket store: reading tickets and making the later changes of their lives, through the `step` script only.

May not open tickets (workers/queue.py does) and may not decide what a change means.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, cast

from redis.asyncio import Redis

from normalizer import events
from normalizer.identity import is_number
from normalizer.ticket import Ticket
from workers import keys
from workers.fold import fold

STEP_KEYS: Final = (keys.EVENTS, keys.DUE, keys.STATS)
StepOutcome = Literal["done", "repeated", "moved", "lost", "missing"]


@dataclass(frozen=True, slots=True)
class Record:
    """A ticket as it is stored: the accepted document, its later events, and the hash's own fields."""

    doc: bytes
    steps: tuple[bytes, ...]
    fields: Mapping[str, str]
    source: str

    @property
    def ticket_id(self) -> str:
        return str(json.loads(self.doc)["ticket_id"])

    @property
    def number(self) -> str:
        return self.fields["number"]

    @property
    def version(self) -> int:
        return int(self.fields["version"])

    @property
    def replays(self) -> int:
        """How often something dead of it was made due again: that is no version, but it changes what is outstanding."""
        return int(self.fields.get("replays", 0))

    @property
    def state(self) -> str:
        return self.fields["state"]

    @property
    def complete(self) -> bool:
        """Whether the batch script finished writing it."""
        return "entry" in self.fields

    def ticket(self) -> Ticket:
        """The current ticket: document and events folded."""
        return fold(Ticket.model_validate_json(self.doc), self.events())

    def events(self) -> list[dict[str, Any]]:
        """Every later event, oldest first, as CloudEvents."""
        return [json.loads(step) for step in self.steps]

    def submission_of(self, number: str) -> str:
        """The submission that was given `number`, here possibly as an alias: its receipt code opens the ticket."""
        return self.fields.get(f"alias:{number}", self.ticket_id)


@dataclass(frozen=True, slots=True)
class Index:
    """A sorted set that the ticket joins with `score`, or leaves (None), in the same step. If it is in the sorted set
    `like` already, it joins with the score it has there."""

    key: str
    member: str
    score: float | None
    like: str = ""

    @property
    def arguments(self) -> tuple[str, str, str, str]:
        """As the `step` script takes them."""
        return self.key, self.member, "" if self.score is None else repr(self.score), self.like


@dataclass(frozen=True, slots=True)
class Step:
    """One later change. `operation` names it for ever: a repetition changes nothing.

    `data` becomes the event's data beside ticket_id, number and version. `due`: None = the schedule stays,
    "done" = the ticket leaves it, a number = unix seconds of its next turn.
    """

    operation: str
    type: str
    at: datetime
    data: Mapping[str, object]
    state: str = ""
    due: float | Literal["done"] | None = None
    fields: Mapping[str, str | int] = field(default_factory=dict)
    indexes: Sequence[Index] = ()
    counter: str = ""

    def arguments(
        self, ticket_id: str, version: int, *, source: str, token: str = "", replays: int = 0
    ) -> list[str | bytes | int | float]:
        """In the order in which the script takes them; its keys are STEP_KEYS. `replays`: only for due="done"."""
        data = json.dumps(self.data, ensure_ascii=False, separators=(",", ":")).encode()[1:-1]
        return [
            ticket_id,
            version,
            self.operation,
            token,
            events.opening(type=self.type, source=source, time=self.at),
            b"," + data if data else b"",
            self.state,
            "" if self.due is None else self.due,
            self.counter,
            replays,
            len(self.indexes),
            *(part for one in self.indexes for part in one.arguments),
            *_flat(self.fields),
        ]


class Store:
    """Reads and steps. The client must have redis-py's retries off."""

    def __init__(self, client: Redis, *, domain: str) -> None:
        self.client = client
        self._source = events.source(domain)
        self._step = client.register_script(keys.script("step"))
        self._release = client.register_script(keys.script("release"))
        self._settle = client.register_script(keys.script("settle"))

    async def resolve(self, reference: str) -> str | None:
        """The ticket id behind a number, an alias, a ticket id or the id of an appended submission."""
        if reference.isascii() and reference.isdigit():
            key = keys.number(reference) if is_number(reference) else None
        else:
            key = keys.submission(reference)
        found = cast("bytes | None", await self.client.get(key)) if key else None
        return found.decode() if found else None

    async def load(self, ticket_id: str) -> Record | None:
        """The stored ticket, None when there is none; hash and list are read in one transaction."""
        async with self.client.pipeline(transaction=True) as pipe:
            pipe.hgetall(keys.ticket(ticket_id))
            pipe.lrange(keys.steps(ticket_id), 0, -1)
            fields, steps = await pipe.execute()
        if b"doc" not in fields:
            return None
        doc = fields.pop(b"doc")
        return Record(doc, tuple(steps), {k.decode(): v.decode() for k, v in fields.items()}, self._source)

    async def accepted(self, ticket_ids: Sequence[str]) -> list[Ticket]:
        """The tickets as they were accepted, without later events, in one round; those that are gone are left out."""
        async with self.client.pipeline(transaction=False) as pipe:
            for id in ticket_ids:
                pipe.hget(keys.ticket(id), "doc")
            docs = await pipe.execute()
        return [Ticket.model_validate_json(doc) for doc in docs if doc is not None]

    async def find(self, reference: str) -> Record | None:
        """`resolve`, then `load`."""
        ticket_id = await self.resolve(reference)
        return await self.load(ticket_id) if ticket_id else None

    async def step(
        self, ticket_id: str, version: int, step: Step, *, token: str = "", replays: int = 0
    ) -> tuple[str, int]:
        """Make one change if the ticket is still at `version` (and, with `token`, still claimed by it). A step that
        takes it off the schedule must name the record's `replays`: with another number it has moved.

        Returns the outcome (StepOutcome) and the version the ticket has now.
        """
        arguments = step.arguments(ticket_id, version, source=self._source, token=token, replays=replays)
        answer = await cast(Awaitable[Any], self._step(keys=STEP_KEYS, args=arguments))
        return answer[0].decode(), int(answer[1])

    async def claim(self, ticket_id: str, lease: float) -> str | None:
        """A token that fences this job's steps for `lease` seconds; None while another job holds the ticket."""
        token = secrets.token_hex(8)
        taken = await self.client.set(keys.claim(ticket_id), token, nx=True, px=round(lease * 1000))
        return token if taken else None

    async def release(self, ticket_id: str, token: str) -> None:
        """End a claim early, if it is still ours."""
        await cast(Awaitable[Any], self._release(keys=[keys.claim(ticket_id)], args=[token]))

    async def note(self, ticket_id: str, fields: Mapping[str, str | int]) -> None:
        """Remember `fields` of a ticket that are no step of its life."""
        await self.client.hset(keys.ticket(ticket_id), items=_flat(fields))

    async def begin(self, ticket_id: str, name: str) -> bool:
        """Note that something which must not be done twice begins; False: somebody began it before."""
        return bool(await cast(Awaitable[Any], self.client.hsetnx(keys.ticket(ticket_id), name, "1")))

    async def unbegin(self, ticket_id: str, name: str) -> None:
        """It did not happen after all, and may begin again."""
        await cast(Awaitable[Any], self.client.hdel(keys.ticket(ticket_id), name))

    async def put_off(self, record: Record, until: float) -> bool:
        """Set a ticket's next turn (unix seconds), if it still has one. False: it moved or was replayed since `record`
        was loaded, and what did that may have wanted an earlier turn; nothing was set."""
        return await self._end_turn(record, until)

    async def hurry(self, ticket_id: str, at: float) -> None:
        """The ticket's next turn is at `at` (unix seconds) at the latest, if it still has one."""
        await self.client.zadd(keys.DUE, {ticket_id: at}, xx=True, lt=True)

    async def settle(self, record: Record) -> bool:
        """Nothing is outstanding: the ticket leaves the schedule. False: it moved or was replayed since `record` was
        loaded, and stays."""
        return await self._end_turn(record, "")

    async def _end_turn(self, record: Record, until: float | Literal[""]) -> bool:
        id = record.ticket_id
        arguments: list[str | int | float] = [id, record.version, record.replays, until]
        return bool(await cast(Awaitable[Any], self._settle(keys=[keys.DUE, keys.ticket(id)], args=arguments)))

    async def scan(self) -> AsyncIterator[Record]:
        """Every complete ticket once, in no particular order."""
        seen: set[bytes] = set()  # SCAN names a key again when the table grows or shrinks meanwhile
        async for key in self.client.scan_iter(match=keys.ticket("*"), count=500):
            if key in seen:
                continue
            seen.add(key)
            record = await self.load(key.decode().rpartition(":")[2])
            if record and record.complete:
                yield record

    async def count(self, counter: str, by: int = 1) -> None:
        """Add to an operational counter shown by /metrics."""
        await self.client.hincrby(keys.STATS, counter, by)


def _flat(fields: Mapping[str, str | int]) -> list[str | int]:
    return [part for pair in fields.items() for part in pair]
