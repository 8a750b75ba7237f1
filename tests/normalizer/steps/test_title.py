"""A title is the given one, else the first sentence, at most 60 characters, and never empty."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from normalizer import Ticket
from normalizer.steps.title import first_sentence, shorten

TicketOf = Callable[..., Ticket]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("路灯坏了三天了没人修。请派人来。", "路灯坏了三天了没人修"),
        ("你好！三号楼漏水。谢谢", "你好！三号楼漏水"),
        ("什么时候才能修好这条路？急", "什么时候才能修好这条路？"),
        ("小区停水两天\n请处理", "小区停水两天 请处理"),
        ("小区已经停水两天了\n请处理", "小区已经停水两天了"),
        ("The light at No. 3.5 is broken. Please come.", "The light at No"),
        ("没有标点", "没有标点"),
    ],
)
def test_first_sentence(text: str, title: str) -> None:
    assert first_sentence(text) == title


def test_a_long_title_ends_at_a_boundary() -> None:
    assert shorten("一" * 40 + "，" + "二" * 40) == "一" * 40 + "…"


def test_without_a_boundary_it_is_cut_at_the_limit() -> None:
    assert shorten("一" * 80) == "一" * 59 + "…"


def test_a_title_of_sixty_characters_stays() -> None:
    assert shorten("一" * 60) == "一" * 60


def test_the_given_title_goes_first(ticket_of: TicketOf) -> None:
    assert ticket_of("路灯坏了", title=" 关于\n路灯 ").title == "关于 路灯"


def test_a_blank_title_counts_as_not_given(ticket_of: TicketOf) -> None:
    assert ticket_of("路灯坏了", title=" \u200b").title == "路灯坏了"


def test_a_call_without_text_takes_the_citizens_first_words(ticket_of: TicketOf) -> None:
    turns = ({"speaker": "agent", "text": "您好，请讲"}, {"speaker": "citizen", "text": "我家停水了"})
    assert ticket_of("", channel="phone", conversation=turns).title == "我家停水了"


@pytest.mark.parametrize("language", ["en", "zh-Hant", "ko", None])
def test_without_any_word_the_title_is_neutral(ticket_of: TicketOf, language: str | None) -> None:
    ticket = ticket_of("", requester={"language": language})
    assert ticket.title
    assert "neutral" in {note.code for note in ticket.notes}
