"""Token buckets: a burst, then a rate, per client, in bounded memory."""

from __future__ import annotations

import pytest

from channels.buckets import Buckets, client_key


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    buckets = Buckets(burst=2, per_minute=6, size=10, clock=clock)
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 10]
    clock.now = 9.0
    assert buckets.take("a") == pytest.approx(1)
    clock.now = 10.0
    assert buckets.take("a") == 0
    assert buckets.take("b") == 0


def test_waiting_for_ever_gives_one_burst_only() -> None:
    clock = Clock()
    buckets = Buckets(burst=2, per_minute=60, size=10, clock=clock)
    clock.now = 1e6
    assert [buckets.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_only_the_keys_used_last_are_remembered() -> None:
    buckets = Buckets(burst=1, per_minute=0.001, size=2, clock=Clock())
    assert [buckets.take(key) for key in ("a", "b", "c")] == [0, 0, 0]
    assert len(buckets) == 2
    assert buckets.take("c") > 0
    assert buckets.take("a") == 0


def test_one_client_is_an_ipv4_address_or_an_ipv6_64() -> None:
    assert client_key("192.0.2.7") == "192.0.2.7"
    assert client_key("2001:db8:0:1:2::3") == client_key("2001:db8:0:1:ffff::9") == "2001:db8:0:1::/64"
    assert client_key("fe80::1%eth0") == "fe80::/64"
