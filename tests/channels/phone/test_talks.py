"""Whole calls, each with the ticket it must become beside it: `talks/NN-name.json` and `NN-name.expected.json`.

A call is given as members of `Call`, or as a dialogue `label：words`, a line an utterance, unlabelled where nobody
says who speaks. Only the members that an expectation names are compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import TypeAdapter

from channels.phone.call import Call
from channels.phone.inbound import inbound_of
from channels.phone.matter import TITLE
from normalizer import Inbound, Raw, Ticket, alarms, normalize

TALKS: Final = Path(__file__).parent / "talks"
NAMES: Final = sorted(path.name.removesuffix(".expected.json") for path in TALKS.glob("*.expected.json"))
_CALL: Final = TypeAdapter(Call)
_LETTER: Final = {"agent": "A", "citizen": "C", "system": "S", "unknown": "U"}


@dataclass(frozen=True)
class Heard:
    """A call of the folder, what the channel made of it, and its ticket."""

    call: Call
    inbound: Inbound
    ticket: Ticket

    @property
    def codes(self) -> list[str]:
        return [note.code for note in self.ticket.notes if note.step == "phone"]


def call_of(document: dict[str, Any]) -> Call:
    utterances = [_utterance(line) for line in document.get("dialogue", ())]
    fields: dict[str, Any] = {"format": "call", **document["call"]}
    fields.setdefault("utterances", utterances)
    return _CALL.validate_python(fields)


def _utterance(line: str) -> dict[str, Any]:
    label, colon, words = line.partition("：")
    return {"speaker": label, "text": words} if colon and len(label) <= 8 else {"text": line}


def heard(name: str) -> Heard:
    call = call_of(json.loads((TALKS / f"{name}.json").read_text("utf-8")))
    inbound = inbound_of(call, digest="0" * 64, threads=("phone:call:1",), senders=("phone:call:1",))
    raw = Raw(channel="phone", source_id="call:1", received_at=datetime(2026, 11, 23, 3, tzinfo=UTC), body=b"")
    return Heard(call, inbound, normalize(raw, inbound, number="2026112301000017"))


def _phone(one: Heard, expected: str) -> None:
    assert one.ticket.requester.phone == expected


def _place(one: Heard, expected: dict[str, Any]) -> None:
    place = one.ticket.place
    assert place is not None
    assert place.text is not None
    for words in expected.get("has", ()):
        assert words in place.text
    for words in expected.get("hasnt", ()):
        assert words not in place.text
    for field in ("province", "city", "district", "street"):
        if field in expected:
            assert getattr(place, field) == expected[field]
    assert expected.get("detail_has", "") in (place.detail or "")


def _title_has(one: Heard, expected: list[str]) -> None:
    for words in expected:
        assert words in one.ticket.title
    assert len(one.ticket.title) <= TITLE


def _reason_has(one: Heard, expected: list[str]) -> None:
    for words in expected:
        assert words in (one.ticket.disposition.reason or "")


def _notes(one: Heard, expected: list[str]) -> None:
    assert set(expected) <= set(one.codes)


def _note_details(one: Heard, expected: dict[str, list[str]]) -> None:
    details = {note.code: note.detail for note in one.ticket.notes}
    for code, words in expected.items():
        for word in words:
            assert word in details[code]


def _equal(read: Callable[[Heard], object]) -> Callable[[Heard, Any], None]:
    def check(one: Heard, expected: Any) -> None:
        assert read(one) == expected

    return check


def _span(one: Heard) -> list[str | None] | None:
    span = one.ticket.occurred_at
    return [span.start.isoformat(), span.end.isoformat() if span.end else None] if span else None


CHECKS: Final[dict[str, Callable[[Heard, Any], None]]] = {
    "roles": _equal(lambda one: "".join(_LETTER[turn.speaker] for turn in one.ticket.conversation)),
    "text": _equal(lambda one: one.ticket.text),
    "title": _equal(lambda one: one.ticket.title),
    "kind": _equal(lambda one: one.ticket.kind),
    "decision": _equal(lambda one: one.ticket.disposition.decision),
    "flags": _equal(lambda one: [flag.value for flag in one.ticket.flags]),
    "alarms": _equal(lambda one: [flag.value for flag in alarms(one.inbound)]),
    "tier": _equal(lambda one: one.ticket.urgency.tier),
    "name": _equal(lambda one: one.ticket.requester.name),
    "anonymous": _equal(lambda one: one.ticket.requester.anonymous),
    "confidential": _equal(lambda one: one.ticket.requester.confidential),
    "occurred_at": _equal(_span),
    "reply_to": _equal(lambda one: [[to.channel, to.address] for to in one.ticket.requester.reply_to]),
    "turn_confidence": _equal(lambda one: [turn.confidence for turn in one.ticket.conversation]),
    "turn_start": _equal(lambda one: [turn.start and turn.start.isoformat() for turn in one.ticket.conversation]),
    "phone": _phone,
    "place": _place,
    "title_has": _title_has,
    "reason_has": _reason_has,
    "notes": _notes,
    "note_details": _note_details,
}


@pytest.mark.parametrize("name", NAMES)
def test_the_call_becomes_its_ticket(name: str) -> None:
    one = heard(name)
    expected = json.loads((TALKS / f"{name}.expected.json").read_text("utf-8"))
    for member, value in expected.items():
        CHECKS[member](one, value)


@pytest.mark.parametrize("name", NAMES)
def test_the_conversation_is_kept_whole(name: str) -> None:
    one = heard(name)
    assert [turn.text for turn in one.inbound.conversation] == [said.text for said in one.call.utterances]


def test_the_owners_story() -> None:
    """A caller from Maliandao: a dealer's unplated new cars stand in the public bays at the estate's north gate."""
    ticket = heard("seed-maliandao").ticket
    assert ticket.place is not None
    assert "马连道" in (ticket.place.text or "")
    assert "没有挂牌的新车" in ticket.text
    assert ticket.requester.phone == "+8613900139000"
    assert [(to.channel, to.address) for to in ticket.requester.reply_to] == [("phone", "+8613900139000")]
    assert ticket.kind == "complaint"
    assert len(ticket.title) <= 30
    assert "马连道" in ticket.title
    assert "新车" in ticket.title
    assert ticket.disposition.decision == "dispatch"
