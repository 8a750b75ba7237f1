"""What identifies people is masked; other numbers are not touched. The valid identity numbers are the examples of the
standard itself (GB 11643-1999), other numbers are made up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from normalizer import Ticket
from normalizer.config import NormalizerConfig
from normalizer.personal import mask

VALID = "11010519491231002X"
MASKED = "110*************2X"

TicketOf = Callable[..., Ticket]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"身份证{VALID}，请核实", f"身份证{MASKED}，请核实"),
        (f"身份证{VALID.lower()}", f"身份证{MASKED}"),
        ("号码110105 19491231 002X。", f"号码{MASKED}。"),
        ("号码110105-19491231-002X。", f"号码{MASKED}。"),
        (f"13800138000 {VALID}", f"13800138000 {MASKED}"),
        (f"ID{VALID}", f"ID{MASKED}"),
        ("440524188001010014", "440*************14"),
        (f"{VALID}和{VALID}", f"{MASKED}和{MASKED}"),
    ],
)
def test_a_valid_number_is_masked(text: str, masked: str) -> None:
    assert mask(text, ("resident_id",))[0] == masked


@pytest.mark.parametrize(
    "text",
    [
        "110105194912310021",  # wrong check digit
        "110105194902300029",  # 30 February
        "2026112301000017",  # ticket number
        "202611230112345678",
        "6222021234567890123",  # bank card
        f"{VALID[:-1]}",
        f"9{VALID[:-1]}8",
        "13800138000 1234567",
        "金额110105.19元",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert mask(text, ("resident_id",)) == (text, {})


def test_title_text_place_and_conversation_are_masked_and_it_is_noted(ticket_of: TicketOf) -> None:
    wide = "１１０１０５１９４９１２３１００２Ｘ"
    ticket = ticket_of(
        f"我的身份证是{wide}",
        title=f"{VALID}的户口",
        place={"text": f"{VALID}家"},
        conversation=({"speaker": "citizen", "text": f"我是{VALID}"},),
    )
    assert VALID not in ticket.model_dump_json()
    assert ticket.text == f"我的身份证是{MASKED}"
    assert ticket.title == f"{MASKED}的户口"
    [note] = [note for note in ticket.notes if note.step == "masking"]
    assert (note.code, note.detail) == ("masked", "masked: resident_id 4")


def test_a_number_across_the_titles_end_is_masked_before_the_cut(ticket_of: TicketOf) -> None:
    assert VALID[:10] not in ticket_of("字" * 45 + VALID).title


def test_a_site_may_keep_them(ticket_of: TicketOf) -> None:
    assert VALID in ticket_of(VALID, config=NormalizerConfig(mask=())).text
