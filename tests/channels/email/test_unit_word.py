"""What a unit answers to the mail that brought it a ticket: its word, no citizen's message, and no program's."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from channels import corpus
from channels.email.parse import Site, parse
from channels.email.threads import number_in_address, number_in_unit_address, reply_address, unit_address
from normalizer.identity import number

FOLDER = Path(__file__).parents[2] / "corpus/unit_mail"
HOTLINE = "hotline@hotline.example"
SECRET = b"0123456789abcdef"
SITE = Site((HOTLINE,), SECRET)
NUMBER = number(date(2026, 11, 23), 0, 1)
CASES = sorted(FOLDER.glob("*.eml"))


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_a_mail_is_what_is_expected_of_it(case: Path) -> None:
    found = parse(corpus.read(case, "email"), SITE).model_dump(mode="json")
    expected = json.loads(case.with_suffix(".inbound.json").read_text("utf-8"))
    corpus.assert_holds(found, expected, case.stem)


def test_without_the_secret_nothing_is_a_units_word() -> None:
    inbound = parse(corpus.read(FOLDER / "done-with-a-photo.eml", "email"), Site((HOTLINE,), None))
    assert (inbound.unit_word, inbound.set_aside) == (None, None)


def test_a_units_address_and_a_citizens_cannot_stand_for_each_other() -> None:
    unit, citizen = unit_address(HOTLINE, NUMBER, SECRET), reply_address(HOTLINE, NUMBER, SECRET)
    assert unit != citizen
    assert number_in_unit_address(unit, (HOTLINE,), SECRET) == NUMBER
    assert number_in_address(unit, (HOTLINE,), SECRET) is None
    assert number_in_unit_address(citizen, (HOTLINE,), SECRET) is None
    assert number_in_unit_address(unit, ("other@hotline.example",), SECRET) is None
    assert number_in_unit_address(unit.upper(), (HOTLINE,), SECRET) == NUMBER, "local parts lose their case on the way"


def test_the_longest_mailbox_that_citizens_can_answer_to_has_room_for_units() -> None:
    mailbox = f"{'m' * 22}@hotline.example"
    assert len(unit_address(mailbox, "0" * 24, SECRET).partition("@")[0]) == 64
