"""Authentication-Results: our own server's are believed, and nobody else's, whatever name they bear."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.auth import results

OURS = b"mx.hotline.example"
GOOD = b" mx.hotline.example; spf=pass smtp.mailfrom=citizen.example; dkim=pass header.d=citizen.example; dmarc=pass"
ENTRY = b" from mta.citizen.example (mta.citizen.example [198.51.100.7]) by mx.hotline.example (Postfix); Mon"
INSIDE = b" from mx.hotline.example (localhost [127.0.0.1]) by mx.hotline.example (amavisd); Mon"
ALL = {"spf": "pass", "dkim": "pass", "dmarc": "pass"}


def found(*fields: tuple[bytes, bytes], trusted: tuple[str, ...] = ()) -> dict[str, str]:
    return results.found(fields, OURS.decode(), tuple(ipaddress.ip_network(one) for one in trusted))


def received(value: bytes) -> tuple[bytes, bytes]:
    return b"Received", value


def said(value: bytes) -> tuple[bytes, bytes]:
    return b"Authentication-Results", value


@pytest.mark.parametrize(
    "fields",
    [
        [said(GOOD), received(ENTRY)],
        [received(ENTRY), said(GOOD)],
        [received(INSIDE), received(ENTRY), said(GOOD)],
        [received(INSIDE), said(GOOD), received(ENTRY)],
        [received(b" by mx.hotline.example with LMTP; Mon"), received(ENTRY), said(GOOD)],
        [received(b" from store (store.hotline.example [IPv6:fd00::5]) by mx; Mon"), received(ENTRY), said(GOOD)],
    ],
)
def test_what_our_server_wrote_where_the_mail_came_in_is_believed(fields: list[tuple[bytes, bytes]]) -> None:
    assert found(*fields) == ALL


@pytest.mark.parametrize(
    "fields",
    [
        [received(ENTRY), received(b" from a by mx.hotline.example"), said(GOOD)],
        [received(ENTRY), received(INSIDE), said(GOOD)],
        # The peer says in its HELO that it is one of us; the server says what it is.
        [received(b" from [127.0.0.1] (unknown [198.51.100.7]) by mx"), received(INSIDE), said(GOOD)],
        [received(b" from 127.0.0.1 (unknown [IPv6:2001:db8::7]) by mx"), received(INSIDE), said(GOOD)],
        [received(b" from [10.0.0.1] (198.51.100.7) by mx"), received(INSIDE), said(GOOD)],
        [received(b" from somewhere by mx"), received(INSIDE), said(GOOD)],
        [received(b" from x ([127.0.0.1.evil]) by mx"), received(INSIDE), said(GOOD)],
    ],
)
def test_what_stands_further_down_came_with_the_mail(fields: list[tuple[bytes, bytes]]) -> None:
    assert found(*fields) == {}


def test_a_hop_through_a_trusted_network_is_inside() -> None:
    relay = received(b" from relay (relay [203.0.113.5]) by mx; Mon")
    assert found(relay, received(ENTRY), said(GOOD)) == {}
    assert found(relay, received(ENTRY), said(GOOD), trusted=("203.0.113.0/24",)) == ALL


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" MX.hotline.example 1; SPF=Pass", {"spf": "pass"}),
        (b' "mx.hotline.example"; auth=pass smtp.auth=li', {"auth": "pass"}),
        (b" mx.hotline.example; dkim/1 = pass (good; dkim=fail (really)) header.i=@a", {"dkim": "pass"}),
        (b' mx.hotline.example; dkim=fail reason="; spf=pass"', {"dkim": "fail"}),
        (b" mx.hotline.example; dkim=fail; dkim=pass; dkim=neutral", {"dkim": "pass"}),
        (b" mx.hotline.example; spf=softfail; spf=pass", {"spf": "softfail"}),
        (b" mx.hotline.example; none", {}),
        (b" mx.hotline.example; dkim=timeout; iprev=pass; spf=passed", {}),
        (b" mx.hotline.example.evil.example; dkim=pass", {}),
        (b" evil.example; dkim=pass", {}),
        (b" (mx.hotline.example); dkim=pass", {}),
        (b" dkim=pass", {}),
        (b"", {}),
    ],
)
def test_a_field_is_read_by_its_grammar(value: bytes, expected: dict[str, str]) -> None:
    assert found(said(value + b"\r\n")) == expected


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(value: bytes) -> None:
    found(said(b"mx.hotline.example;" + value), received(b"from " + value), said(value))
