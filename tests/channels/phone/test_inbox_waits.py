"""The drop folder while it cannot take a file: half-written, not ours, or nobody accepts; the others go on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from normalizer.errors import TryAgain
from tests.channels.phone.folders import LONG, NAME, PLAIN, POLL, Folder, call, until, watching
from tests.waiting import HANGS


@pytest.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with FakeHost() as host:
        yield host


@pytest.fixture
def folder(tmp_path: Path, host: FakeHost) -> Folder:
    path = tmp_path / "site/inbox"
    path.mkdir(parents=True)
    return Folder(path, host)


# Not yet complete


async def test_a_half_written_file_waits_and_is_taken_when_it_is_whole(folder: Folder) -> None:
    whole = call("a", "路灯" * 500)
    half = folder.drop("a.json", whole[:300])
    async with watching(folder, patience=LONG):
        await folder.looked()
        assert folder.names() == ["a.json"]
        with half.open("ab") as file:
            file.write(whole[300:])
        await until(lambda: folder.names("done") == ["a.json"])
    assert folder.failed() == []
    assert [raw.body for raw in folder.host.taken.values()] == [whole]


async def test_a_half_written_file_is_refused_when_nobody_goes_on_with_it(folder: Folder) -> None:
    folder.drop("a.json", call()[:-9])
    started = asyncio.get_running_loop().time()
    async with watching(folder, patience=0.2):
        await until(lambda: folder.failed() == ["a.json", "a.json.reason.json"])
    assert asyncio.get_running_loop().time() - started >= 0.2
    assert folder.reason("a.json")["code"] == "json_invalid"


async def test_a_file_that_grows_between_looks_is_not_taken(folder: Folder) -> None:
    """Whole at every moment (each line is one more turn), and growing: only the last state is the call."""
    talk = [f"{who}：第{n}句话，路灯坏了。\n".encode() for n in range(20) for who in ("客服", "市民")]
    path = folder.drop("a.txt", b"".join(talk[:4]))
    async with watching(folder, settle=2.0):  # no writer pauses for so long
        for line in talk[4:]:
            await asyncio.sleep(POLL)  # the pace of the writer, not a wait for us
            assert folder.names() == ["a.txt"]
            with path.open("ab") as file:
                file.write(line)
        await until(lambda: folder.names("done") == ["a.txt"])
    assert [raw.body for raw in folder.host.taken.values()] == [b"".join(talk)]


async def test_a_file_that_grows_while_it_is_read_is_not_taken(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    path, more = folder.drop("a.txt", PLAIN), iter([b"x", b"y"])
    opened = Path.open

    def racing(self: Path, *args: Any, **more_args: Any) -> Any:
        """The writer adds to the file just when it is opened for reading."""
        if self == path and (late := next(more, b"")):
            with opened(self, "ab") as file:
                file.write(late)
        return opened(self, *args, **more_args)

    monkeypatch.setattr(Path, "open", racing)
    async with watching(folder):
        await until(lambda: folder.names("done") == ["a.txt"])
    assert [raw.body for raw in folder.host.taken.values()] == [PLAIN + b"xy"]


@pytest.mark.parametrize("name", ["a.json.tmp", "a.PART", "a.json.filepart", "a.crdownload", ".a.json", ".nfs0001"])
async def test_names_of_files_that_are_being_written_are_left_alone(folder: Folder, name: str) -> None:
    folder.drop(name, call())
    async with watching(folder):
        await folder.looked()
        assert folder.names() == [name]
        assert not folder.host.taken
        os.replace(folder.path / name, folder.path / "a.json")
        await until(lambda: folder.names("done") == ["a.json"])


async def test_a_file_copied_with_its_old_times_is_as_new_as_any_other(folder: Folder) -> None:
    async with watching(folder, settle=LONG):
        os.utime(folder.drop("a.json", call()), (1000, 1000))
        await until(lambda: (folder.path / "done").is_dir())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(folder.host.arrived.wait(), 10 * POLL)
        assert folder.names() == ["a.json"]
    assert not folder.host.taken


# While we cannot take


async def test_try_again_keeps_the_file(folder: Folder) -> None:
    folder.host.outcomes.extend([TryAgain(0.05), TryAgain(0.05)])
    folder.drop("a.json", call())
    async with watching(folder):
        await asyncio.wait_for(folder.host.raised.wait(), HANGS)
        assert folder.names() == ["a.json"]
        assert folder.names("done") == folder.names("failed") == []
        await until(lambda: folder.names("done") == ["a.json"])
    assert len(folder.host.taken) == 1


async def test_try_again_is_not_tried_before_its_time(folder: Folder) -> None:
    folder.host.otherwise = TryAgain(LONG)
    for name in ("a.json", "b.json"):
        folder.drop(name, call(name))
    async with watching(folder):
        await asyncio.wait_for(folder.host.raised.wait(), HANGS)
        folder.host.arrived.clear()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(folder.host.arrived.wait(), 10 * POLL)
    assert folder.names() == ["a.json", "b.json"]


async def test_an_unexpected_error_keeps_the_file_and_does_not_stop_the_others(folder: Folder) -> None:
    folder.host.outcomes.append(RuntimeError(NAME))
    os.utime(folder.drop("a.json", call("a")), (1000, 1000))
    folder.drop("b.json", call("b"))
    with capture_logs() as logs:
        async with watching(folder):
            await until(lambda: folder.names("done") == ["a.json", "b.json"])
    assert [raw.source_id.split(":")[1] for raw in folder.host.taken.values()] == ["b", "a"]
    assert NAME not in str(logs)


# What is no file of ours to take


async def test_what_cannot_be_read_does_not_stop_the_others(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    locked, opened = folder.drop("a.json", call("a")), Path.open
    os.utime(locked, (1000, 1000))

    def refusing(self: Path, *args: Any, **more: Any) -> Any:
        """As the system answers who is not root; the tests may be."""
        if self == locked:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **more)

    monkeypatch.setattr(Path, "open", refusing)
    folder.drop("b.json", call("b"))
    with capture_logs() as logs:
        async with watching(folder):
            await until(lambda: folder.names("done") == ["b.json"])
    assert folder.names() == ["a.json"]
    assert "a.json" not in str(logs)
    assert ("call_not_taken", "PermissionError") in {(log["event"], log.get("error")) for log in logs}


async def test_a_file_that_cannot_be_moved_does_not_stop_the_others(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, replace = folder.drop("a.json", call("a")), os.replace
    os.utime(stuck, (1000, 1000))
    locked = True

    def refusing(source: Path, target: Path) -> None:
        if locked and source == stuck:
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr("channels.phone.inbox.os.replace", refusing)
    folder.drop("b.json", call("b"))
    async with watching(folder):
        await until(lambda: folder.names("done") == ["b.json"])
        assert folder.names() == ["a.json"]
        locked = False
        await until(lambda: folder.names("done") == ["a.json", "b.json"])
    assert len(folder.host.taken) == 2


async def test_a_folder_emptied_by_an_operator_is_made_again(folder: Folder) -> None:
    async with watching(folder):
        await until(lambda: (folder.path / "failed").is_dir())
        (folder.path / "done").rmdir()
        folder.drop("a.json", call())
        await until(lambda: folder.names("done") == ["a.json"])


async def test_a_folder_that_is_none_is_said_and_looked_for_again(folder: Folder) -> None:
    folder.path.rmdir()
    folder.path.write_bytes(b"")
    with capture_logs() as logs:
        async with watching(folder):
            await until(lambda: any(log["event"] == "inbox_unreadable" for log in logs))
            folder.path.unlink()
            folder.path.mkdir()
            folder.drop("a.json", call())
            await until(lambda: folder.names("done") == ["a.json"])


async def test_links_folders_and_pipes_are_not_taken(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_bytes(call("secret"))
    (folder.path / "link.json").symlink_to(tmp_path / "secret.json")
    (folder.path / "dangling.json").symlink_to(tmp_path / "nothing")
    (folder.path / "folder.json").mkdir()
    os.mkfifo(folder.path / "pipe.json")
    async with watching(folder):
        await folder.looked()
        assert {"link.json", "dangling.json", "folder.json", "pipe.json"} <= set(os.listdir(folder.path))
    assert not folder.host.taken
    assert folder.names("done") == folder.failed() == []
    assert (tmp_path / "secret.json").read_bytes() == call("secret")


async def test_cancelling_ends_it_wherever_it_is(folder: Folder) -> None:
    folder.host.hold()
    folder.drop("a.json", call())
    tasks = asyncio.all_tasks()
    async with watching(folder) as task:
        await asyncio.wait_for(folder.host.arrived.wait(), HANGS)
        assert asyncio.all_tasks() - tasks == {task}
    assert task.cancelled()
    assert asyncio.all_tasks() == tasks
    assert folder.names() == ["a.json"]
