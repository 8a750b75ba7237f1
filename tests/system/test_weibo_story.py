"""A request made on Weibo for all to read: its number stands below it, the rest is between the line and the citizen.

Real processes on both sides and one clock for both: a post, a private message that goes on, a unit's answer in private;
a neighbour who says "me too", whose window is closed when his answer comes; an advertisement.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from channels.contract import Reply
from channels.social.public import public_text
from channels.weibo.callback import PATH
from gateway.auth import new_token
from tests.simulators.server import Remote
from tests.system.clock import Clock
from tests.system.conftest import Up
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.system
UNIT = "d110102_cg"
US = "@北京12345"
WANG, LI, SHOP = "王小美", "李先生", "开心小店"
ASKED = "马连道有家汽车4S店把几十辆没挂牌的新车停在公共停车位上，长期占道，路堵得厉害。"
SECRETS = ("13800138000", "王小美", "柳荫里8号楼3单元")
SAID = f"我是{SECRETS[1]}，住{SECRETS[2]}，电话{SECRETS[0]}，他们每天早上八点停过来。"
TOO = "我也是，马连道这家汽车4S店没挂牌的新车把我家楼下的公共停车位也占了，长期占道。"
ANSWER = f"已约谈{SECRETS[2]}对面的经销商，车辆全部移走，并安排每日巡查。"
MONDAY = datetime(2026, 3, 2, 9, 12, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def clock(short_tmp: Path) -> Clock:
    return Clock(short_tmp, MONDAY)


@pytest.fixture
def platform(clock: Clock) -> Iterator[dict[str, Any]]:
    """What the platform says of itself: `url` and `account`. Its clock is ours."""
    settings = {"limits": {"user": {"calls": 100_000, "seconds": 86_400}}}
    command = [sys.executable, "-m", "tests.simulators.weibo", "--settings", json.dumps(settings)]
    environment = os.environ | clock.environment
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(HANGS)


@dataclass
class Square:
    """The line, its unit, and the place where everybody writes."""

    up: Up
    weibo: Remote
    clock: Clock
    unit: str

    def public(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.weibo.comments_by_us()
        return found

    def private(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.weibo.messages_sent() if one["name"] == name]

    def ticket(self, words: str) -> dict[str, Any]:
        """The only one whose citizen says so."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.up.tickets().values() if words in one["text"]]

        wait_until(found, f"a ticket with {words}")
        (one,) = found()
        return one

    def state(self, ticket: dict[str, Any]) -> str:
        with self.up.client() as client:
            found = client.hget(f"jiesu:ticket:{ticket['ticket_id']}", "state")
        return found.decode() if found else ""

    def step(self, number: str, step: str, **says: str) -> None:
        headers = {
            "Authorization": f"Bearer {self.unit}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"{number}-{step}",
        }
        url = f"{self.up.base}/api/v1/units/me/tickets/{number}/{step}"
        request = urllib.request.Request(url, json.dumps(says).encode(), headers)
        with urllib.request.urlopen(request, timeout=HANGS) as answer:
            assert answer.status == 200

    def answers(self, number: str, text: str) -> None:
        """The unit does its work."""
        self.step(number, "sign")
        self.step(number, "reply", text=text, outcome="resolved")

    def notified(self, ticket: dict[str, Any], operation: str) -> list[tuple[str, str | None]]:
        """What became of each try to tell the citizen, by the events that everybody reads."""
        with self.up.client() as client:
            entries = client.xrange("jiesu:events")
        events = [json.loads(fields[b"event"]) for _, fields in entries]
        mine = [one["data"] for one in events if one["subject"] == ticket["ticket_id"]]
        told = [one for one in mine if one.get("operation", "").startswith(operation) and "outcome" in one]
        return [(one["outcome"], one.get("reason")) for one in told]


@pytest.fixture
def square(
    clock: Clock, platform: dict[str, Any], make_up: Callable[..., Up], short_tmp: Path, tmp_path: Path
) -> Iterator[Square]:
    url, account = platform["url"], platform["account"]
    for name in ("token", "app_secret"):
        (tmp_path / name).write_text(account[name])
    block = {
        "uid": account["uid"],
        "names": [account["name"]],
        "token_file": str(tmp_path / "token"),
        "app_secret_file": str(tmp_path / "app_secret"),
        "api": url,
        "message_api": url,
        "allow_private": ["127.0.0.0/8"],
        "rip": "211.156.0.1",
        "poll": 0.2,
        "budget": {"calls": 100_000, "seconds": 86_400},
        "replies_per_day": 1000,
    }
    up = make_up(JIESU_CHANNELS__WEIBO=json.dumps(block), JIESU_WORKERS__LEASE="120", **clock.environment)
    up.directory.mkdir(parents=True)
    unit = new_token(up.directory / "tokens.jsonl", ["unit", "personal"], unit=UNIT)
    up.start()
    weibo = Remote(url)
    weibo.set_callback(url=up.base + PATH)
    yield Square(up, weibo, clock, unit)
    print((up.directory.parent / "up.log").read_text(errors="replace")[-20_000:])  # shown when the test failed


def words(purpose: str, number: str) -> re.Pattern[str]:
    """What everybody may read: these words, the number, and a mark that is nobody's matter."""
    reply = Reply.model_validate({"operation": "any", "number": number, "text": "", "purpose": purpose})
    said = re.escape(public_text(reply))
    return re.compile(rf"(?:回复@[^:]+:)?{re.sub('〔.{4}〕', '〔[a-z2-7]{4}〕', said)}")


def test_a_request_in_public_is_answered_in_private_or_told_of_in_public(square: Square) -> None:
    weibo, up = square.weibo, square.up
    assert weibo.verify_callback() is True

    # A citizen posts; the number stands below it, and nothing else that anybody said.
    post = weibo.post(author=WANG, text=f"{US} {ASKED}{SAID}")
    hers = square.ticket(ASKED)
    number = hers["number"]
    wait_until(lambda: square.state(hers) == "dispatched", "her ticket is dispatched")
    wait_until(lambda: len(square.public()) == 2, "receipt, and that it was passed on: she cannot be written to yet")
    assert {one["post"] for one in square.public()} == {post}
    texts = sorted((one["text"] for one in square.public()), key=lambda text: "已登记" not in text)
    assert words("receipt", number).fullmatch(texts[0])
    assert words("notice", number).fullmatch(texts[1])
    assert square.private(WANG) == []

    # She goes on in private: the same ticket grows, and she reads the number there.
    assert weibo.say(author=WANG, text=SAID) is True
    wait_until(lambda: len(up.tickets()[hers["ticket_id"]]["conversation"]) == 2, "her ticket has grown")
    assert len(up.tickets()) == 1
    (passive,) = square.private(WANG)
    assert (passive["via"], "编号" in passive["text"]) == ("passive", True)

    # A neighbour says the same below the line's comment: his own ticket, beside hers.
    receipt = square.public()[0]
    weibo.comment(author=LI, post=post, text=TOO, answers=receipt["id"])
    his = square.ticket(TOO)
    assert his["number"] != number
    assert [(one["ticket_id"], one["relation"]) for one in his["related"]] == [(hers["ticket_id"], "same_incident")]
    wait_until(lambda: [one for one in square.public() if his["number"] in one["text"]], "his receipt")

    # The unit answers her: in private, whole.
    square.answers(number, ANSWER)
    wait_until(lambda: [one for one in square.private(WANG) if ANSWER in one["text"]], "the answer")
    assert square.private(WANG)[-1]["via"] == "reply"
    wait_until(lambda: square.state(hers) == "closed", "her ticket is closed")
    assert square.notified(hers, "reply:") == [("sent", None)]

    # His answer comes three days later: he never wrote in private, so he is told in public that there is one.
    wait_until(lambda: square.state(his) == "dispatched", "his ticket is dispatched")
    wait_until(lambda: square.notified(his, "dispatch:")[-1:] == [("sent", None)], "and he was told")
    square.clock.advance(days=3)
    square.answers(his["number"], ANSWER)
    wait_until(lambda: square.state(his) == "closed", "his ticket is closed")
    assert words("answer", his["number"]).fullmatch(square.public()[-1]["text"])
    assert square.notified(his, "reply:") == [("not_allowed", "window_closed"), ("sent", None)]
    assert square.private(LI) == []

    # Nobody else ever read what was between them.
    assert not [word for word in (*SECRETS, ANSWER) for one in square.public() if word in one["text"]]
    assert weibo.stats()["bad_answers"] == []


def test_an_advertisement_is_kept_and_flagged_and_goes_nowhere(square: Square) -> None:
    square.weibo.post(author=SHOP, text=f"{US} 限时特价，原价199现价99，下单请加微信 happyshop2026，买一送一")
    one = square.ticket("限时特价")
    wait_until(square.up.settled, "all is done for it")
    assert "no_request" in one["flags"] or "automated" in one["flags"]
    assert square.state(one) not in ("dispatched", "open", "signed")
    square.weibo.post(author=WANG, text=f"{US} {ASKED}")
    wait_until(lambda: square.state(square.ticket(ASKED)) == "dispatched", "what comes after it is dispatched")
    assert square.state(one) not in ("dispatched", "open", "signed")
