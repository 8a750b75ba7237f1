"""What the citizen filled in is taken as said."""

from __future__ import annotations

from collections.abc import Callable

from normalizer import Category, Flag, Kind, Ticket
from normalizer.config import NormalizerConfig

TicketOf = Callable[..., Ticket]


def test_kind_and_category_come_from_the_form(ticket_of: TicketOf) -> None:
    ticket = ticket_of("路灯坏了", kind="complaint", category=" lighting ")
    assert ticket.kind is Kind.COMPLAINT
    assert ticket.category == Category(code="lighting", confidence=1, method="requester")


def test_what_was_not_given_is_left_to_the_steps_that_read(ticket_of: TicketOf) -> None:
    ticket = ticket_of("路口那件事", category="  ", config=NormalizerConfig(off=("kind", "category")))
    assert ticket.kind is Kind.OTHER
    assert ticket.category is None


def test_a_confidential_request_is_flagged_once(ticket_of: TicketOf) -> None:
    requester = {"confidential": True}
    assert ticket_of("举报", requester=requester).flags == (Flag.CONFIDENTIAL,)
    assert ticket_of("举报", requester=requester, flags=(Flag.CONFIDENTIAL,)).flags == (Flag.CONFIDENTIAL,)
