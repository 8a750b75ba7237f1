"""A ticket's draft as a step finds it, and whole tickets, from nothing but words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from normalizer import identity
from normalizer.ticket import Inbound, Raw, Source, Ticket

WHEN: Final = datetime(2026, 11, 23, tzinfo=UTC)
NUMBER: Final = identity.number(WHEN.date(), 0, 0)


def draft(inbound: Inbound) -> Ticket:
    """As before the first step, with its title."""
    return Ticket(
        ticket_id=identity.ticket_id("web", "accuracy"),
        number=NUMBER,
        channel="web",
        source=Source(id="accuracy", received_at=WHEN),
        received_at=WHEN,
        title=(inbound.title or "")[:60],
        text=inbound.text,
    )


def raw(text: str) -> Raw:
    """A web submission of these words."""
    return Raw(channel="web", source_id="accuracy", received_at=WHEN, body=text.encode())
