"""Answers on Weibo for all to read: written once, read back when in doubt, and without a word of the matter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from channels.contract import Delivery, Replying
from channels.reply import Metered
from channels.social.public import public_text
from channels.weibo.config import CALLS_OF_A_REPLY
from tests.channels.weibo.accounts import RIP
from tests.channels.weibo.answering import (
    NUMBER,
    WHO,
    ago,
    channel,
    comments,
    mention,
    private,
    public,
    refusing,
    reply,
    weibo,
)
from tests.simulators.weibo import Weibo as Simulator
from tests.simulators.weibo.writing import weight

__all__ = ["weibo"]


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
