"""Early warning on real processes: who is on duty hears of an emergency at once, whatever the other lane waits for."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from normalizer.events import ACKNOWLEDGED
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.system
TOLD_WITHIN = 25.0
"""Seconds: less than the slow system is waited for, so that nobody is told only because that gave up."""
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


class Duty:
    """The telephone of who is on duty, which keeps what it is told, and a downstream system that never answers."""

    def __init__(self) -> None:
        self.port = free_port()
        self.told: list[dict[str, Any]] = []
        self.hanging: list[str] = []
        self._released = asyncio.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> Duty:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(20)
        self._loop.close()

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._released.set)

    def config(self, path: str, **more: object) -> dict[str, object]:
        url = f"http://127.0.0.1:{self.port}/{path}"
        return {"type": "webhook", "url": url, "secret_file": "duty-secret", "allow_private": ["127.0.0.0/8"], **more}

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        app = web.Application()
        app.router.add_post("/duty", self._tell)
        app.router.add_post("/hangs", self._hang)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self._ready.set()
        await self._ended.wait()
        await runner.cleanup()

    async def _tell(self, request: web.Request) -> web.Response:
        self.told.append(json.loads(await request.read()))
        return web.Response(status=204)

    async def _hang(self, request: web.Request) -> web.Response:
        self.hanging.append(request.headers["webhook-id"])
        await self._released.wait()
        return web.Response(status=204)


@pytest.fixture
def duty() -> Iterator[Duty]:
    with Duty() as duty:
        yield duty


@pytest.fixture
def line(duty: Duty, make_up: Callable[..., Any], short_tmp: Path) -> Any:
    """A running line: one slow destination, somebody on duty, and a chief who is told only after an hour."""
    people = {"duty": {"via": duty.config("duty")}, "chief": {"level": 2, "via": duty.config("duty")}}
    up = make_up(
        None,
        JIESU_DESTINATIONS=json.dumps({"slow": duty.config("hangs", timeout=30)}),
        JIESU_ALARMS=json.dumps({"people": people, "escalate_after": 3600}),
        JIESU_WORKERS__LEASE="60",
    )
    up.directory.mkdir(parents=True)
    (up.directory / "duty-secret").write_text(SECRET + "\n")
    up.start()
    return up


def test_an_emergency_is_told_at_once_while_the_other_lane_hangs(line: Any, duty: Duty) -> None:
    """At once: before anything of the other lane got its answer, which only comes at the end of this test."""
    ordinary = [line.post({"text": f"幸福路{n}号门口的路灯坏了三天了"})[1] for n in range(3)]
    wait_until(lambda: duty.hanging, "the dispatch worker waits for an answer")
    emergency = line.post({"text": "朝阳区建国路88号着火了，浓烟滚滚，有人出不来"})[1]
    wait_until(lambda: duty.told, "who is on duty was told", TOLD_WITHIN)
    [event] = duty.told
    assert line.client().zcard("jiesu:due") >= len(ordinary), "the other lane still waits"
    assert event["data"]["number"] == emergency["number"]
    assert (event["data"]["person"], event["data"]["level"]) == ("duty", 1)
    assert "建国路" not in json.dumps(event, ensure_ascii=False), "no words of the citizen leave"

    wait_until(lambda: alarms(line) and alarms(line)[0]["told"], "it is on record who was told")
    [row] = alarms(line)
    assert (row["number"], row["told"][0]["person"], row["told"][0]["outcome"]) == (emergency["number"], "duty", "told")
    taken = line.jiesu("alarms", "ack", emergency["number"], "--by", "zhang")
    assert (taken.returncode, taken.stdout) == (0, "acknowledged\n")
    assert alarms(line) == []
    found = json.loads(line.jiesu("tickets", "show", emergency["number"]).stdout)
    [acknowledged] = [event for event in found["events"] if event["type"] == ACKNOWLEDGED]
    assert acknowledged["data"]["by"] == {"role": "operator", "id": "zhang"}

    duty.release()
    wait_until(line.settled, "everything is delivered, and nobody else is waited for")
    assert [event["data"]["person"] for event in duty.told] == ["duty"]


def test_the_next_emergency_is_told_while_the_lane_of_the_first_hangs(line: Any, duty: Duty) -> None:
    numbers = set()
    for n in range(4):
        numbers.add(line.post({"text": f"朝阳区建国路{n + 80}号着火了，浓烟滚滚，有人出不来"})[1]["number"])
        wait_until(lambda: duty.hanging, "the first one's delivery hangs")
    wait_until(lambda: len(duty.told) == 4, "every emergency is told", TOLD_WITHIN)
    assert {event["data"]["number"] for event in duty.told} == numbers
    assert len(duty.hanging) == 1, "before the second one's delivery was even tried"
    duty.release()
    wait_until(lambda: len(duty.hanging) == 4, "everything is delivered")
    assert len(duty.told) == 4, "each was told once"


def alarms(line: Any) -> list[dict[str, Any]]:
    return [json.loads(row) for row in line.jiesu("alarms", "list", "--json").stdout.splitlines()]
