"""The urgency rules: each rule's own examples and near misses, what a receipt may rely on, and what they cost."""

from __future__ import annotations

import time

import pytest

from normalizer import Flag, Inbound, Speaker, Tier, Turn, alarms
from normalizer.urgency import BOOK, Assessed, Rule, assess, emergency_numbers

CASES = [(rule, text) for rule in BOOK.rule for text in rule.examples]
NEAR = [(rule, text) for rule in BOOK.rule for text in rule.near_misses]


def inbound(text: str, **more: object) -> Inbound:
    return Inbound.model_validate({"text": text, "digest": "0" * 64, **more})


def applying(text: str) -> list[str]:
    return [finding.rule.code for finding in assess(inbound(text)).findings if finding.ruled_out_by is None]


def name(value: object) -> str | None:
    return value.code if isinstance(value, Rule) else None


@pytest.mark.parametrize(("rule", "text"), CASES, ids=name)
def test_every_example_raises_its_rule(rule: Rule, text: str) -> None:
    assert rule.code in applying(text)


@pytest.mark.parametrize(("rule", "text"), NEAR, ids=name)
def test_no_near_miss_raises_its_rule_nor_an_emergency(rule: Rule, text: str) -> None:
    assert rule.code not in applying(text)
    assert alarms(inbound(text)) == ()


@pytest.mark.parametrize("rule", [rule for rule in BOOK.rule if rule.tier is Tier.IMMEDIATE], ids=name)
def test_every_danger_tells_the_sender_whom_to_call(rule: Rule) -> None:
    assert rule.call
    assert Flag.EMERGENCY in rule.flags
    for text in rule.examples:
        assert set(rule.flags) <= set(alarms(inbound(text)))
        assert set(rule.call) <= set(emergency_numbers(text))


def test_an_ordinary_request_raises_nothing() -> None:
    ordinary = inbound("路灯坏了三天，晚上很黑，请派人来修。")
    assert alarms(ordinary) == ()
    assert emergency_numbers(ordinary) == ()
    assert assess(ordinary) == Assessed((), sounds=None)


def test_the_title_and_the_citizen_count_but_not_what_the_agent_says() -> None:
    assert Flag.EMERGENCY in alarms(inbound("", title="五楼着火了"))
    told = Turn(speaker=Speaker.CITIZEN, text="我家着火了")
    asked = Turn(speaker=Speaker.AGENT, text="着火了请拨打119")
    assert Flag.EMERGENCY in alarms(inbound("", conversation=(told,)))
    assert alarms(inbound("", conversation=(asked,))) == ()


def test_a_finding_says_which_context_ruled_it_out() -> None:
    [finding] = assess(inbound("去年我家着火，至今没有赔偿")).findings
    assert (finding.rule.code, finding.ruled_out_by) == ("fire", "past")


def test_an_emergency_the_channel_saw_reaches_the_sender() -> None:
    assert alarms(inbound("按了求助键", flags=(Flag.EMERGENCY,))) == (Flag.EMERGENCY,)


def test_two_dangers_give_both_numbers_in_the_order_of_the_rules() -> None:
    assert emergency_numbers("厨房着火了，我爸晕倒了") == ("119", "120")


def test_rules_and_contexts_are_named_once_and_known() -> None:
    codes = [rule.code for rule in BOOK.rule]
    contexts = [context.name for context in BOOK.context]
    assert len(set(codes)) == len(codes)
    assert len(set(contexts)) == len(contexts)
    assert {name for rule in BOOK.rule for name in rule.ruled_out_by} <= set(contexts)


def test_an_emergency_elsewhere_in_a_long_text_is_found() -> None:
    assert Flag.EMERGENCY in alarms(inbound("路灯坏了很久，请派人来修。" * 200 + "楼下着火了，快来人"))


def test_a_danger_named_once_as_past_and_once_as_present_is_present() -> None:
    assert Flag.EMERGENCY in alarms(inbound("去年三月这里着过火。今天又着火了，烟很大。"))


@pytest.mark.parametrize(
    "text",
    [
        "他说再不给钱就一起死，门已经反锁了",
        "如果你们不来，他就杀了我",
        "谢谢你们，请快来救人，孩子被困在三楼",
        "賠償還沒談，他又拿刀砍人了，現在在門口",
    ],
)
def test_a_polite_or_conditional_word_beside_it_takes_no_danger_away(text: str) -> None:
    assert Flag.EMERGENCY in alarms(inbound(text))


@pytest.mark.parametrize("piece", ["火", "着火", "人被困", "水", "孩子不见了，", "a fire ", "打", "没有", "。"])
def test_hostile_runs_are_read_in_a_moment(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    started = time.thread_time()
    alarms(inbound(text))
    assert time.thread_time() - started < 2


def test_an_ordinary_request_costs_a_tenth_of_a_millisecond_or_little_more() -> None:
    """The best of some, so that a busy machine does not count; the bound is ten times what an idle one needs."""
    one = inbound(("小区北门外的路灯坏了三天，晚上很黑，老人出行不便，物业说不归他们管，请派人来修。" * 8)[:300])
    best = min(_took(one) for _ in range(50))
    assert best < 0.001


def _took(one: Inbound) -> float:
    before = time.thread_time()
    alarms(one)
    return time.thread_time() - before
