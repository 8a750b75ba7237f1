"""The published schemas: their files are what the code says, and they tell right documents from wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from normalizer import Kind, Note, Speaker, Ticket, Turn, events, schema
from normalizer.events import Acknowledged, Alarmed, DeliveryOutcome, FollowedUp, Linked, Notified, UnitRefused
from normalizer.life import EVENT_TYPES, Actor, LifeStep, Outcome, Role, State
from normalizer.ticket import Related

FOLDER = Path(__file__).parents[2] / "normalizer/schemas"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
TICKET_ID = "t" + "a" * 26
STEP = {"ticket_id": TICKET_ID, "number": "2026112301000017", "version": 2}


def envelope(type: str, data: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": type,
        "source": events.source("hotline.example"),
        "datacontenttype": "application/json",
        "time": events.rfc3339(NOW),
        "id": f"{TICKET_ID}.x",
        "subject": TICKET_ID,
        "data": data,
    }


@pytest.fixture(scope="module")
def every_event(ticket_of: Callable[..., Ticket]) -> dict[str, dict[str, Any]]:
    turn = Turn(speaker=Speaker.CITIZEN, text="还是没有修")
    followed = FollowedUp(
        **STEP,
        submission_id="t" + "b" * 26,
        channel="web",
        received_at=NOW,
        turn=turn,
        notes=(Note(step="text", code="empty", detail=""),),
    )
    outcome = DeliveryOutcome(**STEP, destination="file", event_id=f"{TICKET_ID}.accepted", at=NOW)
    data = {
        events.ACCEPTED: ticket_of("路灯坏了"),
        events.FOLLOWED_UP: followed,
        events.DELIVERED: outcome,
        events.FAILED: outcome.model_copy(update={"detail": "HTTP 410"}),
        events.ALARMED: Alarmed(**STEP, reasons=("tier immediate",), person="duty", level=1, outcome="told", at=NOW),
        events.ACKNOWLEDGED: Acknowledged(**STEP, by=Actor(role=Role.OPERATOR, id="zhang"), at=NOW),
        events.UNIT_REFUSED: UnitRefused(**STEP, unit="d110102_cg", code="wrong_state", at=NOW),
        events.LINKED: Linked(
            **STEP, related=(Related(ticket_id="t" + "b" * 26, relation="same_incident", score=0.9),), asks=True, at=NOW
        ),
        events.NOTIFIED: Notified(
            **STEP, operation="receipt", channel="email", outcome="sent", reference="a.b", at=NOW
        ),
    }
    by = Actor(role=Role.UNIT, id="d110102_cg")
    step = LifeStep(**STEP, state=State.REPLIED, by=by, at=NOW, text="修好了", outcome=Outcome.RESOLVED)
    data |= dict.fromkeys(EVENT_TYPES.values(), step)
    return {type: envelope(type, document.model_dump(mode="json")) for type, document in data.items()}


@pytest.mark.parametrize(("name", "current"), [("ticket-1", schema.ticket_schema), ("event-1", schema.event_schema)])
def test_the_file_is_what_the_code_says(name: str, current: Callable[[], schema.Schema]) -> None:
    file = FOLDER / f"{name}.json"
    assert file.read_text("utf-8") == schema.text(current()), "run: make docs"
    document = json.loads(file.read_bytes())
    Draft202012Validator.check_schema(document)
    assert document["$id"] == f"urn:jiesu:schema:{name}"


@pytest.mark.parametrize("type", [*events.TYPES, *EVENT_TYPES.values()])
def test_every_event_is_valid(every_event: dict[str, dict[str, Any]], type: str) -> None:
    Draft202012Validator(schema.event_schema()).validate(every_event[type])


@pytest.mark.parametrize(
    "broken",
    [
        {"specversion": "0.3"},
        {"type": "org.jiesu.ticket.nonsense.v1"},
        {"time": "yesterday"},
        {"time": "2026-11-23T10:00:00"},
        {"subject": "13800138000"},
        {"data": {}},
        {"data": "text"},
    ],
)
def test_a_wrong_event_is_not(every_event: dict[str, dict[str, Any]], broken: dict[str, object]) -> None:
    validator = Draft202012Validator(schema.event_schema())
    for event in every_event.values():
        assert not validator.is_valid({**event, **broken})


def test_data_must_fit_the_type(every_event: dict[str, dict[str, Any]]) -> None:
    validator = Draft202012Validator(schema.event_schema())
    swapped = {**every_event[events.DELIVERED], "type": events.FOLLOWED_UP}
    assert not validator.is_valid(swapped)


def test_a_later_field_of_version_1_is_ignored_by_a_reader(ticket_of: Callable[..., Ticket]) -> None:
    ticket = ticket_of("路灯坏了")
    later = {**ticket.model_dump(mode="json"), "mood": "calm", "kind": "petition"}
    assert Ticket.model_validate(later) == ticket.model_copy(update={"kind": Kind.OTHER})


@pytest.mark.parametrize(
    "broken", [{"number": "12"}, {"ticket_id": "x"}, {"title": "字" * 61}, {"received_at": "2026-11-23"}]
)
def test_a_wrong_ticket_is_not_valid(ticket_of: Callable[..., Ticket], broken: dict[str, object]) -> None:
    validator = Draft202012Validator(schema.ticket_schema())
    document = ticket_of("路灯坏了").model_dump(mode="json")
    assert validator.is_valid(document)
    assert not validator.is_valid({**document, **broken})
