"""GET /metrics: the sums of the spool, read from its rows, and what Redis knows, in the format of Prometheus.

May not count what the rows already say, may not wait for Redis, and has no label that a citizen could fill.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from aiohttp import web
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from redis import RedisError
from redis.asyncio import Redis

from channels.contract import Handler
from gateway import ledger
from gateway.spool_file import FILE
from workers import keys
from workers.connect import memory_share

FRESH: Final = 2.0
"""Seconds for which the sums are not read again."""
PATIENCE: Final = 2.0
"""Seconds Redis may take; then its series are absent."""
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)
"""Seconds from received to queued; the long ones are for Redis away."""
STATES: Final = ("queued", "set_aside", "parked", "in_flight")
DELIVERIES: Final = "deliveries:"


@dataclass(frozen=True, slots=True)
class FarSide:
    """What Redis said. `deliveries`: (destination, outcome) -> how many. `memory_share`: see the function."""

    deliveries: Mapping[tuple[str, str], int]
    dead: int
    memory: int
    memory_share: float | None
    streams: Mapping[str, int]


@dataclass(eq=False)
class _Seen(Collector):
    """The last look, as series."""

    rows: Mapping[str, int] = field(default_factory=dict)
    far: FarSide | None = None

    def collect(self) -> Iterable[Metric]:
        if self.rows:
            yield from _of_rows(self.rows)
        yield GaugeMetricFamily("jiesu_redis_up", "Whether Redis answered", value=self.far is not None)
        if self.far is not None:
            yield from _of_far_side(self.far)


class Metrics:
    """One gateway's series, in a registry of their own."""

    def __init__(self, spool: Path, client: Redis, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`spool`: the spool's directory, read by connections that cannot write. `client`: retries off."""
        self._spool = spool
        self._client = client
        self._clock = clock
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self._seen = _Seen()
        self.registry = CollectorRegistry()
        self.registry.register(self._seen)
        ProcessCollector(registry=self.registry)
        self._latency = Histogram(
            "jiesu_enqueue_latency_seconds",
            "From received to queued",
            buckets=BUCKETS,
            registry=self.registry,
        )

    def register(self, route: Callable[[str, str, Handler], object]) -> None:
        """Add GET /metrics."""
        route("GET", "/metrics", self.show)

    def observe(self, ages: list[float]) -> None:
        """Submissions were queued just now, this many seconds after they were received."""
        for age in ages:
            self._latency.observe(max(age, 0.0))

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Every series, in the format the scraper prefers."""
        async with self._reading:
            await self._look()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self.registry), headers={"Content-Type": content_type})

    async def _look(self) -> None:
        now = self._clock()
        if self._read_at is not None and now - self._read_at < FRESH:
            return
        self._seen.rows, self._seen.far = await asyncio.gather(
            asyncio.to_thread(sums, self._spool), far_side(self._client)
        )
        self._read_at = now


def sums(spool: Path) -> Mapping[str, int]:
    """`ledger.counts` of one moment, by a connection that cannot write; empty while the spool cannot be read."""
    try:
        uri = f"{(spool.absolute() / FILE).as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            db.execute("BEGIN")  # one snapshot: read one by one, the sums would not add up
            return ledger.counts(db)
    except sqlite3.OperationalError:
        return {}


async def far_side(client: Redis) -> FarSide | None:
    """What Redis knows; None while it is away."""
    try:
        async with asyncio.timeout(PATIENCE), client.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.STATS)
            pipe.hlen(keys.DEAD)
            pipe.xlen(keys.TICKETS)
            pipe.xlen(keys.EVENTS)
            pipe.info("memory")
            stats, dead, tickets, events, memory = await cast("Awaitable[list[object]]", pipe.execute())
    except (RedisError, OSError):
        return None
    facts = cast("Mapping[str, int]", memory)
    return FarSide(
        deliveries=_deliveries(cast("Mapping[bytes, bytes]", stats)),
        dead=cast(int, dead),
        memory=int(facts["used_memory"]),
        memory_share=memory_share(facts),
        streams={"tickets": cast(int, tickets), "events": cast(int, events)},
    )


def _deliveries(stats: Mapping[bytes, bytes]) -> dict[tuple[str, str], int]:
    """Of `deliveries:<destination>:<outcome>` -> count; other counters are not ours."""
    found = {}
    for key, count in stats.items():
        name = key.decode()
        if name.startswith(DELIVERIES):
            destination, _, outcome = name.removeprefix(DELIVERIES).rpartition(":")
            found[destination, outcome] = int(count)
    return found


def _of_rows(rows: Mapping[str, int]) -> Iterable[Metric]:
    yield CounterMetricFamily("jiesu_submissions_received", "Submissions ever spooled here", value=rows["received"])
    submissions = GaugeMetricFamily("jiesu_submissions", "Submissions by where they stand", labels=["state"])
    for state in STATES:
        submissions.add_metric([state], rows[state])
    yield submissions
    yield GaugeMetricFamily("jiesu_spool_oldest_age_seconds", "Age of the oldest row not queued", value=rows["age"])
    yield GaugeMetricFamily("jiesu_spool_unqueued_bytes", "Bytes of bodies not queued", value=rows["bytes"])


def _of_far_side(far: FarSide) -> Iterable[Metric]:
    deliveries = CounterMetricFamily(
        "jiesu_deliveries", "Attempts by destination and outcome", labels=["destination", "outcome"]
    )
    for (destination, outcome), count in sorted(far.deliveries.items()):
        deliveries.add_metric([destination, outcome], count)
    yield deliveries
    yield GaugeMetricFamily("jiesu_dead_entries", "Deliveries and entries that were given up", value=far.dead)
    yield GaugeMetricFamily("jiesu_redis_used_memory_bytes", "Memory Redis uses", value=far.memory)
    if far.memory_share is not None:
        share = "Of maxmemory: at 1 Redis refuses writes"
        yield GaugeMetricFamily("jiesu_redis_memory_share", share, value=far.memory_share)
    streams = GaugeMetricFamily("jiesu_stream_length", "Entries of a stream", labels=["stream"])
    for stream, length in far.streams.items():
        streams.add_metric([stream], length)
    yield streams
