"""Phones become E.164 when they can be understood; answers go back the way the request came."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from normalizer import Ticket
from normalizer.config import NormalizerConfig

TicketOf = Callable[..., Ticket]


def notes(ticket: Ticket) -> set[str]:
    return {note.code for note in ticket.notes if note.step == "contact"}


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("13800138000", "+8613800138000"),
        ("138 0013 8000", "+8613800138000"),
        ("１３８００１３８０００", "+8613800138000"),
        ("8613800138000", "+8613800138000"),
        ("(+86)138-0013-8000", "+8613800138000"),
        ("010-88886666", "+861088886666"),
        ("(0591)87654321", "+8659187654321"),
        ("０５９１－８７６５４３２１", "+8659187654321"),
        ("400-800-1234", "+864008001234"),
        ("+852 9123 4567", "+85291234567"),
        ("00852 91234567", "+85291234567"),
        ("+853 66123456", "+85366123456"),
        ("+886 912 345 678", "+886912345678"),
    ],
)
def test_a_phone_becomes_e164(ticket_of: TicketOf, written: str, understood: str) -> None:
    ticket = ticket_of("路灯坏了", requester={"phone": written})
    assert ticket.requester.phone == understood
    assert "phone_not_understood" not in notes(ticket)
    assert ("phone", understood) in {(to.channel, to.address) for to in ticket.requester.reply_to}


@pytest.mark.parametrize(
    "written",
    [
        "87654321",  # no area code: which city is not ours to guess
        "1380013800",
        "010-88886666转8001",  # E.164 cannot hold the extension, without which nobody is reached
        "0898-66211234 ext 12",
        "13800138000/13900139000",
        "110101199003071234",
        "找门卫",
        "1" * 500,
    ],
)
def test_a_phone_that_is_not_understood_stays_as_written(ticket_of: TicketOf, written: str) -> None:
    ticket = ticket_of("路灯坏了", requester={"phone": written})
    assert ticket.requester.phone == written
    assert notes(ticket) == {"phone_not_understood", "no_reply_address"}


def test_the_site_chooses_the_region(ticket_of: TicketOf) -> None:
    ticket = ticket_of("街燈壞了", requester={"phone": "91234567"}, config=NormalizerConfig(region="HK"))
    assert ticket.requester.phone == "+85291234567"


@pytest.mark.parametrize(
    ("written", "understood"),
    [("Wang.Li@Example.COM", "Wang.Li@example.com"), ("wang＠example．com", "wang@example.com")],
)
def test_the_domain_of_a_mail_address_is_lowered(ticket_of: TicketOf, written: str, understood: str) -> None:
    assert ticket_of("路灯坏了", requester={"email": written}).requester.email == understood


@pytest.mark.parametrize("written", ["not an address", "a@b@c", "@example.com", "a@"])
def test_a_mail_address_that_is_none_stays_as_written(ticket_of: TicketOf, written: str) -> None:
    ticket = ticket_of("路灯坏了", requester={"email": written})
    assert ticket.requester.email == written
    assert "email_not_understood" in notes(ticket)
    assert ticket.requester.reply_to == ()


@pytest.mark.parametrize(
    ("channel", "order"),
    [
        ("web", ["email", "phone", "weibo"]),
        ("phone", ["phone", "email", "weibo"]),
        ("email", ["email", "phone", "weibo"]),
        ("weibo", ["weibo", "email", "phone"]),
    ],
)
def test_answers_go_first_the_way_the_request_came(ticket_of: TicketOf, channel: str, order: list[str]) -> None:
    requester = {
        "phone": "13800138000",
        "email": "a@example.com",
        "handles": ({"platform": "weibo", "id": "42"},),
    }
    ticket = ticket_of("路灯坏了", channel=channel, requester=requester)
    assert [to.channel for to in ticket.requester.reply_to] == order


def test_what_the_source_asked_for_comes_first_and_once(ticket_of: TicketOf) -> None:
    requester = {"email": "a@example.com", "reply_to": ({"channel": "email", "address": "a@example.com"},)}
    ticket = ticket_of("路灯坏了", requester=requester)
    assert [(to.channel, to.address) for to in ticket.requester.reply_to] == [("email", "a@example.com")]


def test_a_number_to_call_back_is_one_address_however_it_was_written(ticket_of: TicketOf) -> None:
    requester = {"phone": "139 0013 9000", "reply_to": ({"channel": "phone", "address": "139 0013 9000"},)}
    ticket = ticket_of("路灯坏了", channel="phone", requester=requester)
    assert [(to.channel, to.address) for to in ticket.requester.reply_to] == [("phone", "+8613900139000")]
