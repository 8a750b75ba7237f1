"""What of a ticket may be shown to whom: a unit that works on it, a unit that is only informed, the centre's desk.

Pure. May not show a reporter to a unit, nor a requester to who has no need of one (ordinance, art. 8: privacy).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from normalizer.events import FOLLOWED_UP
from normalizer.life import EVENT_TYPES
from normalizer.ticket import Kind, Requester, Ticket
from workers.life import Life
from workers.store import Record

_STEPS: Final = {type: step for step, type in EVENT_TYPES.items()}
_INTERNAL: Final = ("rule", "candidates")


def of_ticket(record: Record, *, unit: str | None, personal: bool) -> dict[str, Any]:
    """`ticket`, `life` and `history` as JSON. `unit`: who looks, None = the centre's desk. `personal`: whether the one
    who looks may see people's data at all; of a report, or for who wants to stay hidden, no unit may."""
    ticket, life = record.ticket(), Life.of(record)
    shown = personal and (unit is None or may_know_requester(ticket, life, unit))
    return {
        "ticket": (ticket if shown else hidden(ticket)).model_dump(mode="json"),
        "life": {"state": life.state, "lead": life.lead, "co": life.co, "cc": life.cc},
        "history": list(_history(record, unit)),
    }


def may_know_requester(ticket: Ticket, life: Life, unit: str) -> bool:
    """The lead and its helpers must be able to speak to the citizen (art. 15), save of a report, and of who asked not
    to be named."""
    works = unit == life.lead or unit in life.co
    asked = ticket.requester
    return works and ticket.kind is not Kind.REPORT and not (asked.anonymous or asked.confidential)


def hidden(ticket: Ticket) -> Ticket:
    """The ticket without its requester: who, how to reach, from where it was sent. The words stay as they are."""
    asked = ticket.requester
    nobody = Requester(anonymous=asked.anonymous, confidential=asked.confidential, language=asked.language)
    source = ticket.source.model_copy(update={"id": "", "url": None, "raw": None, "verified": ()})
    return ticket.model_copy(update={"requester": nobody, "source": source})


def _history(record: Record, unit: str | None) -> Iterator[dict[str, Any]]:
    """The steps, oldest first. The rule and the candidates are the centre's matter; so is what other units objected."""
    for event in record.events():
        data = event["data"]
        if event["type"] == FOLLOWED_UP:
            yield {
                "step": "follow_up",
                "version": data["version"],
                "at": data["received_at"],
                "text": data["turn"]["text"],
            }
        elif (step := _STEPS.get(event["type"])) is not None:
            dropped = {"ticket_id", "number"} | (set(_INTERNAL) if unit is not None else set())
            yield {"step": step} | {name: value for name, value in data.items() if name not in dropped}
