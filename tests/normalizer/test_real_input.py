"""Real tickets of two cities' 12345 lines become valid tickets, and few of them an emergency."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from normalizer import Ticket, Tier
from normalizer.schema import ticket_schema
from normalizer.ticket import TITLE_MAX

DATA = Path(__file__).parents[2] / "../shared/data/text"


@pytest.mark.parametrize(
    ("name", "text", "title", "rows", "most_immediate"),
    [
        ("fuzhou12345.jsonl", "投诉件内容", "标题", 728, 0.02),
        ("haikou12345.jsonl", "诉求内容", None, 4732, 0.01),
    ],
)
def test_every_row_becomes_a_valid_ticket(
    ticket_of: Callable[..., Ticket],
    name: str,
    text: str,
    title: str | None,
    rows: int,
    most_immediate: float,
) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"shared data {name} is not here")
    validator = Draft202012Validator(ticket_schema())
    lines = (DATA / name).read_text("utf-8").splitlines()
    immediate = 0
    for index, line in enumerate(lines):
        row = json.loads(line)
        ticket = ticket_of(row[text] or "", title=row[title] if title else None)
        assert 1 <= len(ticket.title) <= TITLE_MAX, index
        assert validator.is_valid(ticket.model_dump(mode="json")), index
        immediate += ticket.urgency.tier is Tier.IMMEDIATE
    assert len(lines) == rows
    assert immediate / rows <= most_immediate
