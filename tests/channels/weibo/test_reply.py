"""Answers on Weibo: every window and limit of a private message, what Weibo's codes mean, and what waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from channels.contract import Delivery, Reply
from channels.weibo import answer as answers
from channels.weibo.api import LIMITED_FOR
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress
from tests.channels.weibo.answering import (
    TEXT,
    WHO,
    ago,
    channel,
    comments,
    mention,
    messages,
    private,
    public,
    refusing,
    reply,
    weibo,
)
from tests.simulators.clocks import Limit
from tests.simulators.weibo import Weibo as Simulator
from tests.simulators.weibo.errors import _ERRORS, Refused
from tests.simulators.weibo.gate import Limits
from tests.simulators.weibo.writing import weight

__all__ = ["weibo"]


# In private: what the citizen did, and when; what we know of it; what comes of it.


@dataclass(frozen=True)
class Case:
    """`wrote`, `mentioned`: hours ago by Weibo's clock; `told`: hours ago as the worker says it."""

    name: str
    outcome: str
    reason: str | None = None
    wrote: float | None = None
    mentioned: float | None = None
    told: float | None = 1
    permitted: bool = False
    answered: int = 0
    does: Sequence[str] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    calls: int = 1


PRIVATE = [
    Case("wrote an hour ago", "sent", wrote=1),
    Case("wrote 47.9 hours ago", "sent", wrote=47.9, told=47.9),
    Case("may be written to as often as needed within 48 hours", "sent", wrote=1, answered=3),
    Case("wrote 48 hours ago, by our clock", "not_allowed", "window_closed", wrote=47.9, told=48, calls=0),
    Case("wrote 49 hours ago, as Weibo says", "not_allowed", "code_20301", wrote=49),
    Case("nobody knows when they wrote", "not_allowed", "window_closed", wrote=1, told=None, calls=0),
    Case("never wrote, but posted in public", "not_allowed", "code_20301"),
    Case("follows us and did it today", "sent", does=["follow"]),
    Case("does not follow us any more", "not_allowed", "code_20301", wrote=1, does=["unfollow"]),
    Case("mentioned us, without the permission", "not_allowed", "code_10014", mentioned=1),
    Case("mentioned us, with the permission", "sent", mentioned=1, permitted=True),
    Case("was answered once for the mention", "not_allowed", "code_20301", mentioned=1, permitted=True, answered=1),
    Case("mentioned us 49 hours ago", "not_allowed", "code_20301", mentioned=49, permitted=True),
    Case("no token file", "not_allowed", "no_account", wrote=1, settings={"token_file": None}, calls=0),
    Case("no calls for answers", "not_allowed", "no_account", wrote=1, settings={"replies_per_day": 0}, calls=0),
    Case("no rip: that is for comments", "sent", wrote=1, settings={"rip": None}),
]


@pytest.mark.parametrize("case", PRIVATE, ids=lambda case: case.name)
async def test_a_citizen_in_private_who(case: Case, tmp_path: Path) -> None:
    async with Simulator(may_answer_mentions=case.permitted) as weibo:
        to = private(weibo)
        if case.wrote is not None:
            await weibo.say(WHO, "路灯坏了")
            weibo.advance(case.wrote * 3600)
        if case.mentioned is not None:
            await weibo.mention(WHO, mention(weibo), "路灯坏了")
            weibo.advance(case.mentioned * 3600)
        for one in case.does:
            await weibo.event(WHO, one)
        made = channel(weibo, tmp_path, **case.settings)
        for n in range(case.answered):
            assert (await made.reply(to, reply(f"notice:{n}", asked_at=ago(1)))).outcome == "sent"
        before = weibo.gate.user.asked
        message = reply(asked_at=None if case.told is None else ago(case.told))
        delivery = await made.reply(to, message)
        assert delivery == Delivery.model_validate({"outcome": case.outcome, "reason": case.reason})
        assert messages(weibo) == [TEXT] * (case.answered + (case.outcome == "sent"))
        assert weibo.gate.user.asked - before == case.calls
        assert comments(weibo) == [], "nothing of it is public"


@pytest.mark.parametrize(
    ("text", "short", "arrives"),
    [
        ("字" * 299, "短", "字" * 299),
        ("字" * 300, "短", "短"),
        ("😀" * 149, "短", "😀" * 149),
        ("😀" * 150, "短", "短"),
        ("字" * 300, "短" * 300, "短" * 298 + "…"),
        ("字" * 300, None, "字" * 298 + "…"),
        ("字" * 300, "a" + "😀" * 200, "a" + "😀" * 148 + "…"),
        ('"引号" \\ <b> & 😀\n+ %20', None, '"引号" \\ <b> & 😀\n+ %20'),
        ("半个\ud83d字", None, "半个?字"),
    ],
    ids=lambda text: f"{text[:3]!r} {len(text)}" if text else "none",
)
async def test_less_than_300_characters(
    weibo: Simulator, tmp_path: Path, text: str, short: str | None, arrives: str
) -> None:
    await weibo.say(WHO, "路灯坏了")
    message = Reply.model_construct(**dict(reply(asked_at=ago(1))) | {"text": text, "short": short})
    assert (await channel(weibo, tmp_path).reply(private(weibo), message)).outcome == "sent"
    assert messages(weibo)[0].encode("utf-8", "replace").decode() == arrives
    assert weight(arrives) < 300


@pytest.mark.parametrize("fault", ["html", "busy", "reset", "hang", "truncated"])
@pytest.mark.parametrize("done", ["", " after"])
async def test_a_private_message_in_doubt_is_never_sent_twice(
    weibo: Simulator, tmp_path: Path, fault: str, done: str
) -> None:
    """It cannot be read back: the worker goes on to the next address."""
    await weibo.say(WHO, "路灯坏了")
    made = channel(weibo, tmp_path)
    weibo.set_faults(next=[f"{fault}{done}"], hang=2)
    assert (await made.reply(private(weibo), reply(asked_at=ago(1)))).outcome == "unknown"
    arrived = messages(weibo)
    assert bool(arrived) == bool(done or fault == "truncated")
    again = await made.reply(private(weibo), reply(asked_at=ago(1), again=True))
    assert again == Delivery(outcome="failed", reason="no_reading_back")
    assert messages(weibo) == arrived


async def test_a_message_that_weibo_says_it_did_not_take(
    weibo: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weibo._writing, "message", lambda form: {"result": False})
    delivery = await channel(weibo, tmp_path).reply(private(weibo), reply(asked_at=ago(1)))
    assert delivery == Delivery(outcome="failed", reason="not_taken")


# Weibo's codes


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (10014, "not_allowed", "code_10014"),
        (20003, "not_allowed", "code_20003"),
        (20206, "not_allowed", "code_20206"),
        (20207, "not_allowed", "code_20207"),
        (20101, "not_allowed", "gone"),
        (20012, "failed", "code_20012"),
        (20021, "failed", "code_20021"),
        (10016, "failed", "code_10016"),
        (29999, "failed", "code_29999"),
        (10001, "unknown", "10001"),
        (10009, "unknown", "10009"),
        (20014, "unknown", "20014"),
        (20032, "unknown", "20032"),
    ],
)
async def test_a_refusal(
    weibo: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, outcome: str, reason: str
) -> None:
    refusing(monkeypatch, weibo, "create", code)
    delivery = await channel(weibo, tmp_path).reply(public(mention(weibo)), reply())
    assert delivery == Delivery.model_validate({"outcome": outcome, "reason": reason})


async def test_what_weibo_calls_success_with_a_delay_is_found_later(
    weibo: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, made, create = mention(weibo), channel(weibo, tmp_path), weibo._writing.create
    monkeypatch.setitem(_ERRORS, 20032, (200, "Update success, while server slow now"))

    def slow(form: Any) -> Any:
        create(form)
        raise Refused(20032)

    monkeypatch.setattr(weibo._writing, "create", slow)
    assert (await made.reply(public(post), reply())).outcome == "unknown"
    assert (await made.reply(public(post), reply(again=True))).outcome == "sent"
    assert len(comments(weibo)) == 1


@pytest.mark.parametrize("code", [10004, 10022, 10023, 10024, 20015, 20016, 20022, 20031])
async def test_too_many_calls_and_mistrust_are_waited_for(
    weibo: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    refusing(monkeypatch, weibo, "create", code)
    refusing(monkeypatch, weibo, "message", code)
    made = channel(weibo, tmp_path)
    for to in (private(weibo), public(mention(weibo))):
        with pytest.raises(TryAgain) as later:
            await made.reply(to, reply(asked_at=ago(1)))
        assert later.value.after == LIMITED_FOR


async def test_the_thirty_first_comment_of_an_hour_waits(tmp_path: Path) -> None:
    async with Simulator(limits=Limits(posting=Limit(2, 3600))) as weibo:
        post, made = mention(weibo), channel(weibo, tmp_path)
        for n in range(2):
            assert (await made.reply(public(post), reply(f"notice:{n}"))).outcome == "sent"
        with pytest.raises(TryAgain):
            await made.reply(public(post), reply())
        weibo.advance(3601)
        assert (await made.reply(public(post), reply())).outcome == "sent"


@pytest.mark.parametrize("lost", ["expired", "wrong", "missing"])
@pytest.mark.parametrize("way", [private, lambda weibo: public(mention(weibo))], ids=["private", "public"])
async def test_a_token_that_is_over_waits_for_the_next_one_in_its_file(
    weibo: Simulator, tmp_path: Path, lost: str, way: Callable[[Simulator], ReplyAddress]
) -> None:
    await weibo.say(WHO, "路灯坏了")
    made, to, file = channel(weibo, tmp_path), way(weibo), tmp_path / "weibo-token"
    match lost:
        case "expired":
            weibo.expire_token()
        case "wrong":
            file.write_text("another")
        case "missing":
            file.unlink()
    with capture_logs() as logs, pytest.raises(TryAgain) as later:
        await made.reply(to, reply(asked_at=ago(1)))
    assert later.value.after == answers.TOKEN_AFTER
    assert [one["event"] for one in logs] == ["weibo_reply_token_refused"]
    file.write_text(weibo.new_token())
    assert (await made.reply(to, reply(asked_at=ago(1)))).outcome == "sent"


async def test_no_connection_is_no_doubt(weibo: Simulator, tmp_path: Path) -> None:
    made = channel(weibo, tmp_path, api="http://127.0.0.1:1", message_api="http://127.0.0.1:1")
    for to in (private(weibo), public(mention(weibo))):
        with pytest.raises(TryAgain) as later:
            await made.reply(to, reply(asked_at=ago(1)))
        assert later.value.after == answers.BUSY_AFTER


NO_ADDRESS = ["", "message:", "message:x", "message:1:2", "comment:", "comment:1:2:3", "comment:1:", "1", "post:1"]


@pytest.mark.parametrize("address", [*NO_ADDRESS, "message:１", "message:-1", "comment:1:../2"])
async def test_no_address_of_ours(weibo: Simulator, tmp_path: Path, address: str) -> None:
    to = ReplyAddress(channel="weibo", address=address)
    delivery = await channel(weibo, tmp_path).reply(to, reply(asked_at=ago(1)))
    assert delivery == Delivery(outcome="failed", reason="not_an_address")
    assert weibo.gate.user.asked == 0
