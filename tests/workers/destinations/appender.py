"""Run as a script: processes that append events to a delivered file, and die where they are told.

append PATH FIRST COUNT SHARED   deliver COUNT events of its own from FIRST, each with one of SHARED common
die PATH NUMBER POINT            deliver event NUMBER and be killed at POINT
storm PATH SECONDS               two processes append, are killed at random moments and started again
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.destinations.contract import Delivered, Event, Outcome
from workers.destinations.file import FileDestination
from workers.destinations.file_index import SeenIndex

ENOUGH = 20


def make_event(number: int) -> Event:
    ticket_id = f"t{number:026d}"
    document = json.dumps({"id": f"{ticket_id}.accepted", "data": {"text": "x" * 500}})
    return Event(f"{ticket_id}.accepted", "org.jiesu.ticket.accepted.v1", ticket_id, document.encode())


def deliver_all(path: str, numbers: list[int], tell: Callable[[int, Outcome], None]) -> None:
    async def run() -> None:
        destination = FileDestination("file", Path(path))
        for number in numbers:
            tell(number, await destination.deliver(make_event(number)))
        await destination.close()

    asyncio.run(run())


def append(path: str, first: str, count: str, shared: str) -> None:
    numbers: list[int] = []
    for offset in range(int(count)):
        numbers += [int(first) + offset, offset % int(shared)]
    outcomes: list[Outcome] = []
    print("ready", flush=True)
    sys.stdin.readline()
    deliver_all(path, numbers, lambda _, outcome: outcomes.append(outcome))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes), outcomes
    print(sum(outcome == Delivered(repeat=True) for outcome in outcomes))


def die(path: str, number: str, point: str) -> None:
    def killed(*_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    def after(call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: killed(call(*args))

    write, sync, add = os.write, os.fsync, SeenIndex.add
    deliver_all(path, [0], lambda *_: None)  # the file is there: the next sync is the line's

    def arm(*_: Any) -> None:
        match point:
            case "before_write":
                os.write = killed
            case "half_written":
                os.write = lambda file, data: killed(write(file, bytes(data)[: memoryview(data).nbytes // 2]))
            case "written":
                os.write = after(write)
            case "synced":
                os.fsync = after(sync)
            case "indexed":
                SeenIndex.add = after(add)  # type: ignore[method-assign]

    async def run() -> None:
        destination = FileDestination("file", Path(path))
        await destination.deliver(make_event(0))
        arm()
        await destination.deliver(make_event(int(number)))

    asyncio.run(run())


def storm(path: str, seconds: str) -> None:
    """For so many seconds, and on a slow machine until enough has happened. Prints the numbers acknowledged and how
    many processes were killed."""
    deadline = time.monotonic() + float(seconds)
    chance = random.Random()
    acknowledged: set[int] = set()
    kills, next_number, longest = 0, 0, 0.03
    while time.monotonic() < deadline or min(kills, len(acknowledged)) < ENOUGH:
        # Both are given the same events, and some that were delivered before.
        numbers = list(range(max(0, next_number - 5), next_number + 200))
        children = [start(path, numbers) for _ in range(2)]
        time_to_live = chance.uniform(0.0, longest)
        select.select([], [], [], time_to_live)
        for pid, pipe in children:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            kills += os.WIFSIGNALED(status)
            with open(pipe, "rb") as told:
                # A last line without its end was being told when its writer died.
                acknowledged.update(int(line) for line in told if line.endswith(b"\n"))
        if max(acknowledged, default=0) == next_number:
            longest *= 1.5  # they did not live long enough to tell anything new
        next_number = max(acknowledged, default=0)
    print(json.dumps({"acknowledged": sorted(acknowledged), "kills": kills}))


def start(path: str, numbers: list[int]) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    os.close(reading)

    def tell(number: int, outcome: Outcome) -> None:
        if isinstance(outcome, Delivered):
            os.write(writing, b"%d\n" % number)

    deliver_all(path, numbers, tell)
    os._exit(0)


if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {"append": append, "die": die, "storm": storm}
    commands[sys.argv[1]](*sys.argv[2:])
