"""Signatures of pushes: the documented vectors, how long one is good, and what is a replay and what a second try."""

from __future__ import annotations

import pytest

from channels.social.signed import Freshness, any_same, signed

NOW = 1_764_000_000.0


@pytest.mark.parametrize(
    ("secret", "timestamp", "nonce", "expected"),
    [
        ("xyz123xyz", "1397022061823", "57155157", "90e4c22c90a58f26526c2dd5b6c56c8822edeaa1"),
        ("AAAAA", "1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        ("AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
    ],
    ids=["Weibo", "WeChat, address", "WeChat, message"],
)
def test_the_vectors_of_the_documentation(secret: str, timestamp: str, nonce: str, expected: str) -> None:
    assert signed(secret, timestamp, nonce) == signed(secret, nonce, timestamp) == expected


@pytest.mark.parametrize(
    ("given", "expected", "same"),
    [("a", ["b", "a"], True), ("a", ["b"], False), ("a", [], False), ("", [""], False), ("é", ["e"], False)],
)
def test_one_of_several_secrets_is_enough_and_none_is_no_match(given: str, expected: list[str], same: bool) -> None:
    assert any_same(given, expected) is same


@pytest.mark.parametrize(("age", "stale"), [(0, False), (299, False), (301, True), (-299, False), (-301, True)])
def test_a_signature_is_good_for_a_while_in_both_directions(age: float, stale: bool) -> None:
    assert Freshness(300, clock=lambda: NOW + age).stale(NOW) is stale


def test_the_same_message_again_is_a_second_try_and_another_one_a_replay() -> None:
    freshness = Freshness(300, clock=lambda: NOW)
    assert not freshness.replayed("1", "123", "msg:1")
    assert not freshness.replayed("1", "123", "msg:1")
    assert freshness.replayed("1", "123", "msg:2")
    assert not freshness.replayed("1", "124", "msg:2")
    assert not freshness.replayed("2", "123", "msg:2")


def test_it_remembers_for_as_long_as_the_signature_is_fresh_and_no_longer() -> None:
    now = [NOW]
    freshness = Freshness(300, clock=lambda: now[0])
    ahead = NOW + 300
    assert not freshness.replayed(str(ahead), "1", "msg:1")
    now[0] = NOW + 599
    assert not freshness.stale(ahead)
    assert freshness.replayed(str(ahead), "1", "msg:2"), "forgotten while it was still fresh"
    now[0] = NOW + 700
    assert freshness.stale(ahead)
    freshness.replayed(str(now[0]), "2", "msg:3")
    assert len(freshness._seen) == 1, "what is stale anyway is forgotten"


def test_its_memory_is_bounded() -> None:
    freshness = Freshness(300, size=10, clock=lambda: NOW)
    for n in range(100):
        freshness.replayed(str(NOW), str(n), "msg:1")
    assert len(freshness._seen) <= 11
