"""Who acts in the random lives of tickets, where, and what citizens say and ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from normalizer.life import Actor, Role, StepName
from normalizer.ticket import Flag, ReplyAddress, Requester
from tests.workers.regions import town
from workers.runtime import Site

BEGIN = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)
SITE = Site("12345", "https://hotline.example")
REGION = town()
PHONE = "+8613900000001"
TEXTS = ("城北柳树街的路灯坏了", "城南榆树街停水了", "想问个事", "城北柳树街又占道")
ASKING = (
    Requester(),
    Requester(
        reply_to=(ReplyAddress(channel="email", address="a@home.example"),),
        receipt_to=ReplyAddress(channel="email", address="a@home.example"),
    ),
    Requester(phone=PHONE),
    Requester(
        phone=PHONE,
        reply_to=(
            ReplyAddress(channel="email", address="b@home.example"),
            ReplyAddress(channel="pager", address="1"),
            ReplyAddress(channel="email", address="c@home.example"),
        ),
    ),
)
FLAGS: tuple[tuple[Flag, ...], ...] = ((), (), (Flag.LEGAL,), (Flag.GROUP_EVENT,), (Flag.AUTOMATED,))
UNITS = ("north_lamp", "south_lamp", "willow", "water", "police")
PUSHED = ("north_lamp", "willow", "water")
ACTORS = (
    Actor(role=Role.SYSTEM, id="catalogue"),
    Actor(role=Role.OPERATOR, id="zhang"),
    Actor(role=Role.OPERATOR, id="li"),
    Actor(role=Role.CITIZEN, id="web"),
    *(Actor(role=Role.UNIT, id=unit) for unit in UNITS),
)


@dataclass(frozen=True)
class Word:
    """A step that somebody wants."""

    ticket_id: str
    step: StepName
    by: Actor
    says: Mapping[str, object]
    operation: str
