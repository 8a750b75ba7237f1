"""The series of /metrics come from rows and from Redis, and what is away is absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import trials
from gateway.metrics import FRESH, Metrics
from gateway.routes import Routes
from gateway.spool import Entry, Spool
from normalizer.ticket import Raw
from workers import keys
from workers.connect import connect_async

REDIS_SERIES = {
    "jiesu_deliveries_total", "jiesu_dead_entries", "jiesu_redis_used_memory_bytes", "jiesu_redis_memory_share",
    "jiesu_stream_length",
}  # fmt: skip


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "the spool", "Asia/Shanghai")
    spool.remember(spool.db, "gateway", "0")
    yield spool
    spool.close()


def put(spool: Spool, *names: str) -> None:
    for name in names:
        received = datetime.now(UTC) - timedelta(seconds=100)
        raw = Raw(channel="web", source_id=name, received_at=received, body=b"12345")
        spool.insert(spool.db, [Entry(raw, name, name)])


@pytest.fixture
def open_metrics(serve: Callable[..., Any], spool: Spool, far_side: Any, clock: Any) -> Callable[..., Any]:
    async def start(client: Any = None) -> Any:
        metrics = Metrics(spool.directory, client or far_side.store.client, clock=clock)
        routes = Routes()
        metrics.register(routes.add)
        return metrics, (await serve(routes)).client

    return start


async def scrape(client: Any) -> dict[tuple[str, str], float]:
    """(series, its label values) -> value"""
    answer = await client.get("/metrics")
    assert answer.status == 200
    assert answer.content_type == "text/plain"
    families = text_string_to_metric_families(await answer.text())
    return {(s.name, ",".join(s.labels.values())): s.value for family in families for s in family.samples}


async def test_the_sums_come_from_the_rows_and_add_up(open_metrics: Any, spool: Spool) -> None:
    put(spool, "a", "b", "c", "d", "e")
    trials.finish(spool.db, [(1, "queued", None, None), (2, "set_aside", "bounce", ""), (3, "parked", "bug", "")])
    _, client = await open_metrics()
    seen = await scrape(client)
    states = {state: seen["jiesu_submissions", state] for state in ("queued", "set_aside", "parked", "in_flight")}
    assert states == {"queued": 1, "set_aside": 1, "parked": 1, "in_flight": 2}
    assert seen["jiesu_submissions_received_total", ""] == sum(states.values()) == 5
    assert seen["jiesu_spool_unqueued_bytes", ""] == 10
    assert 100 <= seen["jiesu_spool_oldest_age_seconds", ""] < 200


async def test_the_sums_are_read_again_after_two_seconds(open_metrics: Any, spool: Spool, clock: Any) -> None:
    put(spool, "a")
    _, client = await open_metrics()
    received = ("jiesu_submissions_received_total", "")
    assert (await scrape(client))[received] == 1
    put(spool, "b")
    assert (await scrape(client))[received] == 1
    clock.sleep(FRESH)
    assert (await scrape(client))[received] == 2


async def test_redis_says_deliveries_the_dead_memory_and_streams(open_metrics: Any, far_side: Any) -> None:
    store = far_side.store
    far_side.enqueue("one", 1)
    await store.count("deliveries:file:delivered", 3)
    await store.count("deliveries:a:b:later")
    await store.count("something else")
    await store.client.hset(keys.DEAD, mapping={"x": "1", "y": "2"})
    _, client = await open_metrics()
    seen = await scrape(client)
    deliveries = {labels: value for (name, labels), value in seen.items() if name == "jiesu_deliveries_total"}
    assert deliveries == {"file,delivered": 3, "a:b,later": 1}
    assert seen["jiesu_dead_entries", ""] == 2
    assert (seen["jiesu_stream_length", "tickets"], seen["jiesu_stream_length", "events"]) == (1, 0)
    assert seen["jiesu_redis_used_memory_bytes", ""] > 100_000
    assert seen["jiesu_redis_up", ""] == 1
    assert ("jiesu_redis_memory_share", "") not in seen, "this server has no limit"


async def test_a_server_with_a_limit_says_how_full_it_is(
    serve: Callable[..., Any], spool: Spool, own_valkey: Any
) -> None:
    own_valkey.client().config_set("maxmemory", 100 * 1024 * 1024)
    async with connect_async(own_valkey.config, own_valkey.directory) as redis:
        routes = Routes()
        Metrics(spool.directory, redis).register(routes.add)
        seen = await scrape((await serve(routes)).client)
    expected = seen["jiesu_redis_used_memory_bytes", ""] / (100 * 1024 * 1024)
    assert seen["jiesu_redis_memory_share", ""] == pytest.approx(expected)


async def test_redis_away_leaves_its_series_out_and_the_rest_in(open_metrics: Any, spool: Spool, away: Any) -> None:
    put(spool, "a")
    _, client = await open_metrics(away.client)
    seen = await scrape(client)
    assert not REDIS_SERIES & {name for name, _ in seen}
    assert seen["jiesu_redis_up", ""] == 0
    assert seen["jiesu_submissions_received_total", ""] == 1
    assert seen["process_open_fds", ""] > 0


async def test_latencies_of_enqueued_submissions_fill_the_histogram(open_metrics: Any) -> None:
    metrics, client = await open_metrics()
    metrics.observe([0.02, 0.3, -1.0])
    seen = await scrape(client)
    assert seen["jiesu_enqueue_latency_seconds_count", ""] == 3
    assert seen["jiesu_enqueue_latency_seconds_bucket", "0.025"] == 2
    assert seen["jiesu_enqueue_latency_seconds_sum", ""] == pytest.approx(0.32)


async def test_two_gateways_in_one_process_do_not_share_series(open_metrics: Any) -> None:
    first, _ = await open_metrics()
    _, client = await open_metrics()
    first.observe([1.0])
    assert (await scrape(client))["jiesu_enqueue_latency_seconds_count", ""] == 0


async def test_a_scraper_that_wants_openmetrics_gets_it(open_metrics: Any) -> None:
    _, client = await open_metrics()
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.content_type == "application/openmetrics-text"
    assert (await answer.text()).endswith("# EOF\n")
