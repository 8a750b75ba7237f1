"""`make bench`: what the line costs, every speed as a ratio to a bare aiohttp handler measured in the same run.

May not judge: it prints figures. `--seconds` each load, `--rounds` (medians are shown), `--stored` tickets, `--json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import mail, phone
from benchmarks.line import Line, Process, free_port, resident, used, wait_for

NO_WORKERS: Final = {"JIESU_WORKERS__DISPATCH": "0", "JIESU_WORKERS__URGENT": "0"}
ENDLESS: Final = 1 << 40
SAMPLE: Final = 5_000
"""Tickets whose cost is measured before and after the store is filled."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    seconds: float
    rounds: int
    stored: int


def load(port: int, seconds: float, *, rate: float = 0, count: int = ENDLESS) -> dict[str, float]:
    """One load in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.load", str(port), str(seconds), str(rate), str(count)]
    done = subprocess.run(words, check=True, capture_output=True, timeout=seconds + 600)
    answer: dict[str, float] = json.loads(done.stdout)
    if answer["others"]:
        raise SystemExit(f"{answer['others']} requests were not answered 201")
    return answer


@contextmanager
def bare() -> Iterator[int]:
    """The measure, running; its port. Warm: the first requests of a process are slower."""
    port = free_port()
    server = Process(["-m", "benchmarks.bare", str(port)])
    wait_for(lambda: _listens(port), "the bare server", 10)
    try:
        load(port, 1)
        yield port
    finally:
        server.stop()


@contextmanager
def line(**environment: str) -> Iterator[Line]:
    """A fresh `jiesu up`, warm."""
    with tempfile.TemporaryDirectory(prefix="jb-", ignore_cleanup_errors=True) as folder:
        running = Line(Path(folder) / "data", **environment)
        try:
            load(running.port, 60, count=500)
            wait_for(lambda: running.unqueued() == 0, "the warm-up to be queued")
            yield running
        finally:
            running.stop()


def throughput(plan: Plan) -> dict[str, float]:
    """One round: bare, then a fresh line with everything running, then what its queue and its worker do."""
    with bare() as port:
        measure = load(port, plan.seconds)["per_second"]
    with line() as running:
        before = running.queued()
        memory = running.redis_bytes()
        started = time.perf_counter()
        accepts = load(running.port, plan.seconds)
        wait_for(lambda: running.unqueued() == 0, "everything to be queued")
        queued = running.queued() - before
        standing = queued / (time.perf_counter() - started)
        delivered = running.delivered()
        begun = time.perf_counter()
        wait_for(lambda: time.perf_counter() - begun >= plan.seconds, "deliveries")
        deliveries = (running.delivered() - delivered) / (time.perf_counter() - begun)
        return {
            "bare, requests/s": measure,
            "durable accepts/s": accepts["per_second"],
            "tickets/s standing on the queue": standing,
            "deliveries/s to file, one RQ worker": deliveries,
            "Redis, bytes/ticket": (running.redis_bytes() - memory) / queued,
        } | {f"RSS MB, {role}": resident(pid) / 1e6 for role, pid in running.processes().items()}


def latency(plan: Plan, accepts: float) -> dict[str, float]:
    """p50 and p99 in milliseconds at a quarter of the accepts found, bare and ours at the same rate."""
    found: dict[str, float] = {}
    with bare() as port:
        answer = load(port, plan.seconds, rate=accepts / 4)
        found |= {f"bare {name}, ms": answer[name] * 1e3 for name in ("p50", "p99")}
    with line() as running:
        answer = load(running.port, plan.seconds, rate=accepts / 4)
        found |= {f"accept {name}, ms": answer[name] * 1e3 for name in ("p50", "p99")}
    return found


def cost(running: Line) -> dict[str, float]:
    """Processor time in ms for one ticket from socket to queue, and bytes of Redis, over a sample."""
    pids = {role: pid for role, pid in running.processes().items() if role in ("gateway", "pump", "valkey")}
    before = {role: used(pid) for role, pid in pids.items()}
    load(running.port, 600, count=SAMPLE)
    wait_for(lambda: running.unqueued() == 0, "the sample to be queued")
    spent = {role: (used(pid) - before[role]) / SAMPLE * 1e3 for role, pid in pids.items()}
    return spent | {"all": sum(spent.values())}


def flatness(plan: Plan) -> dict[str, float]:
    """The cost of a ticket in an empty line, and again with `stored` tickets in spool, store and queue."""
    with line(**NO_WORKERS) as running:
        empty = cost(running)
        load(running.port, 3600, count=max(0, plan.stored - running.queued()))
        wait_for(lambda: running.unqueued() == 0, "the store to be filled", 1800)
        full = cost(running)
        stored = running.queued()
    found = {f"CPU ms/ticket, {role}, 0 stored": value for role, value in empty.items()}
    found |= {f"CPU ms/ticket, {role}, {stored} stored": value for role, value in full.items()}
    return found | {"cost with them / without": full["all"] / empty["all"]}


def _listens(port: int) -> bool:
    try:
        load(port, 60, count=64)
    except subprocess.CalledProcessError:
        return False
    return True


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, float]:
    """Every figure, medians over the rounds; ratios are taken within a round."""
    rounds: list[dict[str, float]] = []
    for number in range(plan.rounds):
        say(f"throughput, round {number + 1} of {plan.rounds}")
        rounds.append(throughput(plan))
    found = {name: median(one[name] for one in rounds) for name in rounds[0]}
    for name in ("durable accepts/s", "tickets/s standing on the queue", "deliveries/s to file, one RQ worker"):
        found[f"{name} / bare"] = median(one[name] / one["bare, requests/s"] for one in rounds)
    say("latency at a quarter of the load")
    found |= latency(plan, found["durable accepts/s"])
    found |= {f"{name} / bare": found[f"accept {name}, ms"] / found[f"bare {name}, ms"] for name in ("p50", "p99")}
    if plan.stored:
        say(f"cost per ticket, empty and with {plan.stored} stored")
        found |= flatness(plan)
    say("calls by format")
    found |= phone.figures()
    return found | mail.figures(plan.seconds, plan.rounds, say)


def main() -> None:
    """Parse the words, measure, print."""
    words = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    words.add_argument("--seconds", type=float, default=5.0)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--stored", type=int, default=100_000)
    words.add_argument("--json", action="store_true")
    given: Any = words.parse_args()
    found = measure(Plan(given.seconds, given.rounds, given.stored), lambda text: print(text, file=sys.stderr))
    if given.json:
        print(json.dumps(found))
        return
    busy = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, shared with the load; medians of {given.rounds} rounds; load average {busy:.1f}")
    for name, value in found.items():
        print(f"{name:50} {value:12.3f}")


if __name__ == "__main__":
    main()
