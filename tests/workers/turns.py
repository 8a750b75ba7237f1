"""What a job has to do with: receivers and channels that answer as they are told, and a runtime around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from channels.contract import Delivery, Reply
from normalizer.ticket import ReplyAddress
from workers import region_files
from workers.alarm_config import AlarmsConfig
from workers.alike import Alike
from workers.blobs import Blobs
from workers.connect import connect_async
from workers.dead import Dead
from workers.destinations.contract import Delivered, Event, Outcome
from workers.linking_config import LinkingConfig
from workers.matters import Matters
from workers.meter import Meter
from workers.quota import Quota
from workers.region import Region
from workers.runtime import Runtime, Site
from workers.store import Store
from workers.warning import Alarms

NOW = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)


NOBODY = Alarms(AlarmsConfig(), {})
LINKING = LinkingConfig()


@dataclass
class Receiver:
    """A downstream system that answers as it is told; its last answer stays."""

    name: str
    answers: list[Outcome] = field(default_factory=lambda: [Delivered()])
    had: list[Event] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def deliver(self, event: Event) -> Outcome:
        self.had.append(event)
        self.meanwhile()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def close(self) -> None: ...


@dataclass
class Answering:
    """A channel that carries answers; its last answer stays, and an exception is raised."""

    answers: list[Delivery | Exception] = field(default_factory=lambda: [Delivery(outcome="sent", reference="a.b")])
    sent: list[tuple[ReplyAddress, Reply]] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        self.sent.append((to, message))
        self.meanwhile()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def client(valkey) -> AsyncIterator[Redis]:
    async with connect_async(valkey.config, valkey.directory) as client:
        yield client


@pytest.fixture
def build(client, tmp_path):
    return builder(client, tmp_path)


def builder(client, tmp_path):
    """Makes runtimes around `client`; also for tests that bring a loop of their own."""

    def make(
        *receivers: Receiver,
        units: tuple[Receiver, ...] = (),
        region: Region | None = None,
        now: datetime = NOW,
        channel: Answering | None = None,
        per_hour: int = 20,
        alarms: Alarms = NOBODY,
        linking: LinkingConfig = LINKING,
    ) -> Runtime:
        return Runtime(
            store=Store(client, domain="hotline.example"),
            dead=Dead(client),
            blobs=Blobs(tmp_path),
            destinations={r.name: r for r in receivers},
            units={unit.name: unit for unit in units},
            replying={"email": channel}.get,
            quota=Quota(client, per_hour=per_hour),
            meter=Meter(client),
            site=Site("12345", "https://hotline.example"),
            alarms=alarms,
            alike=Alike(client, alarms.config.alike),
            links=Matters(client, linking),
            region=region or region_files.shipped("beijing"),
            lease=60,
            max_attempts=3,
            now=lambda: now,
            jitter=lambda: 0.0,
            runner=None,
        )

    return make
