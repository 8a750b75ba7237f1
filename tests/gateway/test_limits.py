"""Rate limits hold with a clock we turn ourselves, and their memory is bounded."""

from __future__ import annotations

import json
from typing import Any

from channels.buckets import client_key
from gateway.limits import Buckets, Guesses, Refusal, too_many


def buckets(clock: Any, **changes: Any) -> Buckets:
    return Buckets("submissions", **{"burst": 3, "per_minute": 6, "size": 2, "clock": clock} | changes)


def test_a_burst_passes_then_one_token_at_a_time(clock: Any) -> None:
    limit = buckets(clock)
    assert [limit.take("a") for _ in range(3)] == [None] * 3
    assert limit.take("a") == Refusal("submissions", 3, window=30, after=10)
    clock.sleep(9)
    refused = limit.take("a")
    assert refused is not None
    assert round(refused.after, 6) == 1
    clock.sleep(1)
    assert limit.take("a") is None
    assert limit.take("a") is not None


def test_asking_too_often_does_not_push_the_next_token_away(clock: Any) -> None:
    limit = buckets(clock)
    for _ in range(50):
        limit.take("a")
    clock.sleep(10)
    assert limit.take("a") is None


def test_clients_do_not_share_a_bucket(clock: Any) -> None:
    limit = buckets(clock)
    for _ in range(4):
        limit.take("a")
    assert limit.take("b") is None


def test_a_bucket_never_holds_more_than_the_burst(clock: Any) -> None:
    limit = buckets(clock)
    limit.take("a")
    clock.sleep(100_000)
    assert [limit.take("a") is None for _ in range(4)] == [True, True, True, False]


def test_only_the_clients_seen_last_are_remembered(clock: Any) -> None:
    limit = buckets(clock)
    for key in "abcdefgh":
        limit.take(key)
        assert len(limit) <= 2


def test_five_wrong_codes_an_hour_per_number(clock: Any) -> None:
    guesses = Guesses(5, clock=clock)
    for _ in range(5):
        assert guesses.attempt("1") is None
        clock.sleep(60)
    refused = guesses.attempt("1")
    assert refused == Refusal("guesses", 5, window=3600, after=3300)
    assert guesses.attempt("2") is None
    clock.sleep(3300)
    assert guesses.attempt("1") is None
    assert guesses.attempt("1") is not None


def test_a_right_code_costs_nothing(clock: Any) -> None:
    guesses = Guesses(5, clock=clock)
    for _ in range(100):
        assert guesses.attempt("1") is None
        guesses.right("1")
    assert len(guesses) == 0


def test_tries_at_the_same_moment_are_counted_before_any_of_them_ends(clock: Any) -> None:
    guesses = Guesses(5, clock=clock)
    assert [guesses.attempt("1") for _ in range(1000)].count(None) == 5


def test_numbers_tried_are_forgotten_oldest_first(clock: Any) -> None:
    guesses = Guesses(5, size=3, clock=clock)
    for number in range(10):
        guesses.attempt(str(number))
        assert len(guesses) <= 3


def test_an_ipv6_client_is_its_64_bit_network() -> None:
    assert client_key("2001:db8:1:2:3::4") == client_key("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert client_key("2001:db8:1:3::4") != client_key("2001:db8:1:2::9")
    assert client_key("192.0.2.1") != client_key("192.0.2.2")


def test_the_answer_says_when_to_come_back() -> None:
    answer = too_many(Refusal("submissions", 60, window=60, after=0.2))
    assert answer.status == 429
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["RateLimit-Policy"] == '"submissions";q=60;w=60'
    assert answer.headers["RateLimit"] == '"submissions";r=0;t=1'
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body)["code"] == "too_many_requests"
