"""A gated expression finds where `re` finds, and says no where it says no."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.anatomy import beginning, options
from normalizer.flags import BOOK as FLAGS
from normalizer.gated import Gated, pairs
from normalizer.kinds import book
from normalizer.urgency import BOOK as URGENCY

EXPRESSIONS = [
    expression
    for rule in (*URGENCY.rule, *FLAGS.rule)
    for expression in (rule.needs, rule.unless, rule.around, rule.nowhere)
    if expression is not None
]
SAYINGS = (*book().kind, *book().hint)
EXPRESSIONS += [expression for saying in SAYINGS for expression in (saying.says, saying.unless)]
SAID = [text for rule in (*URGENCY.rule, *FLAGS.rule, *SAYINGS) for text in (*rule.examples, *rule.near_misses)]


@pytest.mark.parametrize(
    ("pattern", "split"),
    [
        ("a|b", ["a", "b"]),
        ("(?:a|b)c|d", ["(?:a|b)c", "d"]),
        (r"[|]x|\|y", ["[|]x", r"\|y"]),
        ("a", ["a"]),
    ],
)
def test_only_the_top_level_is_split(pattern: str, split: list[str]) -> None:
    assert options(pattern) == split


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("(?:人|孩).{0,3}(?:掉|跌)进", "孩子掉进井", True),
        ("(?:人|孩).{0,3}(?:掉|跌)进", "孩子在那边玩掉进井", False),
        ("(?:人|孩).{2,3}掉", "孩掉", False),
        ("水?管.{0,4}爆", "管子爆了", True),
        (r"\d{2}度|冷", "13度", True),
        ("(?<!没)着火", "没着火", False),
        ("(?<!没)着火", "着火", True),
        ("a.*b.{0,2}c", "a--b-c", True),
        ("", "", True),
    ],
)
def test_parts_beside_a_gap(pattern: str, text: str, found: bool) -> None:
    assert (Gated(pattern).search(text, pairs(text)) is not None) is found


def test_every_expression_of_the_rules_finds_in_the_cases_what_re_finds() -> None:
    for expression in EXPRESSIONS:
        plain = re.compile(expression.pattern)
        for text in SAID[::7]:
            assert (expression.search(text, pairs(text)) is None) == (plain.search(text) is None), (
                expression.pattern,
                text,
            )


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("着火|起火", "[着起]"),
        ("(?:a|bc)d", "[ab]"),
        ("x?[yz]w", "[xyz]"),
        (r"\d{2}度", r"[\d]"),
        ("(?<!没)有", "[有]"),
        ("(?:a|b)?", None),
        (".a", None),
        ("[^a]b", None),
        ("(a)b", None),
        (r"\.net|-x", r"[\-\.]"),
    ],
)
def test_with_what_a_match_begins(pattern: str, told: str | None) -> None:
    assert beginning(pattern) == told


def test_every_word_of_the_rules_is_an_expression() -> None:
    """They are compiled when a text first asks for them; a wrong one must not wait until then."""
    for rule in (*URGENCY.rule, *FLAGS.rule):
        for word in rule.any:
            re.compile(word)


@given(st.text(alphabet="abc", max_size=30))
def test_like_re_on_any_text(text: str) -> None:
    for pattern in ("a{1,2}.{0,3}(?:b|cc)", "(?:ab|c?)a|bc", "[ab]c.{1,2}a|b+", "(?=a)a.{0,2}c"):
        assert (Gated(pattern).search(text, pairs(text)) is None) == (re.search(pattern, text) is None)
