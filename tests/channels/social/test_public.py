"""A public reply: no word of the answer, within every platform's length, the same for one sending and for no other."""

from __future__ import annotations

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.reply import Reply
from channels.social.public import mark_of, public_text

PURPOSES = typing.get_args(Reply.model_fields["purpose"].annotation)
NUMBER = "202611230000000715"
LONGEST = "9" * 24


def reply(operation: str = "o1", purpose: str = "answer", language: str | None = "zh-Hans", text: str = "") -> Reply:
    return Reply.model_validate(
        {"operation": operation, "number": NUMBER, "text": text, "purpose": purpose, "language": language}
    )


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize(("language", "most"), [("zh-Hans", 140), ("bo", 140), (None, 140), ("en", 280), ("ru", 280)])
def test_it_fits_every_platform_and_names_the_number(purpose: str, language: str | None, most: int) -> None:
    message = reply(purpose=purpose, language=language)
    assert NUMBER in public_text(message)
    assert len(public_text(message.model_copy(update={"number": LONGEST}))) <= most


@given(st.text(max_size=50), st.text(max_size=50), st.sampled_from(PURPOSES))
def test_the_answer_leaves_no_trace(text: str, short: str, purpose: str) -> None:
    bare = reply(purpose=purpose)
    assert public_text(bare.model_copy(update={"text": text, "short": short})) == public_text(bare)


def test_one_sending_has_one_text_and_another_has_another() -> None:
    assert public_text(reply("o1")) == public_text(reply("o1"))
    assert len({public_text(reply(f"o{n}", purpose)) for n in range(20) for purpose in ("notice", "answer")}) == 40
    assert mark_of(reply("o1")) in public_text(reply("o1"))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_receipt_says_where_danger_is_told(language: str) -> None:
    assert all(number in public_text(reply(purpose="receipt", language=language)) for number in ("110", "119", "120"))
