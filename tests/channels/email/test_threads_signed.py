"""What we signed is believed only when all of it is as we signed it, and for as long as the secret lives."""

from __future__ import annotations

from datetime import date

import pytest

from channels.email.threads import (
    message_id,
    message_key,
    number_in_address,
    operation_token,
    reply_address,
    senders_of,
    sent_by_us,
    threads_of,
    unit_address,
)
from normalizer.identity import number

SECRET = b"0123456789abcdef"
HOTLINE, DOMAIN = "hotline@example.org", "example.org"
NUMBER = number(date(2024, 3, 5), 1, 1)
ADDRESS = "hotline+2024030501000016.455msb3r7lvfk3wn@example.org"
ID = "2024030501000016.74n3v7ywctwf5.awhv6syk3mf4w7nm@example.org"


def keys(subject: str = "", references: str = "") -> tuple[str, ...]:
    return threads_of(
        recipients=(),
        in_reply_to=(),
        references=(references,),
        subject=subject,
        own_id=None,
        mailboxes=(HOTLINE,),
        secret=SECRET,
    )


def test_what_lies_in_citizens_mailboxes_is_still_ours_in_the_next_version() -> None:
    assert reply_address(HOTLINE, NUMBER, SECRET) == ADDRESS
    units = unit_address(HOTLINE, NUMBER, "office@unit.example", SECRET)
    assert units == "hotline+2024030501000016.sflppsrzl7afzukh@example.org"
    assert message_id(NUMBER, "receipt:1", DOMAIN, SECRET) == f"<{ID}>"
    assert message_key("<a@qq.com>") == "email:583e9ad2e53d738416fc88bdae9c71d5"
    assert number_in_address(ADDRESS, (HOTLINE,), SECRET) == NUMBER
    assert sent_by_us(ID, (DOMAIN,), SECRET) == (NUMBER, operation_token("receipt:1"))


def changed(text: str) -> list[str]:
    """`text` with each single character of its signed part changed, and with some more or fewer of them."""
    local, _, domain = text.partition("@")
    start = local.find("+") + 1
    one_off = [
        f"{local[:at]}{'3' if local[at] == '2' else '2'}{local[at + 1 :]}@{domain}" for at in range(start, len(local))
    ]
    return [
        *one_off,
        f"{local[:-1]}@{domain}",
        f"{local}a@{domain}",
        f"{local} @{domain}",
        f"{local[:start]}x{local[start:]}@{domain}",
        f"{local}.{local[-16:]}@{domain}",
        f"{local}@{domain}.cn",
    ]


@pytest.mark.parametrize("forged", changed(ADDRESS))
def test_an_address_with_anything_changed_is_not_ours(forged: str) -> None:
    assert number_in_address(forged, (HOTLINE,), SECRET) is None


@pytest.mark.parametrize("forged", changed(ID))
def test_a_message_id_with_anything_changed_is_not_ours(forged: str) -> None:
    assert sent_by_us(forged, (DOMAIN, "example.org.cn"), SECRET) is None


def test_what_we_signed_for_a_mailbox_that_is_no_longer_ours_is_worth_nothing() -> None:
    assert number_in_address(ADDRESS, ("12345@example.org",), SECRET) is None
    assert number_in_address(ADDRESS, (), SECRET) is None
    assert sent_by_us(ID, ("example.net",), SECRET) is None
    assert sent_by_us(ID, (), SECRET) is None


def test_our_mailboxes_may_be_configured_in_any_case() -> None:
    assert number_in_address(ADDRESS, (" Hotline@Example.ORG ",), SECRET) == NUMBER
    assert reply_address(" Hotline@Example.ORG ", NUMBER, SECRET) == ADDRESS
    assert sent_by_us(f" <{ID.upper()}> ", ("EXAMPLE.org",), SECRET) is not None


def test_a_signed_address_may_have_64_octets_before_its_at_and_no_more() -> None:
    room = 64 - len("+" + ADDRESS.partition("+")[2].partition("@")[0])
    assert len(reply_address("h" * room + "@example.org", NUMBER, SECRET).partition("@")[0]) == 64
    with pytest.raises(ValueError, match="too long"):
        reply_address("h" * (room + 1) + "@example.org", NUMBER, SECRET)


def test_a_subject_gives_three_numbers_at_most_and_only_from_its_beginning() -> None:
    numbers = [number(date(2024, 3, 5), 1, sequence) for sequence in range(1, 6)]
    assert keys(" ".join(f"[#{one}]" for one in numbers)) == tuple(f"number:{one}" for one in numbers[:3])
    assert keys("x" * 2_000 + f"[#{NUMBER}]") == ()


def test_a_reference_to_a_mail_of_ours_names_its_ticket_and_to_others_the_nearest_first() -> None:
    assert keys(references=f"<old@a> <{ID}> <new@a>") == (
        message_key("new@a"),
        f"number:{NUMBER}",
        message_key("old@a"),
    )


@pytest.mark.parametrize("address", ["a b@qq.com", "a@qq.com b@qq.com", "@qq.com\nx", "a\u3000b@qq.com", "@@"])
def test_what_is_no_single_address_is_nobodys_key(address: str) -> None:
    assert senders_of(address) == ()
