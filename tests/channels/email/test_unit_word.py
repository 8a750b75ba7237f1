"""What a unit answers to the mail that brought it a ticket: its word, no citizen's message, and no program's."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from channels import corpus
from channels.email.parse import Site, parse
from channels.email.threads import (
    may_be_a_units,
    number_in_address,
    number_in_unit_address,
    reply_address,
    unit_address,
)
from normalizer.identity import number

FOLDER = Path(__file__).parents[2] / "corpus/unit_mail"
HOTLINE, OFFICE = "hotline@hotline.example", "chengguan@xicheng.example"
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
    unit, citizen = unit_address(HOTLINE, NUMBER, OFFICE, SECRET), reply_address(HOTLINE, NUMBER, SECRET)
    assert unit != citizen
    assert number_in_unit_address(unit, (HOTLINE,), OFFICE, SECRET) == NUMBER
    assert number_in_address(unit, (HOTLINE,), SECRET) is None
    assert number_in_unit_address(citizen, (HOTLINE,), OFFICE, SECRET) is None
    assert number_in_unit_address(unit, ("other@hotline.example",), OFFICE, SECRET) is None
    upper = number_in_unit_address(unit.upper(), (HOTLINE,), OFFICE, SECRET)
    assert upper == NUMBER, "local parts lose their case on the way"
    assert [may_be_a_units(one, (HOTLINE,), SECRET) for one in (unit, citizen, HOTLINE)] == [True, False, False]


@pytest.mark.parametrize(
    ("mailbox", "writer", "same"),
    [
        (OFFICE, "Chengguan@Xicheng.example", True),
        ("office@城管.example", "Office@xn--uisq74f.example", True),
        ("office@xn--uisq74f.example", "office@城管.EXAMPLE", True),
        (OFFICE, "wangfang@home.example", False),
        (OFFICE, "chengguan@xicheng.example.evil.example", False),
        (OFFICE, "\udce9@xicheng.example", False),
        (OFFICE, "", False),
    ],
)
def test_a_units_address_is_worth_something_in_the_mail_of_its_own_mailbox_only(
    mailbox: str, writer: str, same: bool
) -> None:
    address = unit_address(HOTLINE, NUMBER, mailbox, SECRET)
    assert number_in_unit_address(address, (HOTLINE,), writer, SECRET) == (NUMBER if same else None)


def test_a_word_stands_besides_all_that_the_mail_is_otherwise() -> None:
    """Who has another mailbox by now is no unit: the host takes the mail without the word."""
    inbound = parse(corpus.read(FOLDER / "done-with-a-photo.eml", "email"), SITE)
    assert inbound.unit_word is not None
    assert inbound.text == inbound.unit_word.text
    assert (inbound.requester.email, inbound.senders) == (OFFICE, (f"email:{OFFICE}",))


def test_the_longest_mailbox_that_citizens_can_answer_to_has_room_for_units() -> None:
    mailbox = f"{'m' * 22}@hotline.example"
    assert len(unit_address(mailbox, "0" * 24, OFFICE, SECRET).partition("@")[0]) == 64
