"""A page of a waiting list with what a person must know to choose: never who asked.

May not change a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from normalizer.life import EVENT_TYPES, StepName
from normalizer.ticket import Ticket
from workers import views
from workers.life import Life
from workers.store import Record, Store
from workers.waiting import Entry, WaitingList

PAGE_MAX: Final = 100
_ASKS: Final = frozenset(EVENT_TYPES[step] for step in (StepName.TRIAGE, StepName.REOPEN, StepName.OBJECT))
"""The steps that bring a ticket before the centre's people."""


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: where the following page starts, None at the end. `total`: of all pages."""

    rows: list[dict[str, Any]]
    total: int
    next: int | None


async def page(
    store: Store,
    waiting: WaitingList,
    now: datetime,
    *,
    start: int,
    count: int,
    row: Callable[[Record, Entry], dict[str, Any]],
    still: Callable[[Record], bool] = lambda _: True,
) -> Page:
    """`count` entries from `start` on. Left out is what is not `still` wanted: it went elsewhere meanwhile."""
    entries = await waiting.entries(now, start=start, count=count)
    rows = []
    for entry in entries:
        record = await store.load(entry.id)
        if record is not None and still(record):
            rows.append(row(record, entry))
    total = await waiting.count()
    return Page(rows, total, start + count if start + count < total else None)


def for_the_desk(record: Record, entry: Entry) -> dict[str, Any]:
    """Why a person must decide, between which units, and who is at it."""
    ticket = record.ticket()
    asked: Mapping[str, Any] = next(
        (event["data"] for event in reversed(record.events()) if event["type"] in _ASKS), {}
    )
    return _shared(record, ticket, entry) | {
        **views.blotted({"reason": asked.get("reason")}, ticket.requester),
        "by": views.actor(asked["by"]) if "by" in asked else None,
        "candidates": asked.get("candidates", []),
        "suggested": asked.get("suggested", []),
        "holder": entry.holder,
        "until": _moment(entry.until),
    }


def for_a_unit(unit: str) -> Callable[[Record, Entry], dict[str, Any]]:
    """What is the unit's part in it."""

    def row(record: Record, entry: Entry) -> dict[str, Any]:
        life = Life.of(record)
        part = "lead" if unit == life.lead else "helper" if unit in life.co else "cc"
        return _shared(record, record.ticket(), entry) | {"part": part, "leased_until": _moment(entry.until)}

    return row


def _shared(record: Record, ticket: Ticket, entry: Entry) -> dict[str, Any]:
    """Rows are for choosing: they name nobody, whoever reads them."""
    words = {"title": ticket.title, "place": ticket.place.text if ticket.place else None}
    return views.blotted(words, ticket.requester) | {
        "number": record.number,
        "state": record.state,
        "version": record.version,
        "since": _moment(entry.since),
        "received_at": ticket.received_at.isoformat(),
        "kind": ticket.kind,
        "tier": ticket.urgency.tier,
        "flags": list(ticket.flags),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
