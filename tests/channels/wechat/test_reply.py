"""Later answers against the simulated platform: windows, limits, what is tried instead, what never goes twice."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from channels.contract import Channel, Delivery, Repeating, Reply, Replying
from channels.wechat import Wechat
from channels.wechat.answer import CUSTOM, TEMPLATE
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress
from tests.simulators.wechat import WeChat
from tests.simulators.wechat.platform import APPID, SECRET
from tests.simulators.wechat.platform import TEMPLATE as TEMPLATE_ID

NUMBER = "2026011500000012"
LINK = f"查看进度：https://12345.example/t/{NUMBER}"
TEXT = f"您的诉求（编号 {NUMBER}）已办结：路灯已修好。\n{LINK}"
FIELDS = {"character_string1": "{number}", "thing2": "{text}"}
WITH_TEMPLATE = {"template": {"id": TEMPLATE_ID, "fields": FIELDS, "url": "https://12345.example/t/{number}"}}
WHO = "欧阳测试"
HOUR = timedelta(hours=1)
SENT = Delivery(outcome="sent")


def reply(**of: object) -> Reply:
    return Reply.model_validate({"operation": "reply:7", "number": NUMBER, "text": TEXT, "short": TEXT} | of)


@pytest.fixture
async def wechat() -> AsyncIterator[WeChat]:
    async with WeChat() as platform:
        yield platform


@pytest.fixture
def channel(wechat: WeChat, tmp_path: Path) -> Callable[..., Wechat]:
    def build(**settings: object) -> Wechat:
        secret = tmp_path / "secret"
        secret.write_text(f"{SECRET}\n")
        block = {
            "app_id": APPID,
            "app_secret_file": str(secret),
            "api": wechat.url,
            "allow_private": ["127.0.0.0/8"],
            "timeout": 5,
        } | settings
        return Wechat(Wechat.config_type.model_validate(block))

    return build


def address(wechat: WeChat, who: str = WHO) -> ReplyAddress:
    return ReplyAddress(channel="wechat", address=wechat.openid(who))


def via(wechat: WeChat) -> list[str]:
    """By which way the citizen got what, oldest first."""
    return [one["via"] for one in wechat.sent()]


# Every window and limit: what the citizen did before, what was sent, what was asked for, what comes of it.


@dataclass(frozen=True)
class Case:
    """`wrote`: hours ago, None: never (followed only). `sent`: messages since. `gone`: no follower any more."""

    name: str
    outcome: str
    reason: str | None = None
    via: Sequence[str] = ()
    template: bool = False
    wrote: float | None = 1
    told: bool = True
    sent: int = 0
    gone: bool = False
    closed: Sequence[str] = ()
    stranger: bool = False
    settings: dict[str, object] = field(default_factory=dict)


CASES = [
    Case("he wrote an hour ago", "sent", via=["custom"]),
    Case("he wrote 47.9 hours ago", "sent", via=["custom"], wrote=47.9),
    Case("when he wrote is not known", "sent", via=["custom"], told=False),
    Case("he wrote 49 hours ago", "not_allowed", "window_closed", wrote=49),
    Case("he wrote 49 hours ago, a template is there", "sent", via=["template"], wrote=49, template=True),
    Case("the same, and WeChat has to say so", "sent", via=["template"], wrote=49, told=False, template=True),
    Case("the same without a template", "not_allowed", "code_45015", wrote=49, told=False),
    Case("the fifth since he wrote", "sent", via=["custom"] * 5, sent=4),
    Case("the sixth since he wrote", "not_allowed", "code_45047", via=["custom"] * 5, sent=5),
    Case("the sixth, a template is there", "sent", via=[*["custom"] * 5, "template"], sent=5, template=True),
    Case("he never wrote", "not_allowed", "code_45015", wrote=None),
    Case("he never wrote, a template is there", "sent", via=["template"], wrote=None, template=True),
    Case("he unfollowed", "not_allowed", "code_45015", gone=True),
    Case("he unfollowed, a template is there", "not_allowed", "code_43004", gone=True, template=True),
    Case("nobody knows him", "not_allowed", "code_40003", stranger=True),
    Case("the account may not", "not_allowed", "code_48001", closed=[CUSTOM]),
    Case("the account may only templates", "sent", via=["template"], closed=[CUSTOM], template=True),
    Case("the account may neither", "not_allowed", "code_48001", closed=[CUSTOM, TEMPLATE], template=True),
    Case("no AppSecret", "not_allowed", "no_secret", settings={"app_secret_file": None}),
    Case(
        "a template that is gone",
        "not_allowed",
        "code_40037",
        wrote=49,
        settings={"template": {"id": "gone", "fields": FIELDS}},
    ),
    Case(
        "a template whose fields are others",
        "not_allowed",
        "code_47003",
        wrote=49,
        settings={"template": {"id": TEMPLATE_ID, "fields": {"thing2": "{text}"}}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_every_window_and_limit(case: Case, channel: Callable[..., Wechat], tmp_path: Path) -> None:
    async with WeChat(unauthorized=case.closed) as platform:
        to = await prepared(platform, case)
        settings = {"api": platform.url} | (WITH_TEMPLATE if case.template else {}) | case.settings
        sender = channel(**settings)
        for n in range(case.sent):
            assert await sender.reply(to, reply(operation=f"notice:{n}")) == SENT
        asked_at = None
        if case.told and case.wrote is not None and not case.stranger:
            asked_at = datetime.now(UTC) - case.wrote * HOUR
        delivery = await sender.reply(to, reply(asked_at=asked_at))
        assert (delivery.outcome, delivery.reason) == (case.outcome, case.reason)
        assert via(platform) == list(case.via)
        assert not [one for one in platform.sent() if NUMBER not in one["text"]]


async def prepared(platform: WeChat, case: Case) -> ReplyAddress:
    if case.stranger:
        return ReplyAddress(channel="wechat", address="oNobody_knows-him")
    if case.wrote is None:
        platform.openid(WHO)
    else:
        await platform.say(WHO, "路灯坏了")
        platform.advance(case.wrote * 3600)
    if case.gone:
        platform.unsubscribe_silently(WHO)
    return address(platform)


def test_it_replies_and_says_that_a_repetition_would_arrive_twice(channel: Callable[..., Wechat]) -> None:
    sender = channel()
    assert isinstance(sender, Channel)
    assert isinstance(sender, Replying)
    assert isinstance(sender, Repeating)
    assert not sender.repeatable


# What they read


async def test_the_text_arrives_as_it_is(wechat: WeChat, channel: Callable[..., Wechat]) -> None:
    await wechat.say(WHO, "路灯坏了")
    text = f'{TEXT} "引号" \\ <b> 😀'
    assert await channel().reply(address(wechat), reply(text=text)) == SENT
    assert [one["text"] for one in wechat.sent()] == [text]


async def test_a_long_text_keeps_its_beginning_and_its_link_and_says_that_there_is_more(
    wechat: WeChat, channel: Callable[..., Wechat]
) -> None:
    await wechat.say(WHO, "路灯坏了")
    text = f"关于您的诉求（编号 {NUMBER}）：\n{'已经修好😀' * 400}\n{LINK}"
    assert await channel().reply(address(wechat), reply(text=text)) == SENT
    [arrived] = wechat.sent()
    assert len(arrived["text"].encode()) <= 2048
    assert len(arrived["text"].encode()) > 2030, "no more is cut than must be"
    assert arrived["text"].startswith(f"关于您的诉求（编号 {NUMBER}）")
    assert "全文请见进度页面" in arrived["text"]
    assert arrived["text"].endswith(f"\n{LINK}")


async def test_a_template_says_number_and_as_much_as_its_fields_hold(
    wechat: WeChat, channel: Callable[..., Wechat]
) -> None:
    wechat.openid(WHO)
    delivery = await channel(**WITH_TEMPLATE).reply(address(wechat), reply(text="字" * 500, short="字" * 100))
    assert delivery.outcome == "sent"
    assert delivery.reference is not None
    assert delivery.reference.startswith("template:")
    [arrived] = wechat.sent()
    assert arrived["text"] == f"character_string1：{NUMBER}\nthing2：{'字' * 19}…"


@pytest.mark.parametrize("openid", ["", "a b", "o" * 65, "../x", "欧阳"], ids=repr)
async def test_what_is_no_openid_is_not_asked_for(wechat: WeChat, channel: Callable[..., Wechat], openid: str) -> None:
    delivery = await channel().reply(ReplyAddress(channel="wechat", address=openid), reply())
    assert delivery == Delivery(outcome="failed", reason="not_an_openid")
    assert wechat.stats()["asked"] == {}


# The access token


async def test_one_token_serves_until_it_ends(wechat: WeChat, channel: Callable[..., Wechat]) -> None:
    await wechat.say(WHO, "路灯坏了")
    sender = channel()
    for n in range(3):
        assert await sender.reply(address(wechat), reply(operation=f"reply:{n}")) == SENT
    assert wechat.stats()["tokens_made"] == 1


@pytest.mark.parametrize("unknown", [False, True], ids=["42001", "40001"])
async def test_a_token_that_is_over_is_taken_anew_and_the_answer_sent_once(
    wechat: WeChat, channel: Callable[..., Wechat], unknown: bool
) -> None:
    await wechat.say(WHO, "路灯坏了")
    sender = channel()
    assert await sender.reply(address(wechat), reply()) == SENT
    wechat.expire_tokens(unknown)
    assert await sender.reply(address(wechat), reply(operation="reply:8")) == SENT
    assert wechat.stats()["tokens_made"] == 2
    assert via(wechat) == ["custom"] * 2


async def test_a_wrong_secret_is_told_to_the_operator_and_waited_for(
    wechat: WeChat, channel: Callable[..., Wechat], tmp_path: Path
) -> None:
    await wechat.say(WHO, "路灯坏了")
    sender = channel()
    (tmp_path / "secret").write_text("wrong")
    with capture_logs() as events, pytest.raises(TryAgain) as later:
        await sender.reply(address(wechat), reply())
    assert later.value.after == 300
    assert [(event["event"], event["code"]) for event in events] == [("wechat_no_token", 40125)]
    (tmp_path / "secret").write_text(SECRET)
    assert await sender.reply(address(wechat), reply()) == SENT, "the file is read anew"
    (tmp_path / "secret").unlink()
    wechat.expire_tokens()
    with pytest.raises(TryAgain):
        await sender.reply(address(wechat), reply())


# Bad days


@pytest.mark.parametrize(
    ("faults", "after"),
    [
        (["busy"], 60.0),  # for the token
        (["", "busy"], 60.0),
        (["html"], 60.0),
        (["reset"], 60.0),
        (["truncated"], 60.0),
    ],
    ids=str,
)
async def test_what_was_not_sent_is_sent_later(
    wechat: WeChat, channel: Callable[..., Wechat], faults: list[str], after: float
) -> None:
    await wechat.say(WHO, "路灯坏了")
    wechat.set_faults(next=faults)
    sender = channel()
    with pytest.raises(TryAgain) as later:
        await sender.reply(address(wechat), reply())
    assert later.value.after == after
    assert wechat.sent() == []
    assert await sender.reply(address(wechat), reply()) == SENT
    assert via(wechat) == ["custom"]


async def test_a_quota_that_is_used_up_is_waited_for(channel: Callable[..., Wechat]) -> None:
    async with WeChat(daily={CUSTOM: 1}) as platform:
        await platform.say(WHO, "路灯坏了")
        sender = channel(api=platform.url)
        assert await sender.reply(address(platform), reply()) == SENT
        with pytest.raises(TryAgain) as later:
            await sender.reply(address(platform), reply(operation="reply:8"))
        assert later.value.after == 3600
        platform.advance(86_400)
        await platform.say(WHO, "还有")
        platform.expire_tokens()
        assert await sender.reply(address(platform), reply(operation="reply:8")) == SENT


DOUBTFUL = [
    ("html", "status_502"),
    ("html after", "status_502"),
    ("reset", "connection_lost"),
    ("reset after", "connection_lost"),
    ("truncated", "no_code"),
    ("hang after", "timeout"),
]


@pytest.mark.parametrize(("fault", "reason"), DOUBTFUL, ids=lambda value: value)
async def test_a_doubtful_message_is_left_in_doubt_and_no_template_follows(
    wechat: WeChat, channel: Callable[..., Wechat], fault: str, reason: str
) -> None:
    await wechat.say(WHO, "路灯坏了")
    wechat.set_faults(next=["", fault])
    delivery = await channel(timeout=0.5, **WITH_TEMPLATE).reply(address(wechat), reply())
    assert delivery == Delivery(outcome="unknown", reason=reason)
    assert len(wechat.sent()) <= 1


@pytest.mark.parametrize(("fault", "reason"), DOUBTFUL, ids=lambda value: value)
async def test_a_doubtful_template_is_asked_for_once_more_under_its_id(
    wechat: WeChat, channel: Callable[..., Wechat], fault: str, reason: str
) -> None:
    wechat.openid(WHO)
    closed = reply(asked_at=datetime.now(UTC) - 49 * HOUR)
    wechat.set_faults(next=["", fault])
    assert (await channel(timeout=0.5, **WITH_TEMPLATE).reply(address(wechat), closed)).outcome == "sent"
    assert via(wechat) == ["template"]


@pytest.mark.parametrize("second", ["html", "busy", "html after"])
async def test_a_template_that_stays_doubtful_is_unknown(
    wechat: WeChat, channel: Callable[..., Wechat], second: str
) -> None:
    wechat.openid(WHO)
    closed = reply(asked_at=datetime.now(UTC) - 49 * HOUR)
    wechat.set_faults(next=["", "html after", second])
    delivery = await channel(**WITH_TEMPLATE).reply(address(wechat), closed)
    assert delivery == Delivery(outcome="unknown", reason="status_502")
    assert via(wechat) == ["template"]


async def test_an_address_that_is_not_public_is_refused_unless_listed(
    wechat: WeChat, channel: Callable[..., Wechat]
) -> None:
    url = wechat.url.replace("127.0.0.1", "localhost")
    with capture_logs() as events, pytest.raises(TryAgain):
        await channel(api=url, allow_private=[]).reply(address(wechat), reply())
    assert [event["event"] for event in events] == ["wechat_address_not_allowed"]
    assert wechat.stats()["asked"] == {}


async def test_no_log_holds_an_openid_a_secret_a_token_or_a_text(
    wechat: WeChat, channel: Callable[..., Wechat], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await wechat.say(WHO, "路灯坏了")
    sender = channel(timeout=0.5, **WITH_TEMPLATE)
    caplog.clear()
    caplog.set_level("CRITICAL", "aiohttp.access")  # the platform's own, in this process
    with capture_logs() as events:
        for faults in (["", "busy"], ["html after"], ["hang"], ["reset"], [], []):
            wechat.set_faults(next=faults)
            try:
                await sender.reply(address(wechat), reply(operation=hashlib.sha256(str(faults).encode()).hexdigest()))
            except TryAgain as error:
                events.append({"event": str(error)})
    logged = f"{events}\n{caplog.text}"
    private = (wechat.openid(WHO), SECRET, "wechat-access-token", "路灯", NUMBER)
    assert not [word for word in private if word in logged]
