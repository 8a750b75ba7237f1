"""Which ticket a mail belongs to: what is signed is believed, what is only claimed is a claim."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.threads import (
    message_id,
    message_key,
    number_in_address,
    operation_token,
    reply_address,
    senders_of,
    sent_by_us,
    subject_tag,
    threads_of,
)
from normalizer.identity import number

SECRET = b"0123456789abcdef"
HOTLINE = "hotline@example.org"
NUMBER = number(date(2024, 3, 5), 1, 1)
OTHER = number(date(2024, 3, 5), 1, 2)


def keys(
    *,
    recipients: tuple[str, ...] = (HOTLINE,),
    in_reply_to: tuple[str, ...] = (),
    references: tuple[str, ...] = (),
    subject: str = "",
    own_id: str | None = None,
) -> tuple[str, ...]:
    return threads_of(
        recipients=recipients,
        in_reply_to=in_reply_to,
        references=references,
        subject=subject,
        own_id=own_id,
        mailboxes=(HOTLINE, "12345@example.org"),
        secret=SECRET,
    )


@given(st.integers(0, 99), st.integers(0, 10_000_000), st.binary(min_size=1, max_size=64))
def test_a_signed_address_gives_its_number_back_whatever_happens_to_its_case(
    gateway: int, sequence: int, secret: bytes
) -> None:
    given_number = number(date(2024, 3, 5), gateway, sequence)
    address = reply_address(HOTLINE, given_number, secret)
    assert address == address.lower()
    assert len(address.partition("@")[0]) <= 64
    for written in (address, address.upper(), f"<{address}>", f" {address} "):
        assert number_in_address(written, (HOTLINE,), secret) == given_number


def test_nobody_else_can_sign_an_address() -> None:
    address = reply_address(HOTLINE, NUMBER, SECRET)
    mac = address.partition(".")[2].partition("@")[0]
    for forged in (
        address.replace(NUMBER, OTHER),
        address.replace(mac, "a" * len(mac)),
        address.replace(mac, mac[:-1]),
        address.replace(f".{mac}", ""),
        address.replace("hotline+", "12345+"),
        address.replace("example.org", "example.net"),
        HOTLINE,
        "",
        "@",
        "hotline+@example.org",
    ):
        assert number_in_address(forged, (HOTLINE, "12345@example.org"), SECRET) is None
    assert number_in_address(address, (HOTLINE,), b"another secret") is None


@pytest.mark.parametrize("mailbox", ["hotline", "@example.org", "hotline@", "h" * 40 + "@example.org"])
def test_a_mailbox_that_cannot_carry_a_signed_address_is_told_at_once(mailbox: str) -> None:
    with pytest.raises(ValueError, match="mailbox"):
        reply_address(mailbox, NUMBER, SECRET)


def test_our_message_ids_are_the_same_for_every_try_and_give_number_and_sending_back() -> None:
    given_id = message_id(NUMBER, "receipt:1", "example.org", SECRET)
    assert given_id == message_id(NUMBER, "receipt:1", "Example.org", SECRET)
    assert sent_by_us(given_id, ("example.org",), SECRET) == (NUMBER, operation_token("receipt:1"))
    assert given_id != message_id(NUMBER, "receipt:2", "example.org", SECRET)


def test_nobody_else_can_make_a_message_id_of_ours() -> None:
    given_id = message_id(NUMBER, "receipt:1", "example.org", SECRET)
    mac = reply_address(HOTLINE, NUMBER, SECRET).partition(".")[2].partition("@")[0]
    assert sent_by_us(given_id.replace(NUMBER, OTHER), ("example.org",), SECRET) is None
    assert sent_by_us(given_id.replace("example.org", "example.net"), ("example.org", "example.net"), SECRET) is None
    assert sent_by_us(given_id, ("example.org",), b"another secret") is None
    assert sent_by_us(f"<{NUMBER}.{'a' * 13}.{mac}@example.org>", ("example.org",), SECRET) is None


def test_a_first_mail_is_found_by_its_own_id_later() -> None:
    first = keys(own_id="<a@qq.com>")
    assert first == (message_key("<a@qq.com>"),)
    assert first[0] in keys(in_reply_to=("<a@qq.com>",), own_id="<b@qq.com>")
    assert keys() == ()


def test_the_surest_key_stands_first_and_each_once() -> None:
    receipt = message_id(OTHER, "receipt", "example.org", SECRET)
    found = keys(
        recipients=("li@example.com", reply_address(HOTLINE, NUMBER, SECRET)),
        in_reply_to=(receipt,),
        references=("<oldest@a> <older@a>", f"{receipt}"),
        subject=f"Re: 受理通知 {subject_tag(NUMBER)}",
        own_id="<new@a>",
    )
    assert found == (
        f"number:{NUMBER}",
        f"number:{OTHER}",
        message_key("<older@a>"),
        message_key("<oldest@a>"),
        message_key("<new@a>"),
    )


@pytest.mark.parametrize(
    "subject", ["回复：受理通知 [#{}]", "Re: [# {} ] light", "答复：【#{}】", "[＃{}]", "Fwd: Re:[#{}]x"]
)
def test_the_subject_tag_is_found_as_programs_and_people_leave_it(subject: str) -> None:
    assert keys(subject=subject.format(NUMBER)) == (f"number:{NUMBER}",)


def test_a_number_with_a_wrong_digit_or_without_its_brackets_is_no_tag() -> None:
    wrong = NUMBER[:-1] + str((int(NUMBER[-1]) + 1) % 10)
    assert keys(subject=f"[#{wrong}]") == ()
    assert keys(subject=NUMBER) == ()


def test_ids_without_brackets_and_among_prose_are_read() -> None:
    assert keys(in_reply_to=("a@qq.com",)) == (message_key("<a@qq.com>"),)
    assert keys(in_reply_to=("a b@qq.com c",)) == (message_key("<b@qq.com>"),)
    assert keys(references=("old", "x@y@z")) == (message_key("<x@y@z>"), message_key("<old>"))
    prose = ("Your message of Tue, 5 Mar 2024 <a@qq.com>",)
    assert keys(in_reply_to=prose) == (message_key("<a@qq.com>"),)


def test_hostile_references_make_few_keys_without_the_ids_in_them() -> None:
    found = keys(references=(" ".join(f"<{n}@{'a' * 200}>" for n in range(5_000)),), own_id="<" + "b" * 900 + ">")
    assert len(found) == 21
    assert {len(key) for key in found} == {len("email:") + 32}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Zhang@QQ.com", ("email:zhang@qq.com",)),
        (" <zhang@qq.com> ", ("email:zhang@qq.com",)),
        ("zhang", ()),
        ("@", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_the_sender_is_known_by_the_address(address: str | None, expected: tuple[str, ...]) -> None:
    assert senders_of(address) == expected
