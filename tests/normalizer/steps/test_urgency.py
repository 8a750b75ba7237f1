"""Tier, reasons and flags of the ticket follow from the rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from normalizer import Flag, Ticket, Tier, Urgency
from normalizer.config import NormalizerConfig
from normalizer.steps.urgency import judge_urgency
from normalizer.ticket import Inbound

TicketOf = Callable[..., Ticket]


@pytest.mark.parametrize(
    ("text", "tier", "reasons", "flags"),
    [
        ("五楼着火了", Tier.IMMEDIATE, ("fire",), (Flag.EMERGENCY,)),
        ("我不想活了", Tier.IMMEDIATE, ("self_harm",), (Flag.EMERGENCY, Flag.SELF_HARM)),
        ("有人持刀", Tier.IMMEDIATE, ("violence",), (Flag.EMERGENCY, Flag.VIOLENCE)),
        ("人行道井盖丢失", Tier.HOURS_2, ("hazard_road",), ()),
        ("小区停水两天了", Tier.HOURS_24, ("outage_water",), ()),
        ("停电了，电梯坏了，有人被困", Tier.IMMEDIATE, ("lift_trapped", "outage_power"), (Flag.EMERGENCY,)),
        ("路灯坏了", Tier.DAYS_7, (), ()),
    ],
)
def test_the_most_urgent_rule_decides(
    ticket_of: TicketOf, text: str, tier: Tier, reasons: tuple[str, ...], flags: tuple[Flag, ...]
) -> None:
    ticket = ticket_of(text)
    assert (ticket.urgency.tier, ticket.urgency.reasons, ticket.flags) == (tier, reasons, flags)


def test_a_rule_that_was_ruled_out_leaves_a_note(ticket_of: TicketOf) -> None:
    ticket = ticket_of("去年我家着火，至今没有赔偿")
    assert ticket.urgency.tier is Tier.DAYS_7
    assert ("fire_ruled_out", "context: past") in {(note.code, note.detail) for note in ticket.notes}


def test_an_emergency_that_the_channel_saw_is_immediate(ticket_of: TicketOf) -> None:
    ticket = ticket_of("按了求助键", flags=(Flag.EMERGENCY,))
    assert (ticket.urgency.tier, ticket.urgency.reasons) == (Tier.IMMEDIATE, ("flagged_by_channel",))


def test_a_site_may_leave_the_rules_out(ticket_of: TicketOf) -> None:
    assert ticket_of("着火了", config=NormalizerConfig(off=("urgency",))).urgency.tier is Tier.DAYS_7


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("路灯坏了", Tier.IMMEDIATE, Tier.IMMEDIATE),
        ("小区停水两天了", Tier.DAYS_15, Tier.HOURS_24),
        ("五楼着火了", Tier.DAYS_7, Tier.IMMEDIATE),
    ],
)
def test_what_a_model_found_before_is_added_to_and_never_taken_away(
    ticket_of: TicketOf, text: str, before: Tier, after: Tier
) -> None:
    draft = ticket_of(text, config=NormalizerConfig(off=("urgency",)))
    judged = judge_urgency(
        Inbound(text=text, digest=""), draft.model_copy(update={"urgency": Urgency(tier=before, reasons=("model",))})
    )
    assert judged.urgency.tier is after
    assert "model" in judged.urgency.reasons


def test_a_complex_matter_has_fifteen_days_unless_something_is_out(ticket_of: TicketOf) -> None:
    assert ticket_of("宅基地边界和邻居争了二十多年，村里镇里都说不清").urgency.tier is Tier.DAYS_15
    assert ticket_of("楼盘烂尾四年，今天又停水了").urgency.tier is Tier.HOURS_24
