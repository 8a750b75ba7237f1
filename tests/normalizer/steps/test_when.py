"""occurred_at is filled from the text, in the site's zone, unless the source said it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from normalizer import Span, Ticket
from normalizer.config import NormalizerConfig

TicketOf = Callable[..., Ticket]


def notes(ticket: Ticket) -> dict[str, str]:
    return {note.code: note.detail for note in ticket.notes if note.step == "when"}


def test_the_span_is_in_the_sites_zone(ticket_of: TicketOf) -> None:
    """Received 2026-11-23 00:00 UTC: eight in the morning in Beijing, still the evening before in New York."""
    here = ticket_of("昨晚十点停水").occurred_at
    there = ticket_of("昨晚十点停水", config=NormalizerConfig(timezone="America/New_York")).occurred_at
    assert here == Span(start=datetime(2026, 11, 22, 14, tzinfo=UTC))
    assert there == Span(start=datetime(2026, 11, 22, 3, tzinfo=UTC))


def test_what_the_source_said_stands(ticket_of: TicketOf) -> None:
    given = Span(start=datetime(2026, 1, 1, tzinfo=UTC))
    ticket = ticket_of("昨晚十点停水", occurred_at=given)
    assert ticket.occurred_at == given
    assert notes(ticket) == {}


def test_a_recurrence_is_a_note_and_since_when_a_span(ticket_of: TicketOf) -> None:
    ticket = ticket_of("从上个月开始，每天晚上十点后施工")
    assert notes(ticket) == {"recurs": "daily 22:00-"}
    assert ticket.occurred_at is not None
    assert ticket.occurred_at.start.isoformat() == "2026-10-01T00:00:00+08:00"
    assert ticket_of("每天晚上十点后施工").occurred_at is None


def test_before_a_day_is_a_note(ticket_of: TicketOf) -> None:
    ticket = ticket_of("春节前拖欠工资")
    assert (ticket.occurred_at, notes(ticket)) == (None, {"before": "2026-02-17"})


def test_the_title_is_read_when_the_text_tells_none(ticket_of: TicketOf) -> None:
    assert notes(ticket_of("请处理", title="昨晚停电")) == {"daypart": "a part of a day"}


def test_traditional_characters_are_read(ticket_of: TicketOf) -> None:
    assert notes(ticket_of("每個禮拜六晚上十點後施工")) == {"recurs": "weekly SA 22:00-"}


def test_a_text_without_time_has_no_note(ticket_of: TicketOf) -> None:
    ticket = ticket_of("路灯坏了")
    assert (ticket.occurred_at, notes(ticket)) == (None, {})


def test_the_step_can_be_left_out(ticket_of: TicketOf) -> None:
    assert ticket_of("昨晚停电", config=NormalizerConfig(off=("when",))).occurred_at is None
