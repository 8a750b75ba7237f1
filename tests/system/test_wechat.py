"""WeChat with real processes: a conversation is one ticket that grows, whatever comes twice or is killed in between."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.wechat.callback import PATH
from tests.simulators.server import Remote
from tests.system.conftest import Up
from tests.waiting import HANGS, wait_until
from workers.valkey import EmbeddedValkey

pytestmark = pytest.mark.system
WORDS = "朝阳区望京街道柳荫街 12 号门口的路灯坏了三天"


@pytest.fixture
def platform() -> Iterator[dict[str, Any]]:
    """What the platform says of itself: `url` and `account`."""
    command = [sys.executable, "-m", "tests.simulators.wechat", "--settings", json.dumps({"mode": "aes"})]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(HANGS)


@pytest.fixture
def wechat(platform: dict[str, Any]) -> Remote:
    return Remote(platform["url"])


@pytest.fixture
def line(tmp_path: Path, platform: dict[str, Any], wechat: Remote) -> Iterator[Up]:
    account, url = platform["account"], platform["url"]
    for name in ("token", "aes_key", "secret"):
        (tmp_path / name).write_text(account[name])
    block = {
        "app_id": account["app_id"],
        "account": account["account"],
        "token_file": str(tmp_path / "token"),
        "aes_key_file": str(tmp_path / "aes_key"),
        "app_secret_file": str(tmp_path / "secret"),
        "api": url,
        "picture_hosts": [url.removeprefix("http://")],
        "allow_private": ["127.0.0.0/8"],
    }
    up = Up(tmp_path / "var", JIESU_CHANNELS__WECHAT=json.dumps(block))
    try:
        up.start()
        wechat.set_callback(url=up.base + PATH)
        yield up
    finally:
        up.stop()
        EmbeddedValkey(tmp_path / "var").stop()


def number_in(text: str) -> str:
    return next(one for one in text.splitlines() if one.startswith("编号：")).removeprefix("编号：")


def test_a_conversation_is_one_ticket_that_grows(line: Up, wechat: Remote) -> None:
    assert wechat.verify_callback() is True
    assert wechat.say(author="王女士", text=WORDS, times=4) is True
    assert wechat.picture(author="王女士") is True
    line.crash()
    line.start()
    assert wechat.push_again(last=2) == [True, True]
    assert wechat.location(author="王女士", lat=39.99, long=116.47, label="柳荫街 12 号") is True
    assert wechat.voice(author="王女士", recognition="晚上老人出门不安全") is True
    assert wechat.say(author="李先生", text=WORDS) is True
    assert wechat.event(author="李先生", event="unsubscribe") is True
    wait_until(lambda: line.settled() and len(line.tickets()) == 2, "two tickets")

    def grown() -> list[dict[str, Any]]:
        return [one for one in line.tickets().values() if len(one["conversation"]) == 4]

    wait_until(grown, "it has grown")
    [ticket] = grown()
    assert ticket["text"] == WORDS
    assert sorted(turn["text"] for turn in ticket["conversation"]) == ["", "晚上老人出门不安全", WORDS, "柳荫街 12 号"]
    assert [one["media_type"] for one in ticket["attachments"]] == ["image/jpeg"]
    assert ticket["source"]["verified"] == [{"method": "wechat_sealed_signature", "result": "pass"}]
    stats = wechat.stats()
    assert stats["bad_answers"] == []

    told = [one for one in wechat.answers() if one["name"] == "王女士"]
    assert number_in(told[0]["text"]) == ticket["number"]
    numbers = {number_in(one["text"]) for one in told}
    assert len(numbers) == 4, "each message its own number, the same at every try"
    code = told[-1]["text"].split("查询码：")[1].split("（")[0]
    assert line.progress(number_in(told[-1]["text"]), code=code)[0] == 200, "which all lead to the ticket"


def test_the_answer_comes_back_into_the_conversation(line: Up, wechat: Remote) -> None:
    assert wechat.say(author="王女士", text=WORDS) is True
    number = number_in(wechat.answers()[0]["text"])
    wait_until(lambda: wechat.sent(), "the notice that it was passed on")
    assert number in wechat.sent()[0]["text"]
    assert wechat.sent()[0]["via"] == "custom"
