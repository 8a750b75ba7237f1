"""On Weibo, WeChat and X alike: a citizen ends with an answer or a recorded reason, whatever the platform does.

Real channels, simulated platforms, the workers' own turns. What everybody can read never holds a word of the answer.
"""

from __future__ import annotations

import inspect
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.contract import Delivery, Reply
from channels.reply import Allowance
from normalizer import identity, normalize
from normalizer.errors import TryAgain
from normalizer.life import StepName
from normalizer.ticket import Flag, ReplyAddress, Requester
from tests.workers.lives import LAMP, NOTIFIED, PHONE, Walk
from tests.workers.regions import town
from tests.workers.social_platforms import OnWeChat, OnWeibo, OnX, Platform
from tests.workers.turns import Answering, Receiver, builder
from workers.connect import connect_async
from workers.ending import is_over, told
from workers.queue import TicketQueue, item

PLATFORMS: dict[str, Callable[[], Platform]] = {"weibo": OnWeibo, "wechat": OnWeChat, "x": OnX}
SECRETS = ("王女士", "13800138000", "110101199003070715", "柳树街8号院")
ANSWER = f"{SECRETS[0]}（{SECRETS[1]}，{SECRETS[2]}）：{SECRETS[3]}门前的路灯已修好。"
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_numbers = itertools.count(1)


@dataclass
class Tale(Walk):
    """A citizen's request on one platform, and what became of it."""

    platform: Platform = field(kw_only=True)

    async def days_pass(self, hours: float) -> None:
        """For us and for the platform."""
        self.later(hours=hours)
        self.platform.far.advance(hours * 3600)

    async def trouble(self, name: str) -> None:
        done = self.platform.troubles[name]()
        if inspect.isawaitable(done):
            await done

    async def ends(self) -> None:
        """Days pass until nothing is outstanding."""
        for _ in range(60):
            if await self.turn() == "settled":
                return
            await self.days_pass(25)
        raise AssertionError("it never ends")

    async def reasons(self, operation: str) -> list[tuple[str, str | None]]:
        """Outcome and reason of every address that was tried for a notice."""
        found = [event["data"] for event in (await self.record()).events() if event["type"] == NOTIFIED]
        return [(one["outcome"], one.get("reason")) for one in found if one["operation"] == operation]


@asynccontextmanager
async def telling(valkey, folder: Path, platform: Platform, phone: str | None = None) -> AsyncIterator[Tale]:
    """The request was dispatched, and its citizen was told what there is to tell so far."""
    async with platform.far, connect_async(valkey.config, valkey.directory) as client:
        tale = Tale(None, "", {}, datetime.now(UTC), platform=platform)
        platform.connect(folder, lambda: tale.now)
        one = await opened(platform, phone)
        TicketQueue(valkey.client(), grace=120).enqueue([one])
        tale.runtime = builder(client, folder)(Receiver("file"), region=town(), per_hour=10**6)
        tale.ticket_id = one.ticket_id
        tale.channels = {platform.name: platform.channel}
        yield tale


async def opened(platform: Platform, phone: str | None):
    """What the pump sends of the citizen's post or message."""
    raw = await platform.asks(LAMP)
    inbound = platform.channel.parse(raw)
    # Other examples of the same story have other tickets.
    raw = replace(raw, source_id=f"{raw.source_id}.{next(_numbers)}")
    requester = inbound.requester.model_copy(update={"phone": phone})
    inbound = inbound.model_copy(update={"threads": (), "known_as": (), "incidents": (), "requester": requester})
    number = identity.number(raw.received_at.date(), 0, next(_numbers))
    ticket = normalize(raw, inbound, number=number)
    return item(ticket, inbound, code=identity.receipt_code(ticket.ticket_id, b"secret"), domain="hotline.example")


# Which way the answer takes


async def answered(tale: Tale) -> list[tuple[str, str | None]]:
    await tale.ends()
    await tale.reply(ANSWER)
    await tale.ends()
    assert (await tale.record()).state == "closed"
    return await tale.reasons(await tale.operation(StepName.REPLY))


async def test_weibo_answers_in_private_within_48_hours(valkey, tmp_path):
    async with telling(valkey, tmp_path, OnWeibo()) as tale:
        assert await answered(tale) == [("sent", None)]
        assert ANSWER in tale.platform.private[-1]
        (receipt,) = tale.platform.public
        assert "已登记" in receipt


@pytest.mark.parametrize(
    ("platform", "hours", "reason"),
    [
        (OnWeibo(), 48.01, "window_closed"),
        (OnWeibo(wrote=False), 1, "code_20301"),
        (OnWeibo(wrote=False, permitted=True), 49, "window_closed"),
    ],
    ids=["by our clock", "as Weibo says", "a mention is too long ago"],
)
async def test_weibo_answers_below_the_post_when_the_window_is_closed(valkey, tmp_path, platform, hours, reason):
    async with telling(valkey, tmp_path, platform) as tale:
        await tale.ends()
        await tale.days_pass(hours)
        assert await answered(tale) == [("not_allowed", reason), ("sent", None)]
        assert "已有答复" in tale.platform.public[-1]
        assert not [one for one in tale.platform.private if ANSWER in one]


async def test_weibo_answers_a_mention_once_in_private_and_then_in_public(valkey, tmp_path):
    async with telling(valkey, tmp_path, OnWeibo(wrote=False, permitted=True)) as tale:
        assert await answered(tale) == [("not_allowed", "code_20301"), ("sent", None)]
        assert len(tale.platform.private) == 1, "that it was passed on"
        assert "已有答复" in tale.platform.public[-1]


async def test_weibo_answers_in_public_who_follows_us_no_more(valkey, tmp_path):
    async with telling(valkey, tmp_path, OnWeibo()) as tale:
        await tale.trouble("the citizen unfollows")
        assert await answered(tale) == [("not_allowed", "code_20301"), ("sent", None)]


async def test_on_weibo_nothing_is_left_but_the_reason(valkey, tmp_path):
    async with telling(valkey, tmp_path, OnWeibo(wrote=False)) as tale:
        await tale.trouble("the post is deleted")
        assert await answered(tale) == [("not_allowed", "code_20301"), ("not_allowed", "gone")]
        assert told(await tale.record()) == "could not be told: gone"


@pytest.mark.parametrize("done", ["html", "html after", "reset after", "truncated", "hang after"])
async def test_a_private_answer_in_doubt_is_told_in_public_and_never_twice(valkey, tmp_path, done):
    async with telling(valkey, tmp_path, OnWeibo()) as tale:
        await tale.ends()
        tale.platform.far.set_faults(next=[done], hang=1)
        assert await answered(tale) == [("failed", "no_reading_back"), ("sent", None)]
        assert len([one for one in tale.platform.private if ANSWER in one]) == (done != "html")
        assert "已有答复" in tale.platform.public[-1]


@pytest.mark.parametrize("name", ["weibo", "x"])
@pytest.mark.parametrize("done", ["html", "html after", "reset after", "truncated", "hang after"])
async def test_a_public_answer_in_doubt_is_read_back_and_written_once(valkey, tmp_path, name, done):
    platform = OnWeibo(wrote=False) if name == "weibo" else OnX()
    async with telling(valkey, tmp_path, platform) as tale:
        await tale.ends()
        before = len(platform.public)
        # On Weibo the private message is refused first; then: in doubt, not read back, read back.
        first = [""] if name == "weibo" else []
        platform.far.set_faults(next=[*first, done, "html"], hang=1)
        assert (await answered(tale))[-1] == ("sent", None)
        assert len(platform.public) == before + 1


async def test_a_token_that_ends_and_is_renewed_costs_no_answer(valkey, tmp_path):
    async with telling(valkey, tmp_path, OnWeibo()) as tale:
        await tale.ends()
        await tale.trouble("the token is over")
        await tale.reply(ANSWER)
        assert not [one for one in tale.platform.private if ANSWER in one]
        await tale.days_pass(1)
        await tale.trouble("the token is new")
        assert await tale.turn() == "settled"
        assert ANSWER in tale.platform.private[-1]


async def test_wechat_says_why_when_no_way_is_left(valkey, tmp_path):
    async with telling(valkey, tmp_path, OnWeChat()) as tale:
        await tale.ends()
        await tale.days_pass(49)
        assert await answered(tale) == [("not_allowed", "window_closed")]
        assert told(await tale.record()) == "could not be told: window_closed"


@pytest.mark.parametrize("name", PLATFORMS)
async def test_who_gave_a_number_is_called_when_the_platform_reaches_nobody(valkey, tmp_path, name):
    """Whose telephone is known is not left with a reason only."""
    async with telling(valkey, tmp_path, PLATFORMS[name](), phone=PHONE) as tale:
        for trouble in ("the post is deleted", "the citizen unfollows"):
            if trouble in tale.platform.troubles:
                await tale.trouble(trouble)
        await tale.ends()
        await tale.reply(ANSWER)
        await tale.ends()
        operation = await tale.operation(StepName.REPLY)
        assert (await tale.outcomes(operation))[-1] == ("call", "waiting")
        assert (await tale.record()).state == "replied"


# The laws

FAULTS = ("", "busy", "html", "reset", "truncated", "busy after", "html after", "reset after", "hang after")


@pytest.mark.parametrize("name", PLATFORMS)
@settings(QUICK, max_examples=12)
@given(data=st.data())
async def test_a_citizen_ends_with_an_answer_or_a_recorded_reason(valkey, tmp_path, name, data):
    platform = PLATFORMS[name]()
    async with telling(valkey, tmp_path, platform) as tale:
        faults = st.lists(st.sampled_from(FAULTS), max_size=6)
        troubles = st.lists(st.sampled_from(sorted(platform.troubles)), max_size=2)
        for step in (tale.turn, lambda: tale.reply(ANSWER)):
            for one in data.draw(troubles):
                await tale.trouble(one)
            await tale.days_pass(data.draw(st.sampled_from([0, 1, 49])))
            platform.far.set_faults(next=data.draw(faults), hang=0.5)
            await step()
        if data.draw(st.booleans()):
            for one in ("the token is new", "the keys are good"):
                if one in platform.troubles:
                    await tale.trouble(one)
        await tale.ends()
        await nobody_is_left_without_a_word(tale)


async def nobody_is_left_without_a_word(tale: Tale) -> None:
    record = await tale.record()
    operation = await tale.operation(StepName.REPLY)
    assert record.state == "closed"
    assert is_over(record, operation)
    (*others, last) = await tale.reasons(operation)
    assert all(outcome != "sent" and reason for outcome, reason in others)
    assert last[0] == "sent" or last[1], "the last word is an answer or a reason"
    assert (told(record) or "").startswith("told by" if last[0] == "sent" else "could not be told: ")
    said = Counter([*tale.platform.public, *tale.platform.private])
    assert not [one for one, times in said.items() if times > 1], "nothing is said twice"
    assert not [word for word in SECRETS for one in tale.platform.public if word in one]
    if last[0] == "sent":
        assert record.number in (tale.platform.public + tale.platform.private)[-1]


TEXTS = st.lists(
    st.sampled_from([*SECRETS, "幸福路", "已修好", "wang@mail.example"]) | st.text(min_size=1, max_size=20), min_size=1
).map("".join)


@pytest.mark.parametrize("name", ["weibo", "x"])
@settings(QUICK, max_examples=8)
@given(texts=st.tuples(TEXTS, TEXTS))
async def test_whatever_a_unit_answers_everybody_reads_the_same(valkey, tmp_path, name, texts):
    """Two answers, two tickets: what is public differs by number and mark only."""
    publicly = []
    for text in texts:
        platform = OnWeibo(wrote=False) if name == "weibo" else OnX()
        async with telling(valkey, tmp_path, platform) as tale:
            await tale.ends()
            await tale.reply(text)
            await tale.ends()
            number = (await tale.record()).number
            publicly.append([one.replace(number, "").translate(_NO_MARK)[:-5] for one in platform.public])
    assert publicly[0] == publicly[1]
    assert publicly[0], "something was said"


_NO_MARK = str.maketrans("", "", "〔〕[]")


# The same law for any channel at all, whatever it says


ANYTHING = st.sampled_from(
    [
        Delivery(outcome="sent", reference="r"),
        Delivery(outcome="failed", reason="code_1"),
        Delivery(outcome="failed"),
        Delivery(outcome="not_allowed", reason="window_closed"),
        Delivery(outcome="unknown", reason="timeout"),
        TryAgain(1.0),
        TryAgain(7200.0),
        RuntimeError("a bug"),
    ]
)


@dataclass
class Scripted(Answering):
    """Says what it is told, then always the last of it."""

    allowance: ClassVar[Allowance] = Allowance(calls=1, per_day=1000)
    said: list[tuple[str, bool, Delivery | Exception]] = field(default_factory=list)

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        answer = self.answers[0]
        self.said.append((message.operation, message.again, answer))
        return await super().reply(to, message)


@dataclass
class ScriptedOnce(Scripted):
    """The same where a repetition could be a second message."""

    repeatable: bool = False


@settings(QUICK, max_examples=60)
@given(
    answers=st.lists(ANYTHING, min_size=1, max_size=12),
    places=st.integers(0, 3),
    phone=st.booleans(),
    kind=st.sampled_from([Scripted, ScriptedOnce]),
    flags=st.sampled_from([(), (Flag.EMERGENCY,)]),
)
async def test_whatever_a_channel_says_it_ends(valkey, tmp_path, make_item, answers, places, phone, kind, flags):
    to = tuple(ReplyAddress(channel="social", address=f"a:{n}") for n in range(places))
    requester = Requester(phone=PHONE if phone else None, reply_to=to, receipt_to=to[-1] if to else None)
    n = next(_numbers)
    one = make_item(f"s:{n}", f"{LAMP}{n}", sequence=n, requester=requester, flags=flags)
    channel = kind(answers=list(answers))
    async with connect_async(valkey.config, valkey.directory) as client:
        await client.flushdb()  # what may be sent in a day is counted over all tickets
        TicketQueue(valkey.client(), grace=120).enqueue([one])
        it = Walk(builder(client, tmp_path)(Receiver("file"), region=town()), one.ticket_id, {"social": channel})
        await it.turn()
        await it.reply(ANSWER)
        for _ in range(80):
            if await it.turn() == "settled":
                break
            it.later(hours=25)
        record, operation = await it.record(), await it.operation(StepName.REPLY)
    outcomes = outcomes_of(record, operation)
    if record.fields.get(f"reply:{operation}") == "calling":
        assert phone
    else:
        assert is_over(record, operation)
        assert record.state == "closed"
    assert outcomes.count("sent") <= 1
    assert "sent" not in outcomes[:-1]
    for name in {name for name, _, _ in channel.said}:
        calls = [(again, answer) for one_name, again, answer in channel.said if one_name == name]
        told_it = [answer for _, answer in calls if isinstance(answer, Delivery) and answer.outcome == "sent"]
        assert len(told_it) <= 1, "what arrived is not sent again"
        doubt = False
        for again, answer in calls:
            assert again is (doubt and kind is Scripted), "after a doubt it is read back, for as long as it lasts"
            if isinstance(answer, RuntimeError) or (isinstance(answer, Delivery) and answer.outcome == "unknown"):
                doubt = True
        if kind is ScriptedOnce:
            firm = [answer for _, answer in calls if not isinstance(answer, TryAgain)]
            assert len(firm) <= 1, "it is asked again only after TryAgain"


def outcomes_of(record, operation: str) -> list[str]:
    found = [event["data"] for event in record.events() if event["type"] == NOTIFIED]
    return [one["outcome"] for one in found if one["operation"] == operation]
