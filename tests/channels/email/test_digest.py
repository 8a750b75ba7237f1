"""One mail, one name: whatever way it took; another content, another name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.digest import source_id

MAIL = b"""From: a@b.cn\r
To: hotline@x.cn\r
Subject: lamp\r
Message-ID: <1@b.cn>\r
Date: Mon, 23 Nov 2026 10:00:00 +0800\r
\r
The lamp is broken.\r
"""


@pytest.mark.parametrize(
    "again",
    [
        b"Received: from x by y; today\r\n" + MAIL,
        b"Return-Path: <a@b.cn>\r\nDelivered-To: hotline\r\nX-Spam-Score: 1\r\nARC-Seal: i=1; a=b\r\n" + MAIL,
        MAIL.replace(b"\r\n", b"\n"),
        MAIL.replace(b"Subject: lamp", b"subject:\r\n  lamp"),
        MAIL + b"\r\n\r\n",
        MAIL.replace(b"From: a@b.cn\r\nTo: hotline@x.cn\r\n", b"To: hotline@x.cn\r\nFrom: a@b.cn\r\n"),
    ],
    ids=["another hop", "another mailbox", "line ends", "folding", "blank lines", "order"],
)
def test_the_same_mail_by_another_way_has_the_same_name(again: bytes) -> None:
    assert source_id(again) == source_id(MAIL)


@pytest.mark.parametrize("changed", [(b"broken", b"fixed"), (b"Subject: lamp", b"Subject: road"), (b"10:00", b"10:01")])
def test_other_content_under_the_same_id_has_another_name(changed: tuple[bytes, bytes]) -> None:
    name, digest = source_id(MAIL.replace(*changed))
    assert name.startswith("message:1@b.cn:")
    assert (name, digest) != source_id(MAIL)


def test_without_an_id_the_digest_is_the_name() -> None:
    name, digest = source_id(MAIL.replace(b"Message-ID: <1@b.cn>\r\n", b""))
    assert name == f"content:{digest}"
    assert len(digest) == 64


def test_a_name_is_short_and_printable_whatever_the_id() -> None:
    name, _ = source_id(MAIL.replace(b"<1@b.cn>", b"<" + b"\xe4\x00x " * 5_000 + b">"))
    assert len(name) < 300
    assert name.isascii()
    assert name.isprintable()


@given(st.binary(max_size=300))
def test_any_bytes_have_a_name(content: bytes) -> None:
    assert source_id(content)[0]
