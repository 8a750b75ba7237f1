"""Tickets delivered to a loopback webhook with their state recorded, per RQ worker, as a ratio to bare POSTs, in one
run; and what one sweep of a long schedule costs. May not judge: it prints figures.

`python -m benchmarks.dispatch sink PORT` is the receiver; without words it measures and prints.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

import aiohttp
import redis
import uvloop
from aiohttp import web

from benchmarks.line import Line, Process, free_port, wait_for
from workers import keys
from workers.connect import RedisConfig, connect
from workers.dispatcher import Dispatcher
from workers.valkey import EmbeddedValkey

SECONDS: Final = 5.0
ROUNDS: Final = 3
TICKETS: Final = 1_500
SCHEDULED: Final = 100_000
SWEEPS: Final = 20
EVENT: Final = json.dumps({"specversion": "1.0", "id": "x", "data": {"text": "小区北门的路灯坏了" * 60}}).encode()


def figures() -> dict[str, float]:
    """Medians over the rounds; ratios are taken within a round."""
    rounds = [_round() for _ in range(ROUNDS)]
    return {name: median(one[name] for one in rounds) for name in rounds[0]} | sweeps()


def _round() -> dict[str, float]:
    port = free_port()
    sink = Process(["-m", "benchmarks.dispatch", "sink", str(port)])
    try:
        wait_for(lambda: _answers(port), "the receiver", 30)
        bare = uvloop.run(_bare(port))
        found = {"bare POSTs/s, one after another": bare, "tickets/s to a webhook, one RQ worker": _line(port)}
    finally:
        sink.stop()
    ratio = found["tickets/s to a webhook, one RQ worker"] / bare
    return found | {"tickets/s to a webhook / bare POSTs": ratio}


async def _bare(port: int) -> float:
    """What one client does that only posts: as a worker, one event after another over one connection."""
    sent, started = 0, time.perf_counter()
    async with aiohttp.ClientSession() as session:
        while time.perf_counter() - started < SECONDS:
            async with session.post(f"http://127.0.0.1:{port}/", data=EVENT) as answer:
                await answer.read()
            sent += 1
    return sent / (time.perf_counter() - started)


def _line(port: int) -> float:
    """Tickets per second that leave the schedule of a running line, whose queue is never empty meanwhile."""
    with tempfile.TemporaryDirectory(prefix="jb-", ignore_cleanup_errors=True) as folder:
        secret = Path(folder) / "hook.secret"
        secret.write_text("whsec_" + b64encode(secrets.token_bytes(32)).decode())
        running = Line(
            Path(folder) / "data",
            JIESU_DESTINATIONS__HOOK__TYPE="webhook",
            JIESU_DESTINATIONS__HOOK__URL=f"http://127.0.0.1:{port}/",
            JIESU_DESTINATIONS__HOOK__SECRET_FILE=str(secret),
            JIESU_DESTINATIONS__HOOK__ALLOW_PRIVATE='["127.0.0.0/8"]',
            JIESU_WORKERS__URGENT="0",
        )
        try:
            uvloop.run(_fill(running.port))
            wait_for(lambda: running.unqueued() == 0, "the tickets to be queued")
            before, started = running.delivered(), time.perf_counter()
            wait_for(lambda: time.perf_counter() - started >= SECONDS, "deliveries")
            return (running.delivered() - before) / (time.perf_counter() - started)
        finally:
            running.stop()


async def _fill(port: int) -> None:
    async with aiohttp.ClientSession() as session:

        async def post(n: int) -> None:
            body = {"text": f"幸福路{n}号门口的路灯坏了三天了"}
            async with session.post(f"http://127.0.0.1:{port}/api/v1/requests", json=body) as answer:
                if answer.status != 201:
                    raise SystemExit(f"{answer.status} instead of 201")

        for begin in range(0, TICKETS, 50):
            await asyncio.gather(*(post(n) for n in range(begin, begin + 50)))


def sweeps() -> dict[str, float]:
    """Milliseconds of one sweep with nothing scheduled, with very many that are not due, and with as many due."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="jb-") as folder:
        server = EmbeddedValkey(Path(folder))
        server.start()
        try:
            client = connect(RedisConfig(), Path(folder))
            dispatcher = Dispatcher(client, consumer="bench", lease=120, groups=("dispatch",), keep_days=7)
            for name, due in (("nothing", None), (f"{SCHEDULED} later", 3600.0), (f"{SCHEDULED} due", -1.0)):
                if due is not None:
                    _schedule(client, time.time() + due)
                found[f"sweep ms, {name}"] = median(_sweep(dispatcher) for _ in range(SWEEPS))
        finally:
            server.stop()
    return found


def _schedule(client: redis.Redis, at: float) -> None:
    for begin in range(0, SCHEDULED, 5_000):
        with client.pipeline(transaction=False) as pipe:
            for n in range(begin, begin + 5_000):
                ticket = f"t{n:026d}"
                fields: dict[Any, Any] = {"version": 1, "tier": "7d", "entry": "1-1", "number": "2026112300000017"}
                pipe.hset(keys.ticket(ticket), mapping=fields)
                pipe.zadd(keys.DUE, {ticket: at})
            pipe.execute()


def _sweep(dispatcher: Dispatcher) -> float:
    started = time.perf_counter()
    dispatcher.sweep()
    return (time.perf_counter() - started) * 1e3


def _answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", data=b"{}", timeout=1) as answer:
        return bool(answer.status == 204)
    return False


async def _sink(port: int) -> None:
    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def main(words: list[str]) -> None:
    """The receiver, or the figures."""
    if words[:1] == ["sink"]:
        uvloop.run(_sink(int(words[1])))
        return
    for name, value in figures().items():
        print(f"{name:45} {value:12.3f}")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
