"""Both catalogues of the letters to units, word for word: whatever happens to a ticket can be said in each."""

from __future__ import annotations

from typing import Any

import pytest

from normalizer.ticket import Tier
from workers import passing
from workers.unit_letter import CUTS, WORDS, encloses, written
from workers.unit_words import STEP_WORDS

TICKET: dict[str, Any] = {
    "title": "路灯",
    "text": "路灯坏了{braces}",
    "place": {"text": None, "district": "城北区", "street": "柳树街道"},
    "urgency": {"tier": "24h"},
    "attachments": [{"name": "a.jpg"}],
    "requester": {"name": "王芳", "phone": "+8613900000000", "email": None, "reply_to": []},
}


def event(because: str, **more: Any) -> dict[str, Any]:
    history = [
        {"step": "dispatch", "version": 2, "reason": "市容"},
        {"step": "follow_up", "version": 3, "text": "更暗了"},
        {"step": because, "version": 4, "reason": "为什么"},
    ]
    life = {"lead": "north_lamp", "co": ["police"], "cc": ["willow"]}
    data = {"unit": "north_lamp", "because": because, "version": 4, "number": "2026112300000013", "yours": True}
    return data | {"ticket": TICKET, "life": life, "history": history} | more


def shape(words: Any) -> Any:
    return {name: shape(value) for name, value in words.items()} if isinstance(words, dict) else None


def test_both_languages_have_the_same_keys() -> None:
    assert shape(WORDS["zh"]) == shape(WORDS["en"])
    assert set(WORDS["zh"]["tier"]) == set(Tier)
    assert {str(word) for word in passing._TOLD.values()} - {"refused"} == set(WORDS["zh"]["because"])


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("because", list(WORDS["zh"]["because"]))
def test_every_step_is_told_with_its_reason_and_the_matter(language: Any, because: str) -> None:
    text = written(event(because), language, "12345")
    assert text.startswith(CUTS)
    for word in ("2026112300000013", WORDS[language]["because"][because], "为什么", "路灯坏了{braces}", "更暗了"):
        assert word in text, word
    for word in ("城北区 柳树街道", "王芳 +8613900000000", WORDS[language]["tier"]["24h"]):
        assert word in text, word
    assert (WORDS[language]["how"].strip() in text) == (because != "close")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_not_enclosed_is_named(language: Any) -> None:
    text = written(event("dispatch"), language, "12345", ("a.jpg", "清单.pdf"))
    assert WORDS[language]["line"]["left"].format(value=WORDS[language]["between"].join(("a.jpg", "清单.pdf"))) in text
    assert WORDS[language]["line"]["left"].partition("{")[0] not in written(event("dispatch"), language, "12345")


def test_files_come_with_the_ticket_and_not_with_what_says_nothing_of_it() -> None:
    assert encloses(event("dispatch"))
    assert encloses(event("follow_up"))
    assert not encloses(event("close"))
    assert not encloses(event("refused"))
    assert not encloses(event("uphold", yours=False))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_who_has_it_no_more_reads_no_word_of_it(language: Any) -> None:
    text = written({"unit": "a", "because": "uphold", "version": 4, "number": "1", "yours": False}, language, "12345")
    assert WORDS[language]["lost"] in text
    assert len(text.splitlines()) == 5


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("code", [*WORDS["zh"]["refused"], "a_code_to_come"])
def test_every_refusal_says_why_and_how_and_nothing_of_the_matter(language: Any, code: str) -> None:
    text = written(event("refused", refused=code), language, "12345")
    whys = WORDS[language]["refused"]
    assert whys.get(code, whys["other"]) in text
    assert WORDS[language]["how"].strip() in text
    assert "路灯" not in text
    assert "王芳" not in text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_words_that_a_letter_teaches_are_understood(language: Any) -> None:
    taught = [
        line.replace("：", ":").partition(":")[0] for line in WORDS[language]["how"].split("\n\n")[1].splitlines()
    ]
    assert [STEP_WORDS[word] for word in taught] == [
        "sign", "contact", "progress", "help", "ask_help", "object", "extend", "reply",
    ]  # fmt: skip


def test_the_line_that_parts_an_answer_from_our_letter_is_broken_by_no_program() -> None:
    """Quoted within the 78 characters of RFC 5322 2.1.1, a wide one counted as two."""
    assert all(sum(2 if ord(char) > 0x7F else 1 for char in cut) <= 60 for cut in CUTS)
