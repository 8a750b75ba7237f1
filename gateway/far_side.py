"""Wires the far side of the queue: the dispatcher's loop and RQ workers with their runtime.

May not hold logic of its own: workers/ has it; here it gets its connections, its destinations and its signals.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Final, NoReturn

import redis
import structlog
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

from channels.contract import Replying
from gateway.config import Config
from gateway.registry import Registry
from normalizer import models
from workers.alike import Alike
from workers.blobs import Blobs
from workers.connect import connect, connect_async
from workers.dead import Dead
from workers.destinations.brake import RedisBrake
from workers.destinations.contract import Destination
from workers.destinations.email import EmailConfig, EmailUnit
from workers.destinations.registry import build
from workers.dispatch_config import UnitConfig
from workers.dispatcher import ALARM, Dispatcher
from workers.matters import Matters
from workers.meter import Meter
from workers.quota import Quota
from workers.region import Region
from workers.runtime import Runtime, Site, set_runtime
from workers.store import Store
from workers.suggestion import Suggester
from workers.warning import Alarms, Person

log = structlog.get_logger()

AWAY: Final = 0.5
WORKER_AWAY_MAX: Final = 2.0
"""Seconds between two looks of an RQ worker whether Redis is back. RQ's own 60 would hold up the urgent."""


def build_runtime(config: Config) -> Runtime:
    """What jobs need, with clients of their own."""
    client = connect_async(config.redis, config.data_dir)
    brake, replying, blobs = RedisBrake(client), _replying(config), Blobs(config.data_dir / "blobs")
    region = config.region()
    return Runtime(
        store=Store(client, domain=config.site.domain),
        dead=Dead(client),
        blobs=blobs,
        destinations={name: build(name, block, config.data_dir, brake) for name, block in config.destinations.items()},
        units={id: _unit(id, block, config, replying, blobs, brake) for id, block in config.dispatch.units.items()},
        replying=replying,
        quota=Quota(client, per_hour=config.workers.receipts_per_hour),
        meter=Meter(client),
        site=Site(config.site.name, config.public_url, config.zone),
        region=region,
        suggester=suggester(config, region),
        alarms=_alarms(config, brake),
        alike=Alike(client, config.alarms.alike),
        links=Matters(client, config.linking),
        lease=config.workers.lease,
        max_attempts=config.workers.max_attempts,
        now=lambda: datetime.now(UTC),
        jitter=random.random,
        runner=asyncio.Runner(),
    )


def suggester(config: Config, region: Region) -> Suggester | None:
    """The site's own model of who takes what, if it has one."""
    model = config.dispatch.suggest
    return Suggester(models.load(model), region) if model is not None else None


def _unit(
    id: str,
    block: UnitConfig,
    config: Config,
    replying: Callable[[str], Replying | None],
    blobs: Blobs,
    brake: RedisBrake,
) -> Destination:
    """How a unit is told by push."""
    name = f"unit:{id}"
    if isinstance(block, EmailConfig):
        return EmailUnit(name, block, replying, config.site.name, blobs)
    return build(name, block, config.data_dir, brake)


def _alarms(config: Config, brake: RedisBrake) -> Alarms:
    """Who is told of an alarm, and how."""
    people = {
        name: Person(
            name, person, build(f"alarm:{name}", person.via, config.data_dir, brake) if person.via is not None else None
        )
        for name, person in config.alarms.people.items()
    }
    return Alarms(config.alarms, people)


def _replying(config: Config) -> Callable[[str], Replying | None]:
    """Channels to reply with, each built when it is first needed and never run."""

    @cache
    def find(name: str) -> Replying | None:
        block = config.channels.get(name)
        if block is None:
            return None
        channel = Registry().configured(config.model_copy(update={"channels": {name: block}}))[name]
        return channel if isinstance(channel, Replying) else None

    return find


def run_dispatcher(config: Config, ready: Callable[[], None]) -> int:
    """Until SIGTERM. While Redis is away it waits, and counts as ready: the line takes submissions all the same."""
    os.nice(config.workers.nice)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    dispatcher = Dispatcher(
        connect(config.redis, config.data_dir),
        consumer=socket.gethostname(),
        lease=config.workers.lease,
        groups=config.queue.groups,
        keep_days=config.queue.keep_days,
        alarm=ALARM if config.alarms.people else None,
    )
    prepared = away = False
    ready()
    while not stop.is_set():
        try:
            if not prepared:
                dispatcher.prepare()
                prepared = True
            dispatcher.turn()
            away = False
        except redis.RedisError as error:
            if not away:
                log.warning("queue_server_away", error=type(error).__name__)
            away = True
            stop.wait(AWAY)
    return 0


def run_worker(config: Config, queue: str, ready: Callable[[], None]) -> int:
    """An RQ worker on exactly one queue (several queues would lose a job on kill -9; RQ 3.0.0). Until SIGTERM, which
    lets the job in hand finish. Counts as ready while Redis is away, as the dispatcher does."""
    os.nice(config.workers.nice)
    for sign in (signal.SIGTERM, signal.SIGINT):  # until RQ has handlers of its own: it registers itself before that
        signal.signal(sign, _end_without_a_job)
    set_runtime(build_runtime(config))
    connection = connect(config.redis, config.data_dir)
    ready()
    _wait_for_server(connection)
    worker = SimpleWorker(
        [Queue(queue, connection=connection, serializer=JSONSerializer)],
        connection=connection,
        serializer=JSONSerializer,
    )
    worker.max_connection_wait_time = WORKER_AWAY_MAX
    with contextlib.suppress(StopRequested):  # a signal between RQ's handlers and its loop comes out here
        worker.work(logging_level="WARNING")
    return 0


def _end_without_a_job(*_: object) -> NoReturn:
    """No job is in hand yet: there is nothing to finish."""
    raise SystemExit(0)


def _wait_for_server(client: redis.Redis) -> None:
    """RQ waits for a server that goes away, but not for one that is away when a worker is made. A signal ends this:
    nothing is in hand yet."""
    away = False
    while True:
        try:
            client.ping()
            return
        except redis.RedisError as error:
            if not away:
                log.warning("queue_server_away", error=type(error).__name__)
            away = True
            time.sleep(AWAY)
