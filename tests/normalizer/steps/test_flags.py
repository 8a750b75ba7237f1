"""Flags by words reach the ticket, with reasons; what was flagged before stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from normalizer import Flag, Ticket, Tier
from normalizer.config import NormalizerConfig

TicketOf = Callable[..., Ticket]


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("工地六十多个农民工工资半年没发，准备堵路", Flag.GROUP_EVENT),
        ("昨天物业保安把我父亲推倒打伤了，还在住院", Flag.VIOLENCE),
        ("请问法律援助需要什么材料", Flag.LEGAL),
        ("街道办城管科的人收摊贩红包，给钱就不罚", Flag.AGAINST_OFFICIAL),
        ("黑作坊用童工，最小的才十三岁", Flag.MINOR),
        ("请对我的身份保密，楼下棋牌室赌博", Flag.CONFIDENTIAL),
    ],
)
def test_words_set_a_flag_and_say_why(ticket_of: TicketOf, text: str, flag: Flag) -> None:
    ticket = ticket_of(text)
    assert flag in ticket.flags
    assert "flags" in {note.step for note in ticket.notes}
    assert ticket.urgency.tier is not Tier.IMMEDIATE


def test_the_accused_unit_is_on_the_ticket(ticket_of: TicketOf) -> None:
    assert ticket_of("街道办城管科的人收摊贩红包，给钱就不罚").accused == ("街道办城管科",)
    assert ticket_of("路灯坏了").accused == ()


def test_who_asks_for_confidentiality_gets_it(ticket_of: TicketOf) -> None:
    assert ticket_of("别让村里知道是我说的").requester.confidential
    assert not ticket_of("物业账目不公开").requester.confidential


def test_a_context_that_voids_leaves_a_note(ticket_of: TicketOf) -> None:
    ticket = ticket_of("这部电影太暴力，孩子看了学着打人")
    assert Flag.VIOLENCE not in ticket.flags


def test_what_the_channel_flagged_stays(ticket_of: TicketOf) -> None:
    assert ticket_of("路灯坏了", flags=(Flag.REPEAT,)).flags == (Flag.REPEAT,)


def test_a_site_may_leave_the_step_out(ticket_of: TicketOf) -> None:
    assert ticket_of("请对我的身份保密", config=NormalizerConfig(off=("flags",))).flags == ()
