"""Answers on X: what becomes of each, by what X says, and that none is ever written twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from channels.contract import Delivery, Reply, Replying
from channels.reply import Metered
from channels.social.public import public_text
from channels.x import X as Channel
from channels.x import answer as answers
from channels.x.config import XConfig
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress
from tests.channels.x.accounts import block
from tests.simulators.clocks import Limit
from tests.simulators.x import X
from tests.simulators.x.api import Problem
from tests.simulators.x.rules import weight

NUMBER = "20261123000000019"
SECRET_WORDS = "王女士，您家幸福路八号的路灯已修好，电话13800138000"


@pytest.fixture
async def x() -> AsyncIterator[X]:
    async with X() as simulator:
        yield simulator


def reply(operation: str = "t1.answer", **more: Any) -> Reply:
    return Reply(operation=operation, number=NUMBER, text=SECRET_WORDS, language="zh-Hans", **more)


def to(post: str) -> ReplyAddress:
    return ReplyAddress(channel="x", address=f"post:{post}")


def channel(x: X, folder: Path, **more: Any) -> Channel:
    return Channel(XConfig.model_validate(block(x, folder, timeout=0.5, **more)))


def mention(x: X) -> str:
    return x.post("wang", f"@{x.world.us} 幸福路八号的路灯坏了")


def written(x: X) -> list[str]:
    return [one["text"] for one in x.posts_by_us()]


def refusing(x: X, status: int, detail: str, kind: str = "about:blank") -> None:
    """X refuses to post, in these words."""

    def create(body: bytes) -> Any:
        raise Problem(status, "Forbidden", detail, kind)

    x._api.create = create  # type: ignore[method-assign]


async def test_it_is_a_public_reply_that_tells_nothing(x: X, tmp_path: Path) -> None:
    post, message = mention(x), reply()
    delivery = await channel(x, tmp_path).reply(to(post), message)
    (made,) = x.posts_by_us()
    assert delivery == Delivery(outcome="sent", reference=made["id"])
    assert (made["text"], made["replied_to"]) == (public_text(message), post)
    assert NUMBER in made["text"]
    assert not [word for word in ("王女士", "幸福路", "138") if word in made["text"]]


@pytest.mark.parametrize("language", ["zh-Hans", "en"])
@pytest.mark.parametrize("purpose", ["receipt", "notice", "answer", "visit", "alarm"])
def test_every_one_fits_into_280_by_weight(purpose: Any, language: str) -> None:
    message = Reply(operation="o", number="9" * 24, text="", purpose=purpose, language=language)
    assert weight(public_text(message)) <= 280


def test_the_worker_counts_what_we_write_in_a_day(x: X, tmp_path: Path) -> None:
    made = channel(x, tmp_path, replies_per_day=7)
    assert isinstance(made, Replying)
    assert isinstance(made, Metered)
    assert (made.allowance.calls, made.allowance.per_day) == (1, 7)


# What X says, and what becomes of the answer; the worker goes on to the next address when it is not allowed.
REFUSALS = [
    (403, "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the "
     "author of the post you are replying to.", "not_allowed", "not_mentioned"),
    (403, "You can only reply to or quote posts where you are mentioned.", "not_allowed", "not_mentioned"),
    (403, "You are not permitted to reply to this post.", "not_allowed", "reply_not_allowed"),
    (403, "You attempted to reply to a Tweet that is deleted or not visible to you.", "not_allowed", "gone"),
    (403, "You are not permitted to perform this action.", "not_allowed", "status_403"),
    (404, "Not Found", "not_allowed", "status_404"),
    (400, "One or more parameters to your request was invalid.", "failed", "status_400"),
    (403, "Your Tweet text is too long.", "not_allowed", "status_403"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "detail", "outcome", "reason"), REFUSALS)
async def test_a_refusal(x: X, tmp_path: Path, status: int, detail: str, outcome: Any, reason: str) -> None:
    refusing(x, status, detail)
    delivery = await channel(x, tmp_path).reply(to(mention(x)), reply())
    assert delivery == Delivery(outcome=outcome, reason=reason)


LATER = [
    (403, "Your account is temporarily locked.", "about:blank", answers.KEYS),
    (403, "Forbidden", "https://api.twitter.com/2/problems/oauth1-permissions", answers.KEYS),
    (403, "Forbidden", "https://api.twitter.com/2/problems/client-forbidden", answers.KEYS),
    (401, "Unauthorized", "about:blank", answers.KEYS),
    (403, "User is over daily status update limit.", "about:blank", answers.USED_UP),
    (402, "Your account does not have any credits.", "https://api.twitter.com/2/problems/credits", answers.USED_UP),
    (
        429,
        "Usage cap exceeded: Monthly product cap",
        "https://api.twitter.com/2/problems/usage-capped",
        answers.USED_UP,
    ),
]


@pytest.mark.parametrize(("status", "detail", "kind", "after"), LATER)
async def test_what_is_not_about_this_post_waits(
    x: X, tmp_path: Path, status: int, detail: str, kind: str, after: float
) -> None:
    refusing(x, status, detail, kind)
    with pytest.raises(TryAgain) as caught:
        await channel(x, tmp_path).reply(to(mention(x)), reply())
    assert caught.value.after == after


async def test_the_limit_of_a_quarter_of_an_hour_waits_for_its_reset(x: X, tmp_path: Path) -> None:
    x.windows.limits["POST tweets", "user"] = Limit(1, 900)
    made = channel(x, tmp_path)
    await made.reply(to(mention(x)), reply("one"))
    with pytest.raises(TryAgain) as caught:
        await made.reply(to(mention(x)), reply("two"))
    assert 890 < caught.value.after <= 903


@pytest.mark.parametrize("fault", ["html", "busy", "reset", "hang", "truncated"])
@pytest.mark.parametrize("done", ["", " after"])
async def test_a_broken_call_is_unknown_and_the_next_try_reads_back(
    x: X, tmp_path: Path, fault: str, done: str
) -> None:
    post, made = mention(x), channel(x, tmp_path)
    x.set_faults(next=[f"{fault}{done}"], hang=2)
    assert (await made.reply(to(post), reply())).outcome == "unknown"
    before = list(x.posts_by_us())
    assert bool(before) == bool(done or fault == "truncated")
    delivery = await made.reply(to(post), reply(again=True))
    assert delivery.outcome == "sent"
    assert delivery.reference == x.posts_by_us()[0]["id"]
    assert written(x) == [public_text(reply())]


@pytest.mark.parametrize("fault", ["html", "reset", "truncated"])
async def test_what_cannot_be_read_back_stays_unknown_and_nothing_is_written(x: X, tmp_path: Path, fault: str) -> None:
    """Never TryAgain: the worker would believe that nothing was written."""
    x.set_faults(next=[fault])
    delivery = await channel(x, tmp_path).reply(to(mention(x)), reply(again=True))
    assert delivery == Delivery(outcome="unknown", reason="not_read_back")
    x.revoke()
    delivery = await channel(x, tmp_path).reply(to(mention(x)), reply(again=True))
    assert delivery == Delivery(outcome="unknown", reason="not_read_back")
    assert written(x) == []


async def test_reading_back_goes_through_all_pages_and_takes_no_other_reply_for_this(x: X, tmp_path: Path) -> None:
    post, other, made = mention(x), mention(x), channel(x, tmp_path)
    await made.reply(to(other), reply("another operation"))
    first = await made.reply(to(post), reply())
    for n in range(250):
        x.world.add(
            type(x.world.posts[post])(x.world.new_id(), x.world.posts[first.reference or ""].author, f"{n}", 0, "1")
        )
    count = len(written(x))
    assert await made.reply(to(post), reply(again=True)) == first
    assert len(written(x)) == count
    again = await made.reply(to(other), reply(again=True))
    assert again.outcome == "not_allowed"  # the same words stand below the first post: X wants no repetition


async def test_said_again_without_knowing_it_x_refuses_and_it_is_found(x: X, tmp_path: Path) -> None:
    """A crash between writing and remembering, and a list of our posts that lagged behind."""
    post, made = mention(x), channel(x, tmp_path)
    first = await made.reply(to(post), reply())
    assert await made.reply(to(post), reply()) == first
    assert len(written(x)) == 1


async def test_repeated_words_that_cannot_be_read_back_are_unknown(x: X, tmp_path: Path) -> None:
    post, made = mention(x), channel(x, tmp_path)
    await made.reply(to(post), reply())
    x.set_faults(next=["", "html"])
    assert await made.reply(to(post), reply()) == Delivery(outcome="unknown", reason="not_read_back")


async def test_two_answers_of_one_kind_differ(x: X, tmp_path: Path) -> None:
    post, made = mention(x), channel(x, tmp_path)
    outcomes = [(await made.reply(to(post), reply(name, purpose="notice"))).outcome for name in ("n1", "n2")]
    assert outcomes == ["sent", "sent"]
    assert len(set(written(x))) == 2


@pytest.mark.parametrize("address", ["", "post:", "post:x", "post:1:2", "1", "message:1", "post:１"])
async def test_no_address_of_ours(x: X, tmp_path: Path, address: str) -> None:
    delivery = await channel(x, tmp_path).reply(ReplyAddress(channel="x", address=address), reply())
    assert delivery == Delivery(outcome="failed", reason="not_an_address")


async def test_without_keys_nothing_is_answered_here(x: X, tmp_path: Path) -> None:
    delivery = await channel(x, tmp_path, keys=None).reply(to(mention(x)), reply())
    assert delivery == Delivery(outcome="not_allowed", reason="no_keys")


async def test_wrong_keys_blame_no_citizen(x: X, tmp_path: Path) -> None:
    made = channel(x, tmp_path)
    (tmp_path / "access_token_secret_file").write_text("wrong", "utf-8")
    with capture_logs() as logged, pytest.raises(TryAgain):
        await made.reply(to(mention(x)), reply())
    assert [event["event"] for event in logged] == ["x_keys_refused"]
    (tmp_path / "access_token_secret_file").unlink()
    with pytest.raises(TryAgain):
        await made.reply(to(mention(x)), reply())


async def test_no_connection_is_no_doubt(x: X, tmp_path: Path) -> None:
    made = channel(x, tmp_path, api="http://127.0.0.1:1")
    with pytest.raises(TryAgain) as caught:
        await made.reply(to(mention(x)), reply())
    assert caught.value.after == answers.NO_CONNECTION


async def test_logs_hold_neither_keys_nor_words(
    x: X, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    made, post = channel(x, tmp_path), mention(x)
    x.set_faults(next=["html"])
    with capture_logs() as logged:
        await made.reply(to(post), reply())
        await made.reply(to(post), reply(again=True))
    ours = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]  # that is X's own
    said = f"{logged}{ours}{capsys.readouterr()}"
    keys = x.keys
    secrets = (keys.bearer, keys.consumer_secret, keys.access_token, keys.access_token_secret, NUMBER, post, "路灯")
    assert not [word for word in secrets if word in said]
