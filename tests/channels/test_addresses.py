"""The guard: which addresses a webhook may reach."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from channels.addresses import is_literal, permitted

PUBLIC = ["8.8.8.8", "223.5.5.5", "2400:3200::1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",  # CGNAT
    "169.254.169.254",  # cloud metadata
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.1.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::10.0.0.1",  # IPv4-compatible
    "::ffff:10.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::a00:1",  # NAT64 of 10.0.0.1
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:a00:1::",  # 6to4 of 10.0.0.1
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "unit.example",
    "127.1",
    "2130706433",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert permitted(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_everything_else_is_not(address: str) -> None:
    assert not permitted(address)


@pytest.mark.parametrize("address", ["10.20.3.4", "::ffff:10.20.3.4", "64:ff9b::a14:304", "fd00:1::5"])
def test_a_listed_network_is_permitted_however_its_address_is_written(address: str) -> None:
    assert permitted(address, [ip_network("10.20.0.0/16"), ip_network("fd00:1::/32")])


@pytest.mark.parametrize("address", ["10.21.0.1", "127.0.0.1", "fd00:2::5"])
def test_a_listed_network_opens_nothing_else(address: str) -> None:
    assert not permitted(address, [ip_network("10.20.0.0/16"), ip_network("fd00:1::/32")])


def test_names_are_not_literals() -> None:
    assert is_literal("10.0.0.1")
    assert is_literal("::1")
    assert not is_literal("unit.example")
