"""The story that this is for: new cars of a dealer stand on public bays at 马连道; somebody calls; it is dealt with.

Real processes from the call to the text message, and days that pass when the test says so: intake, catalogue, the
unit's system, the answer, the call list, and the page on which the caller reads it all.
"""

from __future__ import annotations

import asyncio
import base64
import html
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from gateway.auth import new_token
from normalizer.events import rfc3339
from tests.simulators.sms import KEY, Vendor, block
from tests.system.clock import Clock
from tests.waiting import wait_until

pytestmark = pytest.mark.system

CALLER = "+8613800138000"
SECRET = "whsec_" + base64.b64encode(b"u" * 32).decode()
UNIT, STREET = "d110102_cg", "s110102020"
NAME = "西城区城市管理综合行政执法局"
TALK = [
    {"speaker": "agent", "text": "您好，北京12345，请问有什么可以帮您？"},
    {"speaker": "citizen", "text": "我是马连道的居民。我们社区北门那条路两侧有划线的公共停车位，"},
    {"speaker": "citizen", "text": "有家汽车4S店把几十辆没挂牌的新车都停在公共停车位上，长期占道，路堵得厉害。"},
]
SITE = ZoneInfo("Asia/Shanghai")
MONDAY, WEDNESDAY, THURSDAY = 2, 4, 5
NO_TURN_SOON = 1800.0
"""Seconds after which a message that the vendor did not take is tried again: more than a test ever lasts."""


def on(day: int, time: str) -> datetime:
    """In that week of March 2026, by the clock on the wall at the site."""
    return datetime.fromisoformat(f"2026-03-{day:02d} {time}").replace(tzinfo=SITE)


@dataclass
class Far:
    """The vendor of text messages and the unit's own system, on a loop of their own."""

    vendor: Vendor = field(default_factory=Vendor)
    pushed: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    """What reached the unit's system, with the moment that was signed."""
    url: str = ""

    def texts(self) -> list[str]:
        return [message.text for message in self.vendor.sent if message.to == CALLER]

    async def open(self) -> None:
        await self.vendor.__aenter__()
        app = web.Application()
        app.router.add_post("/", self._push)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def close(self) -> None:
        await self._runner.cleanup()
        await self.vendor.__aexit__(None, None, None)

    async def _push(self, request: web.Request) -> web.Response:
        body = await request.read()
        moment = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        expected = signed(request.headers["webhook-id"], body, moment)["webhook-signature"]
        if request.headers["webhook-signature"] != expected:
            return web.Response(status=401)
        self.pushed.append((moment, json.loads(body)))
        return web.Response(status=204)


@pytest.fixture
def far() -> Iterator[Far]:
    loop, far = asyncio.new_event_loop(), Far()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(far.open(), loop).result(30)
        yield far
    finally:
        asyncio.run_coroutine_threadsafe(far.close(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@dataclass
class Town:
    """A running line with its callers, its unit, its vendor and its days."""

    up: Any
    far: Far
    clock: Clock
    phone: str
    unit: str

    def call(self, call_id: str) -> dict[str, Any]:
        body = {"call_id": call_id, "caller": CALLER, "turns": TALK}
        return self.ask("POST", "/api/v1/calls", self.phone, body)

    def step(self, number: str, step: str, **says: str) -> dict[str, Any]:
        return self.ask("POST", f"/api/v1/units/me/tickets/{number}/{step}", self.unit, says, key=f"{number}-{step}")

    def seen(self, number: str) -> dict[str, Any]:
        """The ticket as its unit sees it."""
        return self.ask("GET", f"/api/v1/units/me/tickets/{number}", self.unit)

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
        with self.up.client() as client:
            found = client.hget(f"jiesu:ticket:{receipt['ticket_id']}", "state")
        return found.decode() if found else ""

    def is_in(self, receipt: dict[str, Any], state: str) -> None:
        wait_until(lambda: self.state(receipt) == state, f"state {state}")

    def events(self, receipt: dict[str, Any]) -> list[dict[str, Any]]:
        """What everybody reads of this ticket's steps, oldest first."""
        with self.up.client() as client:
            entries = client.xrange("jiesu:events")
        found = [json.loads(fields[b"event"]) for _, fields in entries]
        return [event for event in found if event["subject"] == receipt["ticket_id"]]

    def calls(self, *words: str) -> list[dict[str, Any]]:
        """What `jiesu calls` says."""
        answer = self.up.jiesu("calls", *words, "--json")
        assert answer.returncode == 0, answer.stderr
        return [json.loads(line) for line in answer.stdout.splitlines()]


@pytest.fixture
def town(far: Far, make_up: Callable[..., Any], short_tmp: Path) -> Iterator[Town]:
    clock = Clock(short_tmp, on(MONDAY, "08:00"))
    hook = {"type": "webhook", "url": far.url, "secret_file": "unit-secret", "allow_private": ["127.0.0.0/8"]}
    up = make_up(
        JIESU_CHANNELS__SMS=json.dumps(block(far.vendor.url, "sms-secret", retry_after=NO_TURN_SOON)),
        JIESU_DISPATCH__UNITS=json.dumps({UNIT: hook}),
        JIESU_WORKERS__LEASE="120",  # nobody is killed here, so no job is cut short because the machine is slow
        **clock.environment,
    )
    directory: Path = up.directory
    directory.mkdir(parents=True)
    (directory / "sms-secret").write_text(KEY)
    (directory / "unit-secret").write_text(SECRET)
    tokens = directory / "tokens.jsonl"
    phone = new_token(tokens, ["submit:phone"])
    unit = new_token(tokens, ["unit", "personal"], unit=UNIT)
    up.start()
    yield Town(up, far, clock, phone, unit)
    print((directory.parent / "up.log").read_text(errors="replace"))  # shown when the test failed


# --- the tale, day by day


@dataclass
class Tale:
    """One caller's matter, and the lines that its page must have by now. A moment is right between what the clock was
    set to and what it shows: how long the machine took is nobody's matter."""

    town: Town
    receipt: dict[str, Any]
    lines: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def number(self) -> str:
        return str(self.receipt["number"])

    def begins(self, since: datetime) -> datetime:
        """When the call was taken, by the ticket."""
        ticket = self.town.seen(self.number)["ticket"]
        return self._line(datetime.fromisoformat(ticket["received_at"]), since, "收到您的诉求。")

    def goes_on(self, step: str, since: datetime, said: str, text: str = "") -> datetime:
        """When the step was taken: the history and the stream must agree."""
        history = self.town.seen(self.number)["history"]
        entry = next(one for one in reversed(history) if one["step"] == step)
        (event,) = (one for one in self.town.events(self.receipt) if one["data"].get("version") == entry["version"])
        moment = datetime.fromisoformat(entry["at"])
        assert event["time"] == rfc3339(moment)
        return self._line(moment, since, said, text)

    def stands(self, state: str) -> None:
        """The page says so, and every line so far with its moment at the site, and nothing else."""
        page = self.town.page(self.receipt)
        found = re.findall(r"<li><p>(\S+ \S+) (.*?)</p>(?:<blockquote>(.*?)</blockquote>)?", page)
        assert [tuple(map(html.unescape, line)) for line in found] == self.lines
        assert f"<p>{state}</p>" in page

    def notices(self) -> list[tuple[str, str, str]]:
        """What was tried to tell the citizen: on which day at the site, by what, and what came of it."""
        found = [event for event in self.town.events(self.receipt) if event["type"].endswith(".notified.v1")]
        assert [event["time"] for event in found] == [event["data"]["at"] for event in found]
        days = [f"{datetime.fromisoformat(event['time']).astimezone(SITE):%a}" for event in found]
        return [(day, one["data"]["channel"], one["data"]["outcome"]) for day, one in zip(days, found, strict=True)]

    def rests(self) -> None:
        """What could not be sent is put off, so far that it does not come by itself while we look."""

        def is_put_off() -> bool:
            with self.town.up.client() as client:
                due = client.zscore("jiesu:due", self.receipt["ticket_id"])
            return due is not None and due > self.town.clock.now().timestamp() + NO_TURN_SOON / 2

        wait_until(is_put_off, "the message is put off")

    def _line(self, moment: datetime, since: datetime, said: str, text: str = "") -> datetime:
        assert since <= moment <= self.town.clock.now()
        self.lines.append((f"{moment.astimezone(SITE):%Y-%m-%d %H:%M}", said, text))
        return moment


def the_day_begins(town: Town, call_id: str, at: datetime) -> Tale:
    """Somebody calls; the unit of the right district has it, the street knows, the page says so."""
    town.clock.set(at)
    tale = Tale(town, town.call(call_id))
    assert tale.number.startswith(f"{at:%Y%m%d}")
    town.is_in(tale.receipt, "dispatched")
    received = tale.begins(at)
    tale.goes_on("dispatch", received, f"已转给{NAME}办理。")
    tale.stands("已转给承办单位，等待签收。")
    (row,) = town.ask("GET", "/api/v1/units/me/tickets", town.unit)["tickets"]
    assert row["number"] == tale.number
    seen = town.seen(tale.number)
    assert (seen["life"]["lead"], STREET in seen["life"]["cc"]) == (UNIT, True)
    assert seen["ticket"]["requester"]["phone"] == CALLER, "the unit must be able to call back (art. 15)"
    wait_until(lambda: town.far.pushed, "the unit's own system has it")
    ((moment, event),) = town.far.pushed
    assert (event["data"]["ticket"]["number"], at <= moment <= town.clock.now()) == (tale.number, True)
    wait_until(tale.notices, "it is on record whether the caller could be told")
    return tale


def the_unit_signs_and_calls_back(tale: Tale, signs: datetime, calls: datetime) -> datetime:
    """When it spoke to the citizen."""
    tale.town.clock.set(signs)
    assert tale.town.step(tale.number, "sign")["state"] == "signed"
    tale.goes_on("sign", signs, f"{NAME}已签收。")
    tale.stands("承办单位已签收。")
    tale.town.clock.set(calls)
    said = "已与来电人联系，说明处理情况和进展。"
    assert tale.town.step(tale.number, "contact", text=said)["state"] == "in_progress"
    contacted = tale.goes_on("contact", calls, f"{NAME}与您取得了联系。")
    tale.stands("承办单位正在办理。")
    return contacted


def test_a_call_is_dispatched_worked_on_and_answered_within_days_and_its_caller_reads_it_all(town: Town) -> None:
    clock, vendor = town.clock, town.far.vendor
    tale = the_day_begins(town, "story-1", on(MONDAY, "09:12"))
    assert tale.notices() == [("Mon", "sms", "sent")]
    (text,) = town.far.texts()
    assert NAME in text

    contacted = the_unit_signs_and_calls_back(tale, on(MONDAY, "10:40"), on(MONDAY, "16:30"))
    received = datetime.fromisoformat(town.seen(tale.number)["ticket"]["received_at"])
    assert contacted.astimezone(SITE).date() == received.astimezone(SITE).date(), "within the day (art. 15)"

    vendor.mood = ["busy", "busy"]
    clock.set(on(WEDNESDAY, "15:20"))
    answer = "已责令该店将车辆全部移走，并安排每日巡查。"
    assert town.step(tale.number, "reply", text=answer, outcome="resolved")["state"] == "replied"
    tale.goes_on("reply", on(WEDNESDAY, "15:20"), f"{NAME}已办结，结果如下：", answer)
    for tried, moment in ((2, "16:00"), (3, "17:00")):
        tale.rests()
        assert (vendor.asked, len(town.far.texts())) == (tried, 1), "the vendor takes none now"
        tale.stands("承办单位已经答复，正在告知您。")
        clock.set(on(WEDNESDAY, moment))
    wait_until(lambda: len(town.far.texts()) == 2, "the answer")
    assert answer in town.far.texts()[1]
    assert tale.number in town.far.texts()[1]

    town.is_in(tale.receipt, "closed")
    tale.goes_on("close", on(WEDNESDAY, "17:00"), "诉求已结束。如果没有解决，可以在下面补充，我们会继续处理。")
    tale.stands("已结束。")
    assert tale.notices() == [("Mon", "sms", "sent"), ("Wed", "sms", "sent")]
    assert town.ask("GET", "/api/v1/units/me/tickets", town.unit)["tickets"] == []


def test_with_text_messages_failing_it_stands_on_the_call_list_until_somebody_called_the_next_morning(
    town: Town,
) -> None:
    clock = town.clock
    town.far.vendor.blocked.add(CALLER)
    tale = the_day_begins(town, "story-2", on(MONDAY, "09:12"))
    the_unit_signs_and_calls_back(tale, on(MONDAY, "10:40"), on(MONDAY, "16:30"))
    clock.set(on(WEDNESDAY, "17:50"))
    town.step(tale.number, "reply", text="车辆已移走。", outcome="resolved")
    tale.goes_on("reply", on(WEDNESDAY, "17:50"), f"{NAME}已办结，结果如下：", "车辆已移走。")
    wait_until(lambda: town.calls("list"), "it is on the call list")
    tale.stands("承办单位已经答复，正在告知您。")

    (call,) = town.calls("lease", "--as", "zhao")
    assert "车辆已移走" in json.dumps(call, ensure_ascii=False)
    clock.set(on(WEDNESDAY, "17:55"))
    assert town.calls("lease", "--as", "wang") == [], "one call, one operator"

    clock.set(on(THURSDAY, "09:05"))
    assert town.far.texts() == []
    assert town.state(tale.receipt) == "replied", "nobody told the citizen yet"
    tale.stands("承办单位已经答复，正在告知您。")
    late = town.up.jiesu("calls", "record", call["id"], "reached", "--as", "zhao")
    assert late.returncode != 0, "who went home without calling does not hold it any more"
    assert [one["id"] for one in town.calls("lease", "--as", "wang")] == [call["id"]]
    done = town.up.jiesu("calls", "record", call["id"], "reached", "--as", "wang", "--said", "本人已知晓")
    assert done.returncode == 0, done.stderr

    town.is_in(tale.receipt, "closed")
    tale.goes_on("close", on(THURSDAY, "09:05"), "诉求已结束。如果没有解决，可以在下面补充，我们会继续处理。")
    tale.stands("已结束。")
    assert tale.notices() == [
        ("Mon", "sms", "not_allowed"),
        ("Wed", "sms", "not_allowed"),
        ("Wed", "call", "waiting"),
        ("Thu", "call", "sent"),
    ]
    assert town.calls("list") == []


# --- the unit's own system


def signed(id: str, body: bytes, at: datetime, secret: str = SECRET) -> dict[str, str]:
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, at, body.decode()),
    }


def test_the_units_own_system_posts_its_steps_signed_and_a_repeated_or_old_one_changes_nothing(town: Town) -> None:
    town.clock.set(on(MONDAY, "09:12"))
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
    now = town.clock.now
    old = now() - timedelta(minutes=6)
    strange = "whsec_" + base64.b64encode(b"x" * 32).decode()
    for headers in ({}, signed("a", sign, now(), strange), signed("a", sign, old), signed("a", sign + b" ", now())):
        assert post(headers, sign)[0] == 401
    assert post(signed("a", sign, now()), sign, "d110101")[0] == 401, "another unit"
    assert town.state(receipt) == "dispatched"

    headers = signed("a", sign, now())
    assert [post(headers, sign)[1]["repeated"] for _ in range(2)] == [False, True]
    assert town.state(receipt) == "signed"
    wrong = json.dumps({"number": receipt["number"], "step": "reply"}).encode()
    status, problem = post(signed("b", wrong, now()), wrong)
    assert (status, {error["pointer"] for error in problem["errors"]}) == (422, {"/text", "/outcome"})
    again = json.dumps({"number": receipt["number"], "step": "object", "reason": "不归我们"}).encode()
    assert post(signed("c", again, now()), again)[1]["state"] == "objected"
    assert post(signed("d", sign, now()), sign)[0] == 409
    town.clock.set(on(MONDAY, "09:30"))
    assert post(headers, sign)[0] == 401, "what was good is old now"
