"""`jiesu normalize email` with whatever people have in a folder of mail: one line of JSON a file, never a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app

pytestmark = pytest.mark.usefixtures("clean_env")

LETTER = b"From: a@b.example\nSubject: one\n\nfirst\n"


def normalized(*files: Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(app, ["normalize", "email", *map(str, files)])
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_mail"),
        (b"\r\n\r\n", "empty_mail"),
        (b"From: a@b.example\n\n", "empty_mail"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4_000), "not_a_mail"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not_a_mail"),
        (b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nx\n" * 1_100, "too_many_parts"),
    ],
)
def test_what_is_no_mail_is_named_by_its_code(tmp_path: Path, content: bytes, code: str) -> None:
    file = tmp_path / "a.msg"
    file.write_bytes(content)
    (found,) = normalized(file)
    assert (found["file"], found["error"]["code"]) == (str(file), code)
    assert found["error"]["detail"]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    good, loop = tmp_path / "good.eml", tmp_path / "loop.eml"
    good.write_bytes(LETTER)
    loop.symlink_to(loop)
    folder, gone, last = normalized(tmp_path, tmp_path / "gone.eml", good)
    assert {folder["error"]["code"], gone["error"]["code"]} == {"unreadable"}
    assert last["text"] == "first"
    assert normalized(loop)[0]["error"]["code"] == "unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_is_not_ours_to_read_is_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "a.eml"
    file.write_bytes(LETTER)
    file.chmod(0)
    assert normalized(file)[0]["error"]["code"] == "unreadable"


def test_gbk_without_any_head_is_what_somebody_wrote(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("五一路的路灯坏了，请派人来修。".encode("gbk"))
    assert normalized(file)[0]["text"] == "五一路的路灯坏了，请派人来修。"


def test_an_apple_mail_file_is_read_with_the_line_above_its_head(tmp_path: Path) -> None:
    file = tmp_path / "1.emlx"
    file.write_bytes(b"87        \n" + LETTER + b'<?xml version="1.0"?>\n<plist></plist>\n')
    (found,) = normalized(file)
    assert (found["title"], found["requester"]["email"]) == ("one", "a@b.example")
    assert found["text"].startswith("first")


def test_a_folder_of_mails_in_one_file_is_the_first_mail_and_no_word_of_the_others_is_lost(tmp_path: Path) -> None:
    """A gateway gets one mail at a time; what an mbox holds is not guessed at."""
    file = tmp_path / "box.mbox"
    file.write_bytes(
        b"From a@b Mon Nov 23 10:00:00 2026\n" + LETTER + b"\nFrom c@d Mon Nov 23 10:01:00 2026\nSubject: two\n\nlast\n"
    )
    (found,) = normalized(file)
    assert found["title"] == "one"
    assert found["text"].startswith("first")
    assert found["text"].endswith("last")


def test_what_was_set_aside_is_named_by_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "a.eml"
    file.write_bytes(b"From: a@b.example\nAuto-Submitted: auto-replied\nSubject: away\n\nI am away.\n")
    assert normalized(file)[0]["error"]["code"] == "auto_reply"
