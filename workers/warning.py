"""The errands of early warning: an alarm is raised once for each reason, and told level by level until acknowledged.

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
    if _new(runtime, record):
        yield Raise()
        return
    if "alarm" not in record.fields or in_hand(record) is not None:
        return
    for person in sorted(runtime.alarms.people.values(), key=lambda one: (one.config.level, one.name)):
        tell = Tell(person, record)
        if tell.name not in record.fields and f"dead:{tell.name}" not in record.fields:
            yield tell


def reasons_of(record: Record) -> tuple[str, ...]:
    """Every reason for which an alarm was raised so far."""
    return tuple(record.fields["alarm"].split(", ")) if "alarm" in record.fields else ()


def rounds(record: Record) -> int:
    """How often an alarm was raised: reasons that came later raise it again."""
    return int(record.fields.get("alarm_round", 1)) if "alarm" in record.fields else 0


def in_hand(record: Record) -> str | None:
    """Role and name of who acknowledged the last alarm; None: nobody, whatever became of the ones before."""
    return record.fields.get(_numbered("acknowledged", rounds(record)))


def _new(runtime: Runtime, record: Record) -> tuple[str, ...]:
    had = reasons_of(record)
    return tuple(reason for reason in runtime.alarms.reasons(record) if reason not in had)


def _numbered(name: str, number: int) -> str:
    """The first alarm's names are without a number."""
    return name if number <= 1 else f"{name}:{number}"


def raised(runtime: Runtime, record: Record, reasons: Sequence[str], at: datetime) -> dict[str, str | int]:
    """The fields of a ticket with one more alarm: why, and when each level after the first is told. A level that was
    due for an alarm which nobody has in hand is not told later than that."""
    wait = timedelta(seconds=runtime.alarms.config.escalate_after)
    number, waiting = rounds(record) + 1, in_hand(record) is None
    fields: dict[str, str | int] = {"alarm": ", ".join(reasons)}
    if number > 1:
        fields["alarm_round"] = number
    for person in runtime.alarms.people.values():
        if person.config.level > 1:
            due = (at + wait * (person.config.level - 1)).timestamp()
            former = record.fields.get(f"next:{Tell(person, record).name}")
            due = min(due, float(former)) if former is not None and waiting else due
            fields[f"next:{Tell(person, record, number).name}"] = str(due)
    return fields


def listed(record: Record, at: datetime) -> Index:
    """It stands on the list of alarms until it is acknowledged."""
    return Index(keys.waiting(keys.ALARMS), record.ticket_id, at.timestamp())


@dataclass(frozen=True, slots=True)
class Raise:
    """An alarm of one ticket, put on record before anybody is told."""

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
        """`alarmed`, without a person, with the reasons of before too; None when it was raised meanwhile. One that
        stands on the list already keeps its place there."""
        new = _new(runtime, record)
        if not new:
            return None
        at, number, reasons = runtime.now(), rounds(record) + 1, (*reasons_of(record), *new)
        log.error("alarm_raised", ticket_id=record.ticket_id, reason=", ".join(new))
        return Step(
            operation="alarm" if number == 1 else f"raised:{number}",
            type=events.ALARMED,
            at=at,
            data={"reasons": list(reasons), "at": events.rfc3339(at)},
            due=at.timestamp(),
            fields=raised(runtime, record, reasons, at),
            indexes=() if number > 1 and in_hand(record) is None else (listed(record, at),),
        )


@dataclass(frozen=True, slots=True)
class Tell:
    """One person and one alarm; `number`: which of the ticket's alarms, 0 = the last."""

    person: Person
    record: Record
    number: int = 0

    @property
    def name(self) -> str:
        return _numbered(f"alarm:{self.person.name}", self.number or rounds(self.record))

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
            "reasons": reasons_of(record),
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
            "reasons": reasons_of(record),
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
    """Somebody has taken the last alarm in hand: nobody else is told of it. False: there is none, or it was
    acknowledged before.

    Raises:
        redis.RedisError: Redis is away; the same call again is harmless.
    """
    while True:
        record = await store.load(ticket_id)
        if record is None or "alarm" not in record.fields or in_hand(record) is not None:
            return False
        name = _numbered("acknowledged", rounds(record))
        step = Step(
            operation=name,
            type=events.ACKNOWLEDGED,
            at=at,
            data={"by": by.model_dump(mode="json"), "at": events.rfc3339(at)},
            due=at.timestamp(),
            fields={name: f"{by.role}:{by.id}"},
            indexes=(replace(listed(record, at), score=None),),
        )
        word, _ = await store.step(ticket_id, record.version, step)
        if word != "moved":
            return word == "done"
