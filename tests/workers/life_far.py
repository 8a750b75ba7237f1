"""A worker process that can be cut at any of its awaits, and the receivers, channels and people its jobs talk to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from rq.timeouts import JobTimeoutException

from channels.contract import Delivery, Reply
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress
from workers.destinations.contract import Delivered, Disabled, Event, Outcome, Refused, TryLater

How = Literal["kill", "cancel", "timeout"]


class Killed(BaseException):
    """kill -9: nothing that the process would have done happens any more."""


ENDS = (Killed, asyncio.CancelledError, JobTimeoutException)


@dataclass(frozen=True)
class Cut:
    """The process ends at its `at`-th await: before a command is sent or after its answer came, and so on."""

    at: int
    how: How


@dataclass
class Process:
    """One job's, or one request's. `meanwhile`: what others do during its await number `pause`."""

    cut: Cut | None = None
    pause: int = 0
    meanwhile: Callable[[], Awaitable[None]] | None = None
    ticks: int = 0
    was_cut: bool = False
    dead: bool = False

    async def tick(self) -> None:
        if self.dead:
            raise Killed
        self.ticks += 1
        if self.meanwhile is not None and self.ticks == self.pause:
            await self.meanwhile()
        if self.cut is not None and self.ticks == self.cut.at:
            self.was_cut = True
            self._end(self.cut.how)

    def _end(self, how: How) -> None:
        if how == "cancel":
            raise asyncio.CancelledError
        if how == "timeout":
            raise JobTimeoutException
        self.dead = True
        raise Killed


class MortalRedis(Redis):
    """Every round trip is two awaits of the process: not sent yet, and done but not known."""

    def __init__(self, pool: ConnectionPool, process: Process) -> None:
        super().__init__(connection_pool=pool)
        self._process = process

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        await self._process.tick()
        answer = await super().execute_command(*args, **options)
        await self._process.tick()
        return answer

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        made = MortalPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        made.process = self._process
        return made


class MortalPipeline(Pipeline):
    process: Process

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        await self.process.tick()
        answer = await super().execute(raise_on_error)
        await self.process.tick()
        return answer


OUTLOOKS: dict[str, Outcome] = {
    "takes": Delivered(),
    "lies": TryLater("timeout", None),
    "down": TryLater("status_503", 30.0),
    "braked": TryLater("held", 60.0, tried=False),
    "refuses": Refused("status_422"),
    "gone": Disabled("status_410"),
}
"""`lies`: it has the event, but its answer was lost."""


@dataclass
class Far:
    """A downstream system, a unit or somebody on duty, behind a webhook; over all processes."""

    name: str
    outlook: list[str] = field(default_factory=lambda: ["takes"])
    had: list[Event] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)

    def seen_by(self, process: Process) -> Seen:
        return Seen(self, process)

    def ids_of(self, ticket_id: str) -> list[str]:
        return list(dict.fromkeys(event.id for event in self.had if event.subject == ticket_id))

    def answer(self, event: Event) -> Outcome:
        word = self.outlook.pop(0) if len(self.outlook) > 1 else self.outlook[0]
        if word in ("takes", "lies"):
            self.had.append(event)
        self.taken[event.id] += word == "takes"
        return OUTLOOKS[word]


@dataclass
class Seen:
    """The same from one process."""

    far: Far
    process: Process

    @property
    def name(self) -> str:
        return self.far.name

    async def deliver(self, event: Event) -> Outcome:
        await self.process.tick()
        outcome = self.far.answer(event)
        await self.process.tick()
        return outcome

    async def close(self) -> None: ...


Key = tuple[str, str, str]
"""Number, operation, address."""


@dataclass
class Way:
    """A channel to the citizen, over all processes. `readable`: it knows what it sent, and sends that once."""

    name: str
    readable: bool
    outlook: list[str] = field(default_factory=lambda: ["sent"])
    sent: dict[Key, str] = field(default_factory=dict)
    calls: Counter[Key] = field(default_factory=Counter)

    def seen_by(self, process: Process) -> SeenWay:
        return SeenWay(self, process) if self.readable else SeenOnce(self, process)

    def answer(self, to: ReplyAddress, message: Reply) -> Delivery:
        key = (message.number, message.operation, to.address)
        if self.readable and key in self.sent:
            return Delivery(outcome="sent", reference=self.sent[key])
        word = self.outlook.pop(0) if len(self.outlook) > 1 else self.outlook[0]
        if word == "try_again":
            raise TryAgain(20.0)
        self.calls[key] += 1
        if word in ("sent", "lost_answer"):
            self.sent[key] = f"ref.{self.name}.{len(self.sent)}"
        if word == "bug":
            raise RuntimeError("a bug")
        if word == "sent":
            return Delivery(outcome="sent", reference=self.sent[key])
        if word in ("lost_answer", "unknown"):
            return Delivery(outcome="unknown")
        return Delivery(outcome="failed", reason="no_such_mailbox")


@dataclass
class SeenWay:
    """The same from one process."""

    way: Way
    process: Process

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        await self.process.tick()
        delivery = self.way.answer(to, message)
        await self.process.tick()
        return delivery


@dataclass
class SeenOnce(SeenWay):
    """A channel that cannot say what it sent."""

    repeatable: bool = False
