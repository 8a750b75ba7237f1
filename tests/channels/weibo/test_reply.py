"""Answers on Weibo against the simulated platform: every window and limit, what comes of it, and nothing said twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from channels.contract import Delivery, Reply, Replying
from channels.reply import Metered
from channels.social.public import public_text
from channels.weibo import Weibo
from channels.weibo import answer as answers
from channels.weibo.api import LIMITED_FOR
from channels.weibo.config import CALLS_OF_A_REPLY, WeiboConfig
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress
from tests.channels.weibo.accounts import RIP, block
from tests.simulators.clocks import Limit
from tests.simulators.weibo import Weibo as Simulator
from tests.simulators.weibo.errors import _ERRORS, Refused
from tests.simulators.weibo.gate import Limits
from tests.simulators.weibo.writing import weight

WHO = "王女士"
NUMBER = "20261123000000715"
TEXT = f"您的诉求（编号 {NUMBER}）已办结：幸福路8号的路灯已修好。"
HOUR = timedelta(hours=1)


@pytest.fixture
async def weibo() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


def reply(operation: str = "reply:7", **more: Any) -> Reply:
    return Reply.model_validate({"operation": operation, "number": NUMBER, "text": TEXT, "short": TEXT} | more)


def channel(weibo: Simulator, folder: Path, **more: Any) -> Weibo:
    return Weibo(WeiboConfig.model_validate(block(weibo, folder, timeout=0.5, **more)))


def private(weibo: Simulator, who: str = WHO) -> ReplyAddress:
    return ReplyAddress(channel="weibo", address=f"message:{weibo.world.user(who).id}")


def public(*ids: int) -> ReplyAddress:
    return ReplyAddress(channel="weibo", address=":".join(["comment", *map(str, ids)]))


def mention(weibo: Simulator) -> int:
    return weibo.post(WHO, f"@{weibo.world.us} 幸福路8号的路灯坏了")


def ago(hours: float) -> datetime:
    return datetime.now(UTC) - hours * HOUR


def comments(weibo: Simulator) -> list[str]:
    return [one["text"] for one in weibo.comments_by_us()]


def messages(weibo: Simulator) -> list[str]:
    return [one["text"] for one in weibo.messages_sent()]


def refusing(monkeypatch: pytest.MonkeyPatch, weibo: Simulator, how: str, code: int) -> None:
    """Weibo refuses every write of this kind with this code."""
    monkeypatch.setitem(_ERRORS, code, _ERRORS.get(code, (400, "refused")))

    def refuse(form: object) -> Any:
        raise Refused(code)

    monkeypatch.setattr(weibo._writing, how, refuse)


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


# In public


async def test_below_a_post_and_below_a_comment(weibo: Simulator, tmp_path: Path) -> None:
    post, made = mention(weibo), channel(weibo, tmp_path)
    below = weibo.comment("李先生", post, "我也是")
    first = await made.reply(public(post), reply("receipt", purpose="receipt"))
    second = await made.reply(public(post, below), reply("reply:7"))
    ours = weibo.comments_by_us()
    assert [one["id"] for one in ours] == [int(first.reference or 0), int(second.reference or 0)]
    assert [(one["post"], one["answers"], one["rip"]) for one in ours] == [(post, None, RIP), (post, below, RIP)]
    assert ours[0]["text"] == public_text(reply("receipt", purpose="receipt"))
    assert ours[1]["text"] == f"回复@李先生:{public_text(reply())}"
    assert all(NUMBER in one["text"] for one in ours)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("purpose", ["receipt", "notice", "answer", "visit", "alarm", "dispatch"])
def test_a_comment_fits_into_140_characters(purpose: str, language: str) -> None:
    assert weight(public_text(reply(number="9" * 24, purpose=purpose, language=language))) <= 140


async def test_without_rip_weibo_takes_no_comment(weibo: Simulator, tmp_path: Path) -> None:
    delivery = await channel(weibo, tmp_path, rip=None).reply(public(mention(weibo)), reply())
    assert delivery == Delivery(outcome="not_allowed", reason="no_rip")
    assert weibo.gate.user.asked == 0


async def test_what_was_deleted_cannot_be_answered(weibo: Simulator, tmp_path: Path) -> None:
    post, made = mention(weibo), channel(weibo, tmp_path)
    below = weibo.comment(WHO, post, "还没修")
    weibo.delete_comment(below)
    assert await made.reply(public(post, below), reply()) == Delivery(outcome="not_allowed", reason="gone")
    weibo.delete(post)
    assert await made.reply(public(post), reply()) == Delivery(outcome="not_allowed", reason="gone")


async def test_two_answers_of_one_kind_differ(weibo: Simulator, tmp_path: Path) -> None:
    post, made = mention(weibo), channel(weibo, tmp_path)
    for n in range(3):
        assert (await made.reply(public(post), reply(f"dispatch:{n}", purpose="notice"))).outcome == "sent"
    assert len(set(comments(weibo))) == 3


@pytest.mark.parametrize("fault", ["html", "busy", "reset", "hang", "truncated"])
@pytest.mark.parametrize("done", ["", " after"])
async def test_a_comment_in_doubt_is_read_back_and_written_once(
    weibo: Simulator, tmp_path: Path, fault: str, done: str
) -> None:
    post, made = mention(weibo), channel(weibo, tmp_path)
    below = weibo.comment(WHO, post, "还没修")
    weibo.set_faults(next=[f"{fault}{done}"], hang=2)
    assert (await made.reply(public(post, below), reply())).outcome == "unknown"
    assert bool(comments(weibo)) == bool(done or fault == "truncated")
    delivery = await made.reply(public(post, below), reply(again=True))
    (one,) = weibo.comments_by_us()
    assert delivery == Delivery(outcome="sent", reference=str(one["id"]))


@pytest.mark.parametrize("fault", ["html", "busy", "reset", "hang", "truncated", "no token", "no connection", "limit"])
async def test_what_cannot_be_read_back_stays_unknown_and_nothing_is_written(
    weibo: Simulator, tmp_path: Path, fault: str
) -> None:
    """Never TryAgain: that says that nothing was written."""
    post, more = mention(weibo), {}
    match fault:
        case "no token":
            weibo.expire_token()
        case "no connection":
            more = {"api": "http://127.0.0.1:1"}
        case "limit":
            weibo.set_limit(0, 86_400)
        case _:
            weibo.set_faults(next=[fault], hang=2)
    delivery = await channel(weibo, tmp_path, **more).reply(public(post), reply(again=True))
    assert delivery == Delivery(outcome="unknown", reason="not_read_back")
    assert comments(weibo) == []


async def test_no_list_at_all_is_not_an_empty_list(
    weibo: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, made = mention(weibo), channel(weibo, tmp_path)
    monkeypatch.setattr(weibo._reading, "by_me", lambda query: {"total_number": 0})
    assert (await made.reply(public(post), reply(again=True))).reason == "not_read_back"
    for empty in ([], {}, {"comments": []}):  # as Weibo writes an empty object, an empty answer, an empty list
        monkeypatch.setattr(weibo._reading, "by_me", lambda query, empty=empty: empty)
        assert (await made.reply(public(post), reply(f"{empty}", again=True))).outcome == "sent"


async def test_it_is_found_among_200_others_and_however_weibo_writes_it(
    weibo: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, made = mention(weibo), channel(weibo, tmp_path)
    words = public_text(reply())
    sent = {"idstr": "1", "text": f"回复@王女士:{words}".replace("，", " &#44; ").replace("〔", "&lt;")}
    others = [{"idstr": str(n), "text": public_text(reply(f"notice:{n}"))} for n in range(2, 201)]
    seen: list[dict[str, str]] = []

    def listed(query: dict[str, str]) -> dict[str, Any]:
        seen.append(query)
        return {"comments": ["strange", *others, sent]}

    monkeypatch.setattr(weibo._reading, "by_me", listed)
    assert await made.reply(public(post), reply(again=True)) == Delivery(outcome="sent", reference="1")
    assert seen[0]["count"] == "200"


async def test_the_same_words_are_refused_and_found(weibo: Simulator, tmp_path: Path) -> None:
    """A crash between writing and remembering."""
    post, made = mention(weibo), channel(weibo, tmp_path)
    first = await made.reply(public(post), reply())
    assert await made.reply(public(post), reply()) == first
    assert len(comments(weibo)) == 1


@pytest.mark.parametrize("code", [20017, 20019])
async def test_words_that_weibo_finds_too_like_others(
    weibo: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    refusing(monkeypatch, weibo, "create", code)
    made = channel(weibo, tmp_path)
    assert await made.reply(public(mention(weibo)), reply()) == Delivery(outcome="not_allowed", reason="same_words")
    weibo.set_faults(next=["", "html"])
    assert (await made.reply(public(mention(weibo)), reply())).reason == "not_read_back"
    assert (await made.reply(public(mention(weibo)), reply(again=True))).reason == "not_read_back", "the list lags"


async def test_a_comment_without_an_id_is_in_doubt(
    weibo: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weibo._writing, "create", lambda form: {})
    delivery = await channel(weibo, tmp_path).reply(public(mention(weibo)), reply())
    assert delivery == Delivery(outcome="unknown", reason="answer_unreadable")


async def test_no_reply_costs_more_calls_than_are_counted_for_it(
    weibo: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = channel(weibo, tmp_path, replies_per_day=7)
    assert isinstance(made, Replying)
    assert isinstance(made, Metered)
    assert (made.allowance.calls, made.allowance.per_day) == (CALLS_OF_A_REPLY, 7 * CALLS_OF_A_REPLY)
    refusing(monkeypatch, weibo, "create", 20017)
    for again in (False, True):
        before = weibo.gate.user.asked
        await made.reply(public(mention(weibo)), reply(again=again))
        assert weibo.gate.user.asked - before == CALLS_OF_A_REPLY


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


# Privacy

PERSONAL = st.sampled_from(
    ["13800138000", "110101199003070715", "幸福路8号院3单元", "王女士", "wang@mail.example", "+8613900139000"]
)
SAID = st.lists(PERSONAL | st.text(min_size=1, max_size=30), max_size=6).map(" ".join)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=SAID, short=SAID, purpose=st.sampled_from(["receipt", "notice", "answer", "visit"]))
async def test_what_everybody_reads_has_nothing_of_the_answer(
    tmp_path: Path, text: str, short: str, purpose: str
) -> None:
    """Whatever it says, the comment is the one that an empty answer gets."""
    async with Simulator() as weibo:
        message = reply(text=text, short=short, purpose=purpose)
        assert (await channel(weibo, tmp_path).reply(public(mention(weibo)), message)).outcome == "sent"
        assert comments(weibo) == [public_text(message.model_copy(update={"text": "", "short": None}))]


async def test_logs_hold_neither_token_nor_words(
    weibo: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    made, post = channel(weibo, tmp_path), mention(weibo)
    weibo.set_faults(next=["html", "", "", "html"])
    with capture_logs() as logged:
        for to in (public(post), private(weibo), public(1)):
            await made.reply(to, reply(asked_at=ago(1)))
            await made.reply(to, reply(asked_at=ago(1), again=True))
    ours = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]  # that is Weibo's own
    said = json.dumps([logged, ours], default=str, ensure_ascii=False) + str(capsys.readouterr())
    assert logged
    uid = str(weibo.world.user(WHO).id)
    assert not [word for word in (weibo.world.token, NUMBER, str(post), uid, "路灯", WHO) if word in said]
