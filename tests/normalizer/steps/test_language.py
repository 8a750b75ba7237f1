"""The language is judged by script; what the source said goes first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from normalizer import Ticket
from normalizer.steps.language import detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("路灯坏了", "zh-Hans"),
        ("山水", "zh-Hans"),
        ("請修路燈，謝謝", "zh-Hant"),
        ("王於今请修灯", "zh-Hans"),
        ("请看 https://example.com/a/very/long/address/of/a/page?with=many&more=parameters", "zh-Hans"),
        ("KTV太吵", "zh-Hans"),
        ("The street light is broken", "en"),
        ("가로등이 고장났습니다", "ko"),
        ("街灯が壊れています", "ja"),
        ("كوچا چىرىغى بۇزۇلۇپ كەتتى، رېمونت قىلىپ بېرىڭلار", "ug"),
        ("ལམ་གྱི་གློག་སྒྲོན་སྐྱོན་ཤོར་སོང་།", "bo"),
        ("ᠭᠤᠳᠤᠮᠵᠢᠨ ᠭᠡᠷᠡᠯ", "mn"),
        ("Гудамжны гэрэл эвдэрсэн, өнөөдөр үзнэ үү", "mn"),
        ("Сломан уличный фонарь", "ru"),
        ("Манай гудамж харанхуй байна", "mn"),
        ("12345 !!!", None),
        ("", None),
    ],
)
def test_detect(text: str, language: str | None) -> None:
    assert detect(text) == language


def test_what_the_source_said_goes_first(ticket_of: Callable[..., Ticket]) -> None:
    assert ticket_of("路灯坏了", requester={"language": "en-GB"}).requester.language == "en-GB"


def test_nonsense_from_the_source_does_not(ticket_of: Callable[..., Ticket]) -> None:
    ticket = ticket_of("路灯坏了", requester={"language": "中文!"})
    assert ticket.requester.language == "zh-Hans"
    assert ("language", "by_script") in {(note.step, note.code) for note in ticket.notes}


def test_what_no_rule_reads_is_for_a_reader(ticket_of: Callable[..., Ticket]) -> None:
    for text, given in (("가로등이 고장났습니다", None), ("ལམ་གྱི་གློག་སྒྲོན་སྐྱོན་ཤོར་སོང་།", "bo")):
        ticket = ticket_of(text, requester={"language": given})
        assert ("language", "needs_reader") in {(note.step, note.code) for note in ticket.notes}
    assert "needs_reader" not in {note.code for note in ticket_of("路灯坏了").notes}
