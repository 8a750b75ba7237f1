"""Cleaning takes away what cannot be seen, and leaves what was said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from normalizer import Ticket
from normalizer.steps.cleaning import clean, clean_line
from normalizer.ticket import TEXT_MAX


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("路灯\x00坏\x07了", "路灯坏了"),
        ("付款\u202e001\u202c元", "付款001元"),
        ("着\u200b火\ufeff了", "着火了"),
        ("電\u200d話", "電話"),
        ("１３号楼Ａ座，电话：０５９１", "13号楼A座，电话：0591"),
        ("（急）请问：好！", "（急）请问：好！"),
        ("一\u3000\u3000二\t三\u00a0四", "一 二 三 四"),
        ("一\r\n二\r三\u2028四", "一\n二\n三\n四"),
        ("一\n\n\n\n二", "一\n\n二"),
        ("  前后  \n ", "前后"),
        ("坏\ud83d的", "坏的"),
        ("👨\u200d👩\u200d👧 一家", "👨\u200d👩\u200d👧 一家"),
        ("ئۇيغۇرچە", "ئۇيغۇرچە"),
        (" \u200b\n", ""),
        ("", ""),
    ],
)
def test_clean(written: str, cleaned: str) -> None:
    assert clean(written) == cleaned


def test_a_line_is_one_line() -> None:
    assert clean_line("一\n\n二\n三") == "一 二 三"


def test_what_was_done_is_noted(ticket_of: Callable[..., Ticket]) -> None:
    codes = {note.code for note in ticket_of("１号楼\u200b漏水").notes if note.step == "text"}
    assert codes == {"hidden_removed", "width_folded"}


def test_an_empty_text_stays_empty_and_is_noted(ticket_of: Callable[..., Ticket]) -> None:
    ticket = ticket_of(" \u3000\u200b ")
    assert ticket.text == ""
    assert "empty" in {note.code for note in ticket.notes}


def test_a_longer_text_is_cut_at_the_limit_and_noted(ticket_of: Callable[..., Ticket]) -> None:
    ticket = ticket_of("字" * (TEXT_MAX + 5))
    assert len(ticket.text) == TEXT_MAX
    assert "cut" in {note.code for note in ticket.notes if note.step == "text"}


def test_names_places_and_turns_are_cleaned_too(ticket_of: Callable[..., Ticket]) -> None:
    ticket = ticket_of(
        "路灯坏了",
        requester={"name": " 王\u200b某 "},
        place={"text": "１号\n楼", "city": " "},
        conversation=({"speaker": "citizen", "text": "你\x00好"},),
    )
    assert ticket.requester.name == "王某"
    assert ticket.place is not None
    assert (ticket.place.text, ticket.place.city) == ("1号 楼", None)
    assert ticket.conversation[0].text == "你好"
