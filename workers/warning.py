"""The errands of early warning: an alarm is raised once for a ticket, and told level by level until it is acknowledged.

May not judge words: tier and flags come from the normalizer, likeness from the catalogue's rule.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import structlog

from channels.contract import Reply, Replying
from normalizer import events
from normalizer.errors import TryAgain
from normalizer.life import Actor
from normalizer.ticket import ReplyAddress
from workers import keys
from workers.alarm_config import AlarmsConfig, PersonConfig
from workers.destinations.contract import Delivered, Destination, Disabled, Event, Refused, TryLater
from workers.errands import Ended, Errand
from workers.store import Index, Record, Step, Store

if TYPE_CHECKING:
    from workers.runtime import Runtime

log = structlog.get_logger()

NO_CHANNEL: Final = "no_such_channel"
WORDS: Final[str] = tomllib.loads((files("workers") / "phrases/alarms.toml").read_text("utf-8"))["text"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on duty: `webhook`, or else `channel` and `address` of the configuration."""

    name: str
    config: PersonConfig
    webhook: Destination | None


@dataclass(frozen=True, slots=True)
class Alarms:
    """The site's configuration, and its people with their webhooks."""

    config: AlarmsConfig
    people: Mapping[str, Person]

    def reasons(self, record: Record) -> tuple[str, ...]:
        """Why people are told of this ticket at once; empty: they are not."""
        ticket = record.ticket()
        tier = (f"tier {ticket.urgency.tier}",) if ticket.urgency.tier in self.config.tiers else ()
        alike = (record.fields["alike"],) if "alike" in record.fields else ()
        return (*tier, *(f"flag {flag}" for flag in ticket.flags if flag in self.config.flags), *alike)


def outstanding(runtime: Runtime, record: Record) -> Iterator[Errand]:
    """The alarm itself, if it is due; then who has not been told of it, level by level, until it is acknowledged."""
    if "alarm" not in record.fields:
        if reasons := runtime.alarms.reasons(record):
            yield Raise(reasons)
        return
    if "acknowledged" in record.fields:
        return
    for person in sorted(runtime.alarms.people.values(), key=lambda one: (one.config.level, one.name)):
        tell = Tell(person, record)
        if tell.name not in record.fields and f"dead:{tell.name}" not in record.fields:
            yield tell


def raised(runtime: Runtime, record: Record, reasons: Sequence[str], at: datetime) -> dict[str, str | int]:
    """The fields of a ticket with an alarm: why, and when each level after the first is told."""
    wait = timedelta(seconds=runtime.alarms.config.escalate_after)
    fields: dict[str, str | int] = {"alarm": ", ".join(reasons)}
    for person in runtime.alarms.people.values():
        if person.config.level > 1:
            due = at + wait * (person.config.level - 1)
            fields[f"next:{Tell(person, record).name}"] = str(due.timestamp())
    return fields


def listed(record: Record, at: datetime) -> Index:
    """It stands on the list of alarms until it is acknowledged."""
    return Index(keys.waiting(keys.ALARMS), record.ticket_id, at.timestamp())


@dataclass(frozen=True, slots=True)
class Raise:
    """The alarm of one ticket, put on record before anybody is told."""

    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        return "alarm"

    @property
    def counter(self) -> str:
        return "alarms"

    @property
    def subject(self) -> str:
        return "alarm"

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Nothing to wait for."""
        return Ended("raised")

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step | None:
        """`alarmed`, without a person; None when it was raised meanwhile."""
        if "alarm" in record.fields:
            return None
        at = runtime.now()
        log.error("alarm_raised", ticket_id=record.ticket_id, reason=", ".join(self.reasons))
        return Step(
            operation="alarm",
            type=events.ALARMED,
            at=at,
            data={"reasons": list(self.reasons), "at": events.rfc3339(at)},
            due=at.timestamp(),
            fields=raised(runtime, record, self.reasons, at),
            indexes=(listed(record, at),),
        )


@dataclass(frozen=True, slots=True)
class Tell:
    """One person and one alarm."""

    person: Person
    record: Record

    @property
    def name(self) -> str:
        return f"alarm:{self.person.name}"

    @property
    def counter(self) -> str:
        return f"alarms:{self.person.name}"

    @property
    def subject(self) -> str:
        return f"{self.record.ticket_id}.{self.name}"

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Tell them; what could not be told now is tried again, on their own schedule."""
        if self.person.webhook is not None:
            return _ended(await self.person.webhook.deliver(self._event(runtime)))
        config = self.person.config
        assert config.channel is not None
        assert config.address is not None
        channel = runtime.replying(config.channel)
        if channel is None:
            return Ended("failed", reason=NO_CHANNEL, dead=NO_CHANNEL)
        return await self._reply(channel, ReplyAddress(channel=config.channel, address=config.address), runtime)

    async def _reply(self, channel: Replying, to: ReplyAddress, runtime: Runtime) -> Ended | TryLater:
        text = WORDS.format(site=runtime.site.name, number=self.record.number, reasons=self.record.fields["alarm"])
        operation = f"{self.record.ticket_id}:{self.name}"
        message = Reply(
            operation=operation, number=self.record.number, text=text.strip(), purpose="alarm", language="zh-CN"
        )
        try:
            delivery = await channel.reply(to, message)
        except TryAgain as error:
            return TryLater("try_again", error.after)
        except Exception as error:  # a bug of ours must not leave an alarm untold: it is tried again
            log.error("alarm_failed", channel=to.channel, error=type(error).__name__)
            return TryLater("exception", None)
        if delivery.outcome == "sent":
            return Ended("told")
        return Ended("failed", reason=delivery.reason, dead=delivery.reason or delivery.outcome)

    def _event(self, runtime: Runtime) -> Event:
        """Without personal data: whoever is told looks the ticket up."""
        record = self.record
        data: dict[str, Any] = {
            "ticket_id": record.ticket_id,
            "number": record.number,
            "version": record.version,
            "reasons": record.fields["alarm"].split(", "),
            "person": self.person.name,
            "level": self.person.config.level,
            "at": events.rfc3339(runtime.now()),
        }
        document = {
            "specversion": "1.0",
            "type": events.ALARMED,
            "source": record.source,
            "id": self.subject,
            "subject": record.ticket_id,
            "time": data["at"],
            "datacontenttype": "application/json",
            "data": data,
        }
        content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return Event(self.subject, events.ALARMED, record.ticket_id, content)

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step:
        """`alarmed`, with the person and how it went."""
        at = runtime.now()
        data = {
            "reasons": record.fields["alarm"].split(", "),
            "person": self.person.name,
            "level": self.person.config.level,
            "outcome": ended.word,
            "at": events.rfc3339(at),
        }
        return Step(
            operation=f"gave_up:{self.name}:{record.version}" if ended.dead else self.name,
            type=events.ALARMED,
            at=at,
            data=data | {"reason": ended.reason} if ended.reason else data,
            due=None if rest else "done",
            fields={f"dead:{self.name}": ended.dead} if ended.dead else {self.name: ended.word},
        )


def _ended(outcome: Delivered | Refused | Disabled | TryLater) -> Ended | TryLater:
    match outcome:
        case Delivered():
            return Ended("told")
        case Refused(reason=reason) | Disabled(reason=reason):
            return Ended("failed", reason=reason, dead=reason)
        case TryLater() as later:
            return later


async def acknowledge(store: Store, ticket_id: str, by: Actor, at: datetime) -> bool:
    """Somebody has taken the alarm in hand: nobody else is told. False: there is none, or it was acknowledged before.

    Raises:
        redis.RedisError: Redis is away; the same call again is harmless.
    """
    while True:
        record = await store.load(ticket_id)
        if record is None or "alarm" not in record.fields or "acknowledged" in record.fields:
            return False
        step = Step(
            operation="acknowledged",
            type=events.ACKNOWLEDGED,
            at=at,
            data={"by": by.model_dump(mode="json"), "at": events.rfc3339(at)},
            due=at.timestamp(),
            fields={"acknowledged": f"{by.role}:{by.id}"},
            indexes=(replace(listed(record, at), score=None),),
        )
        word, _ = await store.step(ticket_id, record.version, step)
        if word != "moved":
            return word == "done"
