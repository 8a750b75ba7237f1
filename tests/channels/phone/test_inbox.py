"""The drop folder: what is complete is taken, what is wrong is kept with its reason, nothing is lost or taken twice."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.phone import Phone
from channels.phone.config import PhoneConfig
from normalizer.errors import TryAgain

POLL = 0.01
LONG = 600.0
"""Seconds that no test waits."""
DEADLINE = 10.0
NAME = "欧阳测试"


def call(call_id: str = "c1", said: str = "小区北门的路灯坏了三天了") -> bytes:
    return json.dumps({"call_id": call_id, "turns": [{"speaker": "citizen", "text": said}]}).encode()


PLAIN = "客服：您好，请问有什么可以帮您？\n市民：小区北门的路灯坏了。\n".encode()


async def until(holds: Callable[[], object]) -> None:
    """Polls until `holds()`; fails after the deadline."""
    deadline = asyncio.get_running_loop().time() + DEADLINE
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it never happened"
        await asyncio.sleep(POLL / 2)


class Folder:
    """The drop folder, and a host beside it. Looks are counted by files that come and go."""

    def __init__(self, path: Path, host: FakeHost) -> None:
        self.path = path
        self.host = host
        self._marks = 0

    def names(self, below: str = ".") -> list[str]:
        folder = self.path / below
        return sorted(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []

    def drop(self, name: str, content: bytes) -> Path:
        path = self.path / name
        path.write_bytes(content)
        return path

    async def looked(self, times: int = 3) -> None:
        """Returns after that many whole looks from now: each time a file of ours has been seen and refused."""
        for _ in range(times):
            self._marks += 1
            mark = f"mark-{self._marks}.json"
            self.drop(mark, b'{"call_id":5,"turns":[]}')
            await until(lambda mark=mark: mark in self.names("failed"))  # type: ignore[misc]

    def failed(self) -> list[str]:
        return [name for name in self.names("failed") if not name.startswith("mark-")]

    def reason(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.path / "failed" / f"{name}.reason.json").read_text("utf-8"))
        return document


@pytest.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with FakeHost() as host:
        yield host


@pytest.fixture
def folder(tmp_path: Path, host: FakeHost) -> Folder:
    path = tmp_path / "site/inbox"
    path.mkdir(parents=True)
    return Folder(path, host)


@asynccontextmanager
async def watching(folder: Folder, **config: float) -> AsyncIterator[asyncio.Task[None]]:
    settings = PhoneConfig.model_validate({"inbox": folder.path, "settle": 0, "poll": POLL, "patience": 0, **config})
    task = asyncio.create_task(Phone(settings).run(folder.host))
    try:
        yield task
        assert not task.done(), "it ended by itself"
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.done()


# Taken


async def test_a_complete_file_is_taken_and_moved_to_done(folder: Folder) -> None:
    folder.drop("a.json", call("a"))
    async with watching(folder):
        folder.drop("b.txt", PLAIN)
        await until(lambda: folder.names("done") == ["a.json", "b.txt"])
    assert folder.names() == []
    assert (folder.path / "done/a.json").read_bytes() == call("a")
    taken = {raw.body: raw for raw in folder.host.taken.values()}
    assert taken.keys() == {call("a"), PLAIN}
    assert taken[call("a")].source_id.startswith("call:a:")
    assert taken[PLAIN].source_id.startswith("transcript:file:")


async def test_a_missing_folder_is_made(folder: Folder) -> None:
    folder.path.rmdir()
    async with watching(folder):
        await until(lambda: (folder.path / "failed").is_dir())
        folder.drop("a.json", call())
        await until(lambda: folder.names("done") == ["a.json"])


async def test_it_is_moved_only_after_accept_returned(folder: Folder) -> None:
    folder.host.hold()
    folder.drop("a.json", call())
    async with watching(folder):
        await asyncio.wait_for(folder.host.arrived.wait(), DEADLINE)
        assert folder.names() == ["a.json"]
        assert folder.names("done") == []
        folder.host.release()
        await until(lambda: folder.names("done") == ["a.json"])


async def test_the_oldest_file_is_taken_first(folder: Folder) -> None:
    for age, name in enumerate("cab"):
        os.utime(folder.drop(f"{name}.json", call(name)), (1000 - age, 1000 - age))
    async with watching(folder):
        await until(lambda: len(folder.names("done")) == 3)
    assert [raw.source_id.split(":")[1] for raw in folder.host.taken.values()] == ["b", "a", "c"]


async def test_the_same_name_twice_is_two_files_in_done(folder: Folder) -> None:
    async with watching(folder):
        for call_id in ("a", "b", "c"):
            folder.drop("call.json", call(call_id))
            await until(lambda: not folder.names())
    assert folder.names("done") == ["call.1.json", "call.2.json", "call.json"]
    assert len(folder.host.taken) == 3


async def test_the_same_file_again_is_a_duplicate(folder: Folder) -> None:
    async with watching(folder):
        for _ in range(2):
            folder.drop("call.txt", PLAIN)
            await until(lambda: not folder.names())
    assert folder.names("done") == ["call.1.txt", "call.txt"]
    assert len(folder.host.taken) == 1


async def test_two_files_without_call_id_of_equal_content_are_two_calls(folder: Folder) -> None:
    folder.drop("a.txt", PLAIN)
    folder.drop("b.txt", PLAIN)
    async with watching(folder):
        await until(lambda: len(folder.names("done")) == 2)
    assert len(folder.host.taken) == 2


async def test_a_stop_between_accept_and_the_move_makes_no_second_ticket(folder: Folder) -> None:
    folder.drop("a.json", call())
    folder.drop("b.txt", PLAIN)
    folder.host.hold()
    async with watching(folder):
        await asyncio.wait_for(folder.host.arrived.wait(), DEADLINE)
    folder.host.release()  # cancelled while accept was writing: nobody moved the file
    assert folder.names() == ["a.json", "b.txt"]

    async with watching(folder):
        await until(lambda: folder.names("done") == ["a.json", "b.txt"])
    before = dict(folder.host.taken)
    for name in ("a.json", "b.txt"):  # as if the machine had stopped before the moves
        os.replace(folder.path / "done" / name, folder.path / name)
    async with watching(folder):
        await until(lambda: folder.names("done") == ["a.json", "b.txt"])
    assert folder.host.taken == before
    assert len(before) == 2


async def test_what_our_own_code_fails_at_is_accepted_bare(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError(NAME)

    monkeypatch.setattr("channels.phone.inbox.understand", broken)
    folder.drop("a.json", call())
    with capture_logs() as logs:
        async with watching(folder):
            await until(lambda: folder.names("done") == ["a.json"])
    (kept,) = folder.host.taken.values()
    assert (kept.channel, kept.body, dict(kept.meta)) == ("phone", call(), {})
    assert [log["error"] for log in logs if log["log_level"] == "error"] == ["ZeroDivisionError"]
    assert NAME not in str(logs)


async def test_a_missed_call_and_one_in_gbk_are_taken_too(folder: Folder) -> None:
    folder.drop("missed.json", b'{"call_id":"m","outcome":"missed"}')
    folder.drop(
        "gb.json", json.dumps({"call_id": "g", "turns": [{"text": "路灯坏了"}]}, ensure_ascii=False).encode("gbk")
    )
    async with watching(folder):
        await until(lambda: folder.names("done") == ["gb.json", "missed.json"])


# Refused


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"call_id":"a","turns":[{"text":5}]}', "invalid"),
        (call()[:-5], "json_invalid"),
        (b"PK\x03\x04" + b"\0" * 40, "unknown_format"),
        (b"", "no_speech"),
        (b"\x80\x81\xff\xff", "encoding_unknown"),
        (b'{"vcon":"0.0.2","parties":null}', "vcon_invalid"),
    ],
)
async def test_what_is_refused_is_kept_with_its_reason(folder: Folder, content: bytes, code: str) -> None:
    folder.drop("坏.json", content)
    async with watching(folder):
        await until(lambda: folder.names("failed") == ["坏.json", "坏.json.reason.json"])
    assert folder.names() == folder.names("done") == []
    assert (folder.path / "failed/坏.json").read_bytes() == content
    reason = folder.reason("坏.json")
    assert reason["code"] == code
    assert reason["detail"]
    assert not folder.host.taken


async def test_the_reason_names_every_fault(folder: Folder) -> None:
    folder.drop("a.json", b'{"call_id":"a","turns":[{"text":5,"start":"soon"}],"colour":"blue"}')
    async with watching(folder):
        await until(lambda: len(folder.names("failed")) == 2)
    errors = folder.reason("a.json")["errors"]
    assert {(error["pointer"], error["code"]) for error in errors} == {
        ("/turns/0/text", "wrong_type"),
        ("/turns/0/start", "wrong_type"),
        ("/colour", "unknown_field"),
    }
    assert all(error["detail"] for error in errors)


async def test_the_same_bad_name_twice_keeps_both_files_and_both_reasons(folder: Folder) -> None:
    async with watching(folder):
        for content in (b"{}", b'{"call_id":5,"turns":[]}'):
            folder.drop("a.json", content)
            await until(lambda: not folder.names())
    assert folder.failed() == ["a.1.json", "a.1.json.reason.json", "a.json", "a.json.reason.json"]
    assert [folder.reason(name)["code"] for name in ("a.json", "a.1.json")] == ["unknown_format", "invalid"]


async def test_a_file_too_large_is_refused_unread(folder: Folder) -> None:
    with folder.drop("huge.json", call()).open("r+b") as file:
        file.truncate(2**36)  # 64 GiB with a hole: reading it would take all memory
    async with watching(folder, max_bytes=1000):
        await until(lambda: len(folder.names("failed")) == 2)
    assert folder.reason("huge.json")["code"] == "body_too_large"
    assert (folder.path / "failed/huge.json").stat().st_size == 2**36


async def test_a_file_may_have_just_as_many_bytes(folder: Folder) -> None:
    folder.drop("a.json", call().ljust(1000))
    folder.drop("b.json", call().ljust(1001))
    async with watching(folder, max_bytes=1000):
        await until(lambda: folder.names("done") == ["a.json"] and len(folder.names("failed")) == 2)


@pytest.mark.parametrize("content", [call(), b'{"call_id":5,"turns":[]}'])
async def test_the_longest_name_a_file_can_have_is_no_obstacle(folder: Folder, content: bytes) -> None:
    for _ in range(2):
        folder.drop("话" * 85, content)
        async with watching(folder):
            await until(lambda: not folder.names())
    kept = [path.read_bytes() for name in ("done", "failed") for path in (folder.path / name).iterdir()]
    assert kept.count(content) == 2
    assert len(kept) == (2 if folder.host.taken else 4)


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
    async with watching(folder, settle=1.0):
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
        await asyncio.wait_for(folder.host.raised.wait(), DEADLINE)
        assert folder.names() == ["a.json"]
        assert folder.names("done") == folder.names("failed") == []
        await until(lambda: folder.names("done") == ["a.json"])
    assert len(folder.host.taken) == 1


async def test_try_again_is_not_tried_before_its_time(folder: Folder) -> None:
    folder.host.otherwise = TryAgain(LONG)
    for name in ("a.json", "b.json"):
        folder.drop(name, call(name))
    async with watching(folder):
        await asyncio.wait_for(folder.host.raised.wait(), DEADLINE)
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
        await asyncio.wait_for(folder.host.arrived.wait(), DEADLINE)
        assert asyncio.all_tasks() - tasks == {task}
    assert task.cancelled()
    assert asyncio.all_tasks() == tasks
    assert folder.names() == ["a.json"]
