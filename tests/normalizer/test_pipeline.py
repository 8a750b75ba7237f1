"""What the ticket takes over from the submission, and what a site can choose."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from normalizer import (
    AttachmentRef,
    BlobRef,
    Decision,
    Disposition,
    Inbound,
    Note,
    Place,
    Raw,
    Span,
    Verification,
    identity,
    normalize,
)
from normalizer.config import NormalizerConfig
from normalizer.pipeline import STEPS

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
NUMBER = "2026112301000017"
RAW = Raw(channel="web", source_id="form-1", received_at=NOW, body=b"{}")


def test_the_ticket_takes_over_what_the_source_said() -> None:
    blob = BlobRef(blob="2026/11/23/" + "a" * 64, sha256="a" * 64, size=2)
    attachment = AttachmentRef(name="灯\u202e.jpg", media_type="image/jpeg", size=3, sha256="b" * 64)
    inbound = Inbound(
        text="路灯坏了",
        digest="0",
        place=Place(text="朝阳路", lat=39.9, lon=116.4),
        occurred_at=Span(start=NOW),
        disposition=Disposition(decision=Decision.ANSWERED, reason="当场答复"),
        source_url="https://example.com/1",
        verified=(Verification(method="dkim", result="pass"),),
    )
    ticket = normalize(RAW, inbound, number=NUMBER, attachments=(attachment,), raw_ref=blob)
    assert ticket.ticket_id == identity.ticket_id("web", "form-1")
    assert (ticket.number, ticket.version, ticket.channel) == (NUMBER, 1, "web")
    assert (ticket.source.id, ticket.source.raw, ticket.source.verified) == ("form-1", blob, inbound.verified)
    assert (ticket.place, ticket.occurred_at) == (
        Place(text="朝阳路", detail="朝阳路", lat=39.9, lon=116.4),
        Span(start=NOW),
    )
    assert ticket.disposition == inbound.disposition
    assert [ref.name for ref in ticket.attachments] == ["灯.jpg"]


def test_the_channels_notes_stand_first_and_hold_no_identity_number() -> None:
    note = Note(step="phone", code="doubtful_words", detail="turn 2: 11010119900307451\u200b4 (0.31)")
    inbound = Inbound(text="路灯坏了", digest="0", notes=(note,))
    notes = normalize(RAW, inbound, number=NUMBER).notes
    assert notes[0] == Note(step="phone", code="doubtful_words", detail="turn 2: 110*************14 (0.31)")
    assert {one.step for one in notes[1:]} >= {"title", "language"}


def test_a_malformed_number_is_the_callers_bug() -> None:
    with pytest.raises(ValidationError):
        normalize(RAW, Inbound(text="", digest=""), number="12")


def test_steps_are_left_out_by_name() -> None:
    inbound = Inbound(text="着火了", digest="")
    config = NormalizerConfig(off=tuple(name for name, _ in STEPS if name not in ("text", "title")))
    ticket = normalize(RAW, inbound, number=NUMBER, config=config)
    assert {note.step for note in ticket.notes} == {"title"}


@pytest.mark.parametrize("block", [{"off": ["title"]}, {"off": ["nonsense"]}, {"region": "China"}, {"colour": 1}])
def test_a_wrong_block_is_refused(block: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NormalizerConfig.model_validate(block)
