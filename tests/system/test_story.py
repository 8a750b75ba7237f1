"""The story that this is for: new cars of a dealer stand on public bays at 马连道; somebody calls; it is dealt with.

Real processes from the call to the text message: intake, catalogue, the unit's system, the answer, the call list.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.auth import new_token
from tests.simulators.sms import KEY, Vendor, block
from tests.waiting import wait_until

pytestmark = pytest.mark.system

CALLER = "+8613800138000"
SECRET = "whsec_" + base64.b64encode(b"u" * 32).decode()
UNIT, STREET = "d110102_cg", "s110102020"
TALK = [
    {"speaker": "agent", "text": "您好，北京12345，请问有什么可以帮您？"},
    {"speaker": "citizen", "text": "我是马连道的居民。我们社区北门那条路两侧有划线的公共停车位，"},
    {"speaker": "citizen", "text": "有家汽车4S店把几十辆没挂牌的新车都停在公共停车位上，长期占道，路堵得厉害。"},
]


@dataclass
class Far:
    """The vendor of text messages, on a loop of its own."""

    vendor: Vendor
    loop: asyncio.AbstractEventLoop

    def texts(self) -> list[str]:
        return [message.text for message in self.vendor.sent if message.to == CALLER]


@pytest.fixture
def far() -> Iterator[Far]:
    loop, vendor = asyncio.new_event_loop(), Vendor()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(vendor.__aenter__(), loop).result(30)
        yield Far(vendor, loop)
    finally:
        asyncio.run_coroutine_threadsafe(vendor.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@dataclass
class Town:
    """A running line with its callers, its unit and its vendor."""

    up: Any
    far: Far
    phone: str
    unit: str

    def call(self, call_id: str) -> dict[str, Any]:
        body = {"call_id": call_id, "caller": CALLER, "turns": TALK}
        return self.ask("POST", "/api/v1/calls", self.phone, body)

    def step(self, number: str, step: str, **says: str) -> dict[str, Any]:
        return self.ask("POST", f"/api/v1/units/me/tickets/{number}/{step}", self.unit, says, key=f"{number}-{step}")

    def ask(
        self, method: str, path: str, token: str, body: dict[str, Any] | None = None, *, key: str = ""
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        content = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.up.base + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{error.code} {error.read()[:500]!r}") from None

    def page(self, receipt: dict[str, Any]) -> str:
        status, page = self.up.progress(receipt["number"], code=receipt["code"])
        assert status == 200
        return str(page)

    def state(self, receipt: dict[str, Any]) -> str:
        found = self.up.client().hget(f"jiesu:ticket:{receipt['ticket_id']}", "state")
        return found.decode() if found else ""

    def is_in(self, receipt: dict[str, Any], state: str) -> None:
        wait_until(lambda: self.state(receipt) == state, f"state {state}")


@pytest.fixture
def town(far: Far, make_up: Callable[..., Any]) -> Town:
    hook = {
        "type": "webhook",
        "url": "http://127.0.0.1:9/",
        "secret_file": "unit-secret",
        "allow_private": ["127.0.0.0/8"],
    }
    up = make_up(
        JIESU_CHANNELS__SMS=json.dumps(block(far.vendor.url, "sms-secret")),
        JIESU_DISPATCH__UNITS=json.dumps({UNIT: hook}),
    )
    directory: Path = up.directory
    directory.mkdir(parents=True)
    (directory / "sms-secret").write_text(KEY)
    (directory / "unit-secret").write_text(SECRET)
    tokens = directory / "tokens.jsonl"
    phone = new_token(tokens, ["submit:phone"])
    unit = new_token(tokens, ["unit", "personal"], unit=UNIT)
    up.start()
    return Town(up, far, phone, unit)


def test_a_call_is_dispatched_worked_on_and_answered_and_its_caller_reads_it_all(town: Town) -> None:
    receipt = town.call("story-1")
    number = receipt["number"]
    town.is_in(receipt, "dispatched")
    (row,) = town.ask("GET", "/api/v1/units/me/tickets", town.unit)["tickets"]
    assert row["number"] == number
    seen = town.ask("GET", f"/api/v1/units/me/tickets/{number}", town.unit)
    assert (seen["life"]["lead"], STREET in seen["life"]["cc"]) == (UNIT, True)
    assert seen["ticket"]["requester"]["phone"] == CALLER, "the unit must be able to call back (art. 15)"
    wait_until(lambda: len(town.far.texts()) == 1, "the caller is told who has it")
    assert "西城区城市管理综合行政执法局" in town.far.texts()[0]
    assert "等待签收" in town.page(receipt)

    assert town.step(number, "sign")["state"] == "signed"
    assert "已签收" in town.page(receipt)
    assert town.step(number, "contact", text="已与来电人联系，说明处理情况和进展。")["state"] == "in_progress"
    assert "与您取得了联系" in town.page(receipt)

    answer = "已责令该店将车辆全部移走，并安排每日巡查。"
    assert town.step(number, "reply", text=answer, outcome="resolved")["state"] == "replied"
    wait_until(lambda: len(town.far.texts()) == 2, "the answer")
    assert answer in town.far.texts()[1]
    assert number in town.far.texts()[1]
    town.is_in(receipt, "closed")
    page = town.page(receipt)
    assert answer in page
    assert "诉求已结束" in page
    assert town.ask("GET", "/api/v1/units/me/tickets", town.unit)["tickets"] == []


def test_with_text_messages_failing_it_stands_on_the_call_list_until_somebody_called(town: Town) -> None:
    town.far.vendor.blocked.add(CALLER)
    receipt = town.call("story-2")
    town.is_in(receipt, "dispatched")
    for step, says in (("sign", {}), ("reply", {"text": "车辆已移走。", "outcome": "resolved"})):
        town.step(receipt["number"], step, **says)
    wait_until(lambda: town.up.jiesu("calls", "list", "--json").stdout.strip(), "it is on the call list")
    assert town.far.texts() == []
    assert town.state(receipt) == "replied", "nobody told the citizen yet"
    leased = town.up.jiesu("calls", "lease", "--as", "wang", "--json")
    call = json.loads(leased.stdout.splitlines()[0])
    assert "车辆已移走" in json.dumps(call, ensure_ascii=False)
    assert town.up.jiesu("calls", "lease", "--as", "zhao", "--json").stdout.strip() == "", "one call, one operator"
    done = town.up.jiesu("calls", "record", call["id"], "reached", "--as", "wang", "--said", "本人已知晓")
    assert done.returncode == 0, done.stderr
    town.is_in(receipt, "closed")
    assert "车辆已移走" in town.page(receipt)
    assert town.up.jiesu("calls", "list", "--json").stdout.strip() == ""


# --- the unit's own system


def signed(id: str, body: bytes, secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    moment = at or datetime.now(UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, moment, body.decode()),
    }


def test_the_units_own_system_posts_its_steps_signed_and_a_repeated_or_old_one_changes_nothing(town: Town) -> None:
    receipt = town.call("story-3")
    town.is_in(receipt, "dispatched")

    def post(headers: dict[str, str], body: bytes, unit: str = UNIT) -> tuple[int, dict[str, Any]]:
        url = f"{town.up.base}/api/v1/units/{unit}/webhook"
        request = urllib.request.Request(url, body, headers | {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    sign = json.dumps({"number": receipt["number"], "step": "sign"}).encode()
    old = datetime.now(UTC) - timedelta(minutes=6)
    strange = "whsec_" + base64.b64encode(b"x" * 32).decode()
    for headers in ({}, signed("a", sign, strange), signed("a", sign, at=old), signed("a", sign + b" ")):
        assert post(headers, sign)[0] == 401
    assert post(signed("a", sign), sign, "d110101")[0] == 401, "another unit"
    assert town.state(receipt) == "dispatched"

    headers = signed("a", sign)
    assert [post(headers, sign)[1]["repeated"] for _ in range(2)] == [False, True]
    assert town.state(receipt) == "signed"
    wrong = json.dumps({"number": receipt["number"], "step": "reply"}).encode()
    status, problem = post(signed("b", wrong), wrong)
    assert (status, {error["pointer"] for error in problem["errors"]}) == (422, {"/text", "/outcome"})
    again = json.dumps({"number": receipt["number"], "step": "object", "reason": "不归我们"}).encode()
    assert post(signed("c", again), again)[1]["state"] == "objected"
    assert post(signed("d", sign), sign)[0] == 409
