"""Laws of the whole normalizer, for any submission its model accepts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from normalizer import (
    Category,
    Disposition,
    Flag,
    Handle,
    Inbound,
    Kind,
    Place,
    Raw,
    ReplyAddress,
    Requester,
    Span,
    Speaker,
    Ticket,
    Turn,
    Verification,
    alarms,
    normalize,
)
from normalizer.schema import ticket_schema
from normalizer.steps.cleaning import clean
from normalizer.ticket import TEXT_MAX, TITLE_MAX
from normalizer.urgency import BOOK, assess
from tests.effort import Effort

NUMBER = "2026112301000017"
VALIDATOR = Draft202012Validator(ticket_schema())

# Every code point, lone surrogates too (JSON can carry them), and the pieces that our steps look for.
ANY = st.text(st.characters(exclude_categories=()), max_size=60)
PIECES = st.sampled_from(
    [
        *[word for rule in BOOK.rule for word in (*rule.examples, *rule.near_misses)],
        *[
            "\u200b",
            "\u200d",
            "\u202e",
            "\ufeff",
            "\x00",
            "\r\n",
            "\u2028",
            "\u3000",
            "\t",
            " ",
            "\n\n\n",
            "\ud800",
        ],
        *[
            "\u0301",
            "\u212a",
            "é",
            "ﬁ",
            "１２３",
            "Ａｂ",
            "，",
            "。",
            "11010519491231002X",
            "１１０１０５１９４９１２３１００２Ｘ",
        ],
        *["13800138000", "2026112301000017", "1" * 40, "。" * 80, "字" * 80],
    ]
)
TEXTS = st.lists(ANY | PIECES, max_size=8).map("".join)
MAYBE = st.none() | TEXTS
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=ZONES)
TURNS = st.builds(
    Turn,
    speaker=st.sampled_from(Speaker),
    text=TEXTS,
    start=st.none() | MOMENTS,
    end=st.none() | MOMENTS,
    confidence=st.none() | st.floats(0, 1),
)
REQUESTERS = st.builds(
    Requester,
    name=MAYBE,
    phone=MAYBE | st.from_regex(r"[+0-9０-９() \-转]{3,20}", fullmatch=True),
    email=MAYBE | st.emails(),
    handles=st.lists(st.builds(Handle, platform=TEXTS, id=TEXTS, name=MAYBE), max_size=2).map(tuple),
    anonymous=st.booleans(),
    confidential=st.booleans(),
    language=MAYBE | st.sampled_from(["zh-Hans", "en-GB"]),
    reply_to=st.lists(st.builds(ReplyAddress, channel=TEXTS, address=TEXTS), max_size=2).map(tuple),
)
PLACES = st.builds(
    Place,
    text=MAYBE,
    city=MAYBE,
    detail=MAYBE,
    lat=st.none() | st.floats(-90, 90),
    lon=st.none() | st.floats(-180, 180),
)
INBOUNDS = st.builds(
    Inbound,
    text=TEXTS,
    digest=ANY,
    title=MAYBE,
    requester=REQUESTERS,
    kind=st.none() | st.sampled_from(Kind),
    category=MAYBE,
    place=st.none() | PLACES,
    occurred_at=st.none() | st.builds(Span, start=MOMENTS, end=st.none() | MOMENTS),
    conversation=st.lists(TURNS, max_size=2).map(tuple),
    threads=st.lists(TEXTS, max_size=1).map(tuple),
    senders=st.lists(TEXTS, max_size=1).map(tuple),
    flags=st.lists(st.sampled_from(Flag), max_size=3).map(tuple),
    disposition=st.none() | st.builds(Disposition, reason=MAYBE),
    source_url=MAYBE,
    verified=st.lists(st.builds(Verification, method=TEXTS, result=TEXTS), max_size=1).map(tuple),
)


def ticket(inbound: Inbound, source_id: str = "1") -> Ticket:
    raw = Raw(channel="web", source_id=source_id, received_at=datetime(2026, 11, 23, tzinfo=UTC), body=b"")
    return normalize(raw, inbound, number=NUMBER)


@settings(deadline=None, max_examples=300)
@given(INBOUNDS, TEXTS)
def test_any_submission_becomes_a_ticket_that_the_schema_accepts(inbound: Inbound, source_id: str) -> None:
    made = ticket(inbound, source_id)
    document = made.model_dump_json()
    VALIDATOR.validate(made.model_dump(mode="json"))
    assert Ticket.model_validate_json(document) == made
    assert 1 <= len(made.title) <= TITLE_MAX
    assert len(made.text) <= TEXT_MAX


@settings(deadline=None, max_examples=200)
@given(INBOUNDS)
def test_the_same_submission_gives_the_same_ticket(inbound: Inbound) -> None:
    again = Inbound.model_validate(inbound.model_dump())
    assert ticket(inbound) == ticket(again)


@settings(deadline=None, max_examples=500)
@given(TEXTS)
def test_cleaning_clean_text_changes_nothing(text: str) -> None:
    once = clean(text)
    assert clean(once) == once


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_normalizing_a_tickets_own_text_changes_nothing(text: str) -> None:
    once = ticket(Inbound(text=text, digest="")).text
    assert ticket(Inbound(text=once, digest="")).text == once


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_cleaning_invents_no_character(text: str) -> None:
    """Full-width letters and digits have the code of their half-width form plus 0xFEE0."""
    halved = {chr(ord(char) - 0xFEE0) for char in text if 0xFF10 <= ord(char) <= 0xFF5A}
    assert set(clean(text)) <= set(text) | halved | {"\n", " "}


@settings(deadline=None, max_examples=200)
@given(INBOUNDS)
def test_receipt_and_ticket_agree_on_the_emergency(inbound: Inbound) -> None:
    told = set(alarms(inbound))
    made = ticket(inbound)
    assert told <= set(made.flags)
    assert (Flag.EMERGENCY in told) == (made.urgency.tier == "immediate")
    assert {finding.rule.code for finding in assess(inbound).findings if finding.ruled_out_by is None} <= set(
        made.urgency.reasons
    )


@settings(deadline=None, max_examples=100)
@given(INBOUNDS)
def test_notes_repeat_nothing_that_the_citizen_typed(inbound: Inbound) -> None:
    secret = "曲突徙薪"  # a phrase that no note would say by itself
    marked = inbound.model_copy(update={"text": inbound.text + secret, "title": secret, "category": secret})
    assert all(secret not in note.detail and secret not in note.code for note in ticket(marked).notes)


@pytest.mark.parametrize(
    "piece", [" ", "\u200d", "a", "1", "\u0316\u0301", "去年火灾", "火灾隐患", "\n", "。", "Aa@", "着 "]
)
def test_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    """20,000 characters that make naive patterns backtrack; measured 60 ms at most."""
    text = f"é{piece * (TEXT_MAX // len(piece))}é"[:TEXT_MAX]
    effort = Effort()
    ticket(Inbound(text=text, title=text, digest=""))
    assert effort.within(1)


def test_a_category_of_the_form_is_said_to_be_the_requesters() -> None:
    assert ticket(Inbound(text="路灯坏了", digest="", category="a1")).category == Category(
        code="a1", confidence=1, method="requester"
    )
