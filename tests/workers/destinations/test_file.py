"""The file destination: every event once, whole, and on disk."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from workers.destinations import file as file_module
from workers.destinations.contract import Delivered, Event, Refused, TryLater
from workers.destinations.file import FileDestination
from workers.destinations.file_index import repeats

MakeEvent = Callable[..., Event]
IdsIn = Callable[[Path], list[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "出口" / "delivered.jsonl"


@pytest.fixture
async def destination(path: Path) -> AsyncIterator[FileDestination]:
    destination = FileDestination("file", path)
    yield destination
    await destination.close()


def remove_index(path: Path) -> None:
    for index in path.parent.glob("*.index*"):
        index.unlink()


async def test_an_event_is_one_line_as_it_was_given(
    destination: FileDestination, path: Path, make_event: MakeEvent
) -> None:
    event = make_event()
    assert await destination.deliver(event) == Delivered()
    assert path.read_bytes() == event.document + b"\n"
    assert path.stat().st_mode & 0o007 == 0


async def test_a_repeat_is_dropped_and_counted(
    destination: FileDestination, path: Path, make_event: MakeEvent, ids_in: IdsIn
) -> None:
    assert repeats(path) == 0
    for _ in range(3):
        await destination.deliver(make_event(1))
    assert await destination.deliver(make_event(1)) == Delivered(repeat=True)
    assert await destination.deliver(make_event(2)) == Delivered()
    assert ids_in(path) == [make_event(1).id, make_event(2).id]
    assert repeats(path) == 3


async def test_the_count_can_be_read_after_everyone_left(
    destination: FileDestination, path: Path, make_event: MakeEvent
) -> None:
    await destination.deliver(make_event())
    await destination.deliver(make_event())
    await destination.close()
    assert repeats(path) == 1


async def test_a_document_of_two_lines_is_refused(destination: FileDestination, path: Path) -> None:
    event = Event("e1", "t", "s", b'{"id":\n"e1"}')
    assert await destination.deliver(event) == Refused("not_one_line")
    assert not path.exists()


async def test_after_a_restart_it_still_knows(path: Path, make_event: MakeEvent, ids_in: IdsIn) -> None:
    for _ in range(2):
        destination = FileDestination("file", path)
        await destination.deliver(make_event())
        await destination.close()
    assert ids_in(path) == [make_event().id]


async def test_a_torn_last_line_is_cut_and_delivered_again(
    destination: FileDestination, path: Path, make_event: MakeEvent, ids_in: IdsIn
) -> None:
    await destination.deliver(make_event(1))
    with path.open("ab") as torn:
        torn.write(make_event(2).document[:30])
    assert await destination.deliver(make_event(2)) == Delivered()
    assert ids_in(path) == [make_event(1).id, make_event(2).id]


async def test_a_line_the_index_missed_is_found(
    destination: FileDestination, path: Path, make_event: MakeEvent, ids_in: IdsIn
) -> None:
    await destination.deliver(make_event(1))
    with path.open("ab") as line:
        line.write(make_event(2).document + b"\n")
    assert await destination.deliver(make_event(2)) == Delivered(repeat=True)
    assert len(ids_in(path)) == 2


async def test_a_lost_index_is_rebuilt_from_the_file(
    destination: FileDestination, path: Path, make_event: MakeEvent, ids_in: IdsIn
) -> None:
    for number in range(5):
        await destination.deliver(make_event(number))
    remove_index(path)  # under the running destination
    assert await destination.deliver(make_event(3)) == Delivered(repeat=True)
    await destination.close()
    remove_index(path)
    assert await destination.deliver(make_event(4)) == Delivered(repeat=True)
    assert len(ids_in(path)) == 5


async def test_a_log_left_by_a_lost_index_does_not_spoil_the_new_one(
    destination: FileDestination, path: Path, make_event: MakeEvent
) -> None:
    """As after a kill, which leaves -wal and -shm, and an operator who removes the index alone."""
    await destination.deliver(make_event(1))
    left = {log: log.read_bytes() for log in path.parent.glob("*.index-*")}
    assert left
    await destination.close()
    remove_index(path)
    await destination.deliver(make_event(2))
    await destination.close()
    remove_index(path)
    for log, content in left.items():
        log.write_bytes(content)
    assert await destination.deliver(make_event(2)) == Delivered(repeat=True)
    assert await destination.deliver(make_event(3)) == Delivered()


async def test_a_damaged_index_is_thrown_away_and_rebuilt(
    destination: FileDestination, path: Path, make_event: MakeEvent
) -> None:
    await destination.deliver(make_event(1))
    await destination.close()
    remove_index(path)
    path.with_name("delivered.jsonl.index").write_bytes(b"not a database at all " * 500)
    assert await destination.deliver(make_event(1)) == TryLater("index_damaged", 0.0, tried=False)
    assert await destination.deliver(make_event(1)) == Delivered(repeat=True)


async def test_somebody_elses_line_is_left_alone(
    destination: FileDestination, path: Path, make_event: MakeEvent
) -> None:
    foreign = b'hello\n[1]\n{"id": 7}\n\n' + b"[" * 100_000 + b"\n\xff\xfe\n"
    path.parent.mkdir()
    path.write_bytes(foreign)
    assert await destination.deliver(make_event()) == Delivered()
    assert path.read_bytes() == foreign + make_event().document + b"\n"


async def test_a_file_moved_away_is_followed_by_a_new_one_and_nothing_is_forgotten(
    destination: FileDestination, path: Path, make_event: MakeEvent, ids_in: IdsIn
) -> None:
    await destination.deliver(make_event(1))
    with path.open("ab") as line:  # written by a process killed before it could index it
        line.write(make_event(2).document + b"\n")
    moved = path.rename(path.with_suffix(".1"))
    assert await destination.deliver(make_event(1)) == Delivered(repeat=True)
    assert await destination.deliver(make_event(2)) == Delivered(repeat=True)
    assert await destination.deliver(make_event(3)) == Delivered()
    assert ids_in(moved) == [make_event(1).id, make_event(2).id]
    assert ids_in(path) == [make_event(3).id]


async def test_a_file_cut_short_is_read_anew_and_nothing_is_forgotten(
    destination: FileDestination, path: Path, make_event: MakeEvent, ids_in: IdsIn
) -> None:
    await destination.deliver(make_event(1))
    await destination.deliver(make_event(2))
    os.truncate(path, 0)
    assert await destination.deliver(make_event(1)) == Delivered(repeat=True)
    assert await destination.deliver(make_event(3)) == Delivered()
    assert ids_in(path) == [make_event(3).id]


async def test_a_removed_lock_file_is_noticed(destination: FileDestination, path: Path, make_event: MakeEvent) -> None:
    await destination.deliver(make_event(1))
    lock = path.with_name("delivered.jsonl.lock")
    lock.unlink()
    assert await destination.deliver(make_event(2)) == Delivered()
    assert lock.exists()


async def test_while_another_holds_the_file_it_waits_and_then_says_later(
    destination: FileDestination, path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "LOCK_TIMEOUT", 0.05)
    other = FileDestination("other", path)
    assert await other._acquire() is not None
    assert await destination.deliver(make_event()) == TryLater("busy", 1.0, tried=False)
    await other.close()
    assert await destination.deliver(make_event()) == Delivered()


async def test_a_long_rebuild_is_spread_over_several_calls(
    path: Path, destination: FileDestination, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"".join(make_event(number).document + b"\n" for number in range(2500)))
    monkeypatch.setattr(file_module, "INDEX_TIMEOUT", 0.0)
    assert await destination.deliver(make_event(2499)) == TryLater("indexing", 1.0, tried=False)
    assert await destination.deliver(make_event(2499)) == TryLater("indexing", 1.0, tried=False)
    assert await destination.deliver(make_event(2499)) == Delivered(repeat=True)


async def test_a_full_disk_means_later_and_leaves_no_torn_line(
    small_disk: Callable[[str], Path], make_event: MakeEvent, ids_in: IdsIn
) -> None:
    path = small_disk("512k") / "delivered.jsonl"
    destination = FileDestination("file", path)
    delivered = 0
    while (outcome := await destination.deliver(make_event(delivered, "灯" * 3000))) == Delivered():
        delivered += 1
        assert delivered < 100
    assert outcome == TryLater("disk_full", None)
    assert delivered > 10
    assert len(ids_in(path)) == delivered
    await destination.close()
    assert isinstance(await destination.deliver(make_event(delivered, "灯" * 3000)), TryLater)

    small_disk("4m")
    for number in range(delivered + 1):
        outcome = await destination.deliver(make_event(number, "灯" * 3000))
        assert outcome == Delivered(repeat=number < delivered)
    assert ids_in(path) == [make_event(number).id for number in range(delivered + 1)]
    await destination.close()


async def test_a_place_that_cannot_be_written_means_later(tmp_path: Path, make_event: MakeEvent) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    destination = FileDestination("file", blocked / "delivered.jsonl")
    assert await destination.deliver(make_event()) == TryLater("write_failed", None)


async def test_the_cost_of_an_event_does_not_grow_with_the_file(
    destination: FileDestination, path: Path, make_event: MakeEvent
) -> None:
    """Compares the CPU time of the work in the index and the file with 0 and with 100,000 lines, generously."""
    started = time.process_time()
    for number in range(200):
        await destination.deliver(make_event(number))
    empty = time.process_time() - started
    with path.open("ab") as lines:
        for number in range(200, 100_000):
            lines.write(make_event(number).document + b"\n")
    while await destination.deliver(make_event(0)) != Delivered(repeat=True):
        pass
    started = time.process_time()
    for number in range(100_000, 100_200):
        assert await destination.deliver(make_event(number)) == Delivered()
    full = time.process_time() - started
    assert full < 5 * empty + 0.5


async def test_the_index_holds_ids_and_nothing_of_the_citizen(
    destination: FileDestination, path: Path, make_event: MakeEvent
) -> None:
    await destination.deliver(make_event(1, "我叫王小明"))
    with sqlite3.connect(path.with_name("delivered.jsonl.index")) as connection:
        assert "王小明" not in "".join(connection.iterdump())
    connection.close()
    assert "王小明" in json.loads(path.read_text())["data"]["text"]
