"""The file destination used by several processes at once, and by processes that are killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import HANGS
from workers.destinations.contract import Delivered, Event
from workers.destinations.file import FileDestination
from workers.destinations.file_index import repeats

APPENDER = Path(__file__).with_name("appender.py")
ROOT = Path(__file__).parents[3]
IdsIn = Callable[[Path], list[str]]
MakeEvent = Callable[..., Event]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(APPENDER), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=HANGS)


def test_several_processes_append_the_same_and_other_events(tmp_path: Path, ids_in: IdsIn) -> None:
    """Four processes, each with 100 events of its own and the same 25, four times over."""
    path = tmp_path / "delivered.jsonl"
    appenders = [
        subprocess.Popen(
            [sys.executable, str(APPENDER), "append", str(path), str(first), "100", "25"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in (1000, 2000, 3000, 4000)
    ]
    for appender in appenders:
        assert appender.stdout is not None
        assert appender.stdout.readline() == "ready\n"
    for appender in appenders:
        assert appender.stdin is not None
        appender.stdin.write("go\n")
        appender.stdin.flush()
    told = [int(appender.communicate(timeout=HANGS)[0]) for appender in appenders]
    counts = Counter(ids_in(path))
    assert set(counts.values()) == {1}
    assert len(counts) == 4 * 100 + 25
    assert sum(told) == 4 * 100 - 25 == repeats(path)


@pytest.mark.parametrize(
    ("point", "survives"),
    [
        ("before_write", False),
        ("half_written", False),
        ("written", True),
        ("synced", True),
        ("indexed", True),
    ],
)
async def test_killed_at_any_step_the_event_is_there_once(
    tmp_path: Path, make_event: MakeEvent, ids_in: IdsIn, point: str, survives: bool
) -> None:
    path = tmp_path / "delivered.jsonl"
    died = run("die", path, 7, point)
    assert died.returncode == -signal.SIGKILL, died.stderr
    left = path.read_bytes()
    assert left.endswith(b"\n") is (point != "half_written")

    destination = FileDestination("file", path)
    assert await destination.deliver(make_event(8)) == Delivered()
    assert await destination.deliver(make_event(7)) == Delivered(repeat=survives)
    assert await destination.deliver(make_event(7)) == Delivered(repeat=True)
    await destination.close()
    assert Counter(ids_in(path)) == Counter(make_event(number).id for number in (0, 7, 8))


async def test_a_storm_of_kills_loses_and_doubles_nothing(tmp_path: Path, make_event: MakeEvent, ids_in: IdsIn) -> None:
    path = tmp_path / "delivered.jsonl"
    done = run("storm", path, 3)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kills"] >= 20
    assert len(told["acknowledged"]) >= 20
    destination = FileDestination("file", path)
    for number in told["acknowledged"]:
        assert await destination.deliver(make_event(number)) == Delivered(repeat=True)
    await destination.close()
    counts = Counter(ids_in(path))
    assert set(counts.values()) == {1}
    assert {make_event(number).id for number in told["acknowledged"]} <= set(counts)
