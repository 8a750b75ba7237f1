"""The flag rules: each rule's own examples and near misses; and whom an accusation means, in the text's own words."""

from __future__ import annotations

import pytest

from normalizer import Inbound
from normalizer.accused import MOST, units_accused
from normalizer.flags import BOOK, read
from normalizer.rulebook import Rule

CASES = [(rule, text) for rule in BOOK.rule for text in rule.examples]
NEAR = [(rule, text) for rule in BOOK.rule for text in rule.near_misses]


def found(text: str) -> set[str]:
    return {one.rule.code for one in read(Inbound(text=text, digest="")).findings if one.ruled_out_by is None}


def name(value: object) -> str | None:
    return value.code if isinstance(value, Rule) else None


@pytest.mark.parametrize(("rule", "text"), CASES, ids=name)
def test_every_example_raises_its_rule(rule: Rule, text: str) -> None:
    assert rule.code in found(text)


@pytest.mark.parametrize(("rule", "text"), NEAR, ids=name)
def test_no_near_miss_does(rule: Rule, text: str) -> None:
    assert rule.code not in found(text)


def test_no_flag_rule_changes_a_time_limit_nor_names_an_emergency() -> None:
    for rule in BOOK.rule:
        assert rule.tier is None
        assert rule.call == ()
        assert "emergency" not in rule.flags


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("城关派出所民警把我推倒在地还骂人", ("城关派出所",)),
        ("城關派出所的警察打人", ("城關派出所",)),
        ("我要举报青山镇柳树村书记贪污", ("青山镇柳树村",)),
        ("举报村支书把低保名额给了自己侄子", ("村支书",)),
        ("请市纪委查处李庄村委会主任挪用公款", ("李庄村委会",)),
        ("镇里干部挪用扶贫款", ("镇里",)),
        ("县林业局副局长倒卖指标", ("林业局",)),
        ("The head of Willow Village took money from us", ("Willow Village",)),
        ("路灯坏了", ()),
    ],
)
def test_the_unit_accused_is_named_as_the_text_names_it(text: str, units: tuple[str, ...]) -> None:
    assert units_accused(text) == units


def test_never_more_than_a_few() -> None:
    assert len(units_accused("，".join(f"{one}街派出所打人" for one in "东西南北中上下左右"))) == MOST
