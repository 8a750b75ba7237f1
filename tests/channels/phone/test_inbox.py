"""The drop folder: what is complete is taken, what is wrong is kept with its reason, nothing is lost or taken twice."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from tests.channels.phone.folders import NAME, PLAIN, Folder, call, until, watching
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
        await asyncio.wait_for(folder.host.arrived.wait(), HANGS)
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
        await asyncio.wait_for(folder.host.arrived.wait(), HANGS)
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
