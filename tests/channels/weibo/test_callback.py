"""Messages that Weibo pushes: who is let in."""

from __future__ import annotations

import inspect
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.social.signed import signed
from channels.testing import ChannelContract, Outcome
from channels.weibo import Weibo
from channels.weibo import callback as callbacks
from channels.weibo.documents import push_digest, push_raw_of
from normalizer.ticket import Raw
from tests.channels.weibo.pushing import (
    US,
    WORDS,
    Caller,
    caller,
    config,
    host,
    message,
    query,
    running,
    tickets,
    weibo,
)
from tests.simulators.weibo import Weibo as Simulator
from tests.simulators.weibo.platform import APP_SECRET
from tests.simulators.weibo.world import OURS

__all__ = ["caller", "host", "weibo"]


class TestPushed(ChannelContract):
    """The conformance kit, by the callback."""

    channel = Weibo
    config: ClassVar[Any] = {"uid": str(OURS), "names": [US]}
    private = (WORDS, "5550001112", APP_SECRET)

    @pytest.fixture(autouse=True)
    def _secret(self, request: pytest.FixtureRequest) -> None:
        if inspect.iscoroutinefunction(request.function):
            self.config = config(request.getfixturevalue("tmp_path"))

    def example(self, n: int) -> Raw:
        return push_raw_of(message(n=n), datetime.now(UTC))

    def bad_example(self) -> Raw:
        return push_raw_of(message(kind="telegram"), datetime.now(UTC))

    async def send(self, host: FakeHost, raw: Raw) -> Outcome:
        async with ClientSession() as http:
            status, _ = await Caller(host, http).push(raw.body, query(nonce=push_digest(json.loads(raw.body))[:16]))
        return {200: Outcome.ACCEPTED, 503: Outcome.TRY_AGAIN}.get(status, Outcome.REFUSED)

    async def ready(self, host: FakeHost) -> None:
        await host.routed.wait()


# GET


async def test_weibo_finds_the_address_ours(weibo: Simulator) -> None:
    assert await weibo.verify_callback()


async def test_the_word_is_repeated_as_it_came(caller: Caller) -> None:
    status, body, headers = await caller.ask(query() | {"echostr": "dnPdpTZz85"})
    assert (status, body) == (200, b"dnPdpTZz85")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"signature": "0" * 40}, 401, "signature_invalid"),
        ({"signature": ""}, 401, "signature_invalid"),
        ({"nonce": "7"}, 401, "signature_invalid"),
        ({"echostr": ""}, 400, "echostr_invalid"),
        ({"echostr": "<script>é"}, 400, "echostr_invalid"),
        ({"echostr": "1" * 129}, 400, "echostr_invalid"),
    ],
    ids=str,
)
async def test_for_nobody_else(caller: Caller, change: dict[str, str], status: int, code: str) -> None:
    found, body, _ = await caller.ask(query() | {"echostr": "58374"} | change)
    assert (found, json.loads(body)["code"]) == (status, code)


# Who is let in


VECTOR = {
    "timestamp": "1397022061823",
    "nonce": "57155157",
    "signature": "90e4c22c90a58f26526c2dd5b6c56c8822edeaa1",
}
"""Of the documentation, for the App Secret xyz123xyz."""


async def test_the_vector_of_the_documentation_is_right_and_of_2014(
    host: FakeHost, caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("another\nxyz123xyz\n")
    status, body = await caller.push(message(), VECTOR)
    assert (status, body["code"]) == (403, "signature_stale")
    for change in ({"nonce": "57155158"}, {"timestamp": "1397022061824"}, {"signature": "0" * 40}):
        status, body = await caller.push(message(), VECTOR | change)
        assert (status, body["code"]) == (401, "signature_invalid")
    assert host.taken == {}


async def test_the_vector_of_the_documentation_opened_a_ticket_in_2014(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Then(callbacks.Freshness):
        def __init__(self, tolerance: float) -> None:
            super().__init__(tolerance, clock=lambda: 1397022061.0)

    monkeypatch.setattr(callbacks, "Freshness", Then)
    async with running(tmp_path) as host, ClientSession() as http:
        (tmp_path / "secret").write_text("xyz123xyz")
        assert (await Caller(host, http).push(message(), VECTOR))[0] == 200
        assert tickets(host) == [message()]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"signature": "0" * 40},
        {"signature": "é" * 40},
        {"timestamp": "x"},
        {"timestamp": "１３９７０２２０６１"},
        {"timestamp": "9" * 16},
        {"timestamp": ""},
        {"nonce": ""},
        {"nonce": "a b"},
        {"nonce": "n" * 129},
    ],
    ids=str,
)
async def test_a_wrong_signature_is_401_and_no_ticket(host: FakeHost, caller: Caller, wrong: dict[str, str]) -> None:
    status, body = await caller.push(message(), query() | wrong if wrong else {})
    assert (status, body["code"]) == (401, "signature_invalid")
    assert host.taken == {}


async def test_signed_by_another_secret(host: FakeHost, caller: Caller) -> None:
    assert (await caller.push(message(), query("another")))[0] == 401
    assert host.taken == {}


@pytest.mark.parametrize("age", [601, -601, 86_400])
async def test_a_stale_signature_is_403_and_no_ticket(host: FakeHost, caller: Caller, age: float) -> None:
    status, body = await caller.push(message(), query(at=time.time() - age))
    assert (status, body["code"]) == (403, "signature_stale")
    assert host.taken == {}


async def test_a_timestamp_in_seconds_is_understood(host: FakeHost, caller: Caller) -> None:
    stamp = str(int(time.time()))
    asked = {"timestamp": stamp, "nonce": "1", "signature": signed(APP_SECRET, stamp, "1").upper()}
    assert (await caller.push(message(), asked))[0] == 200
    assert len(host.taken) == 1


async def test_a_signature_that_came_with_another_message_is_403_and_no_ticket(host: FakeHost, caller: Caller) -> None:
    asked = query()
    assert (await caller.push(message(), asked))[0] == 200
    for other in (message("别的"), message() | {"sender_id": 1}, message(kind="position"), message(subtype="x")):
        status, body = await caller.push(other, asked)
        assert (status, body["code"]) == (403, "signature_replayed")
    assert tickets(host) == [message()]


async def test_the_secret_may_be_changed_while_it_runs(host: FakeHost, caller: Caller, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"new-secret\n\n{APP_SECRET}\n")
    assert (await caller.push(message(), query("new-secret")))[0] == 200
    assert (await caller.push(message("还有"), query()))[0] == 200
    (tmp_path / "secret").write_text("new-secret\n")
    assert (await caller.push(message(), query()))[0] == 401


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff\xfe"])
async def test_without_a_secret_nothing_is_lost_and_the_operator_hears_of_it(
    host: FakeHost, caller: Caller, tmp_path: Path, content: bytes | None
) -> None:
    (tmp_path / "secret").unlink()
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with capture_logs() as logs:
        status, _ = await caller.push(message(), query())
    assert status == 503
    assert [one["event"] for one in logs] == ["weibo_secret_unreadable"]
    assert host.taken == {}


async def test_refusals_are_logged_without_drowning_the_log(caller: Caller) -> None:
    with capture_logs() as logs:
        for _ in range(60):
            await caller.push(message(), query("another"))
    assert 0 < len(logs) <= 25
    assert {(one["event"], one["code"]) for one in logs} == {("weibo_push_refused", "signature_invalid")}
