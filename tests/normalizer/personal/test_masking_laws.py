"""No masked datum survives in title or text when the site asks for masking, wherever it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer import Inbound, Raw, Ticket, Turn, normalize
from normalizer.config import NormalizerConfig
from normalizer.personal import Kind, mask
from normalizer.ticket import Speaker
from tests.people import SHAPES

ALL = NormalizerConfig(mask=get_args(Kind))
# What may stand around: words, marks and blanks of any number, none of which names another kind of number.
WORDS = st.lists(
    st.sampled_from(
        [
            "路灯坏了",
            "，",
            "。",
            "\n",
            "我的电话",
            "身份证",
            "银行卡",
            "请回电",
            "、",
            " ",
            "！",
            "（",
            "）",
            "😀",
            "楼上漏水",
            "谢谢",
        ]
    ),
    max_size=8,
).map("".join)
DATA = st.builds(
    lambda shape, seed: SHAPES[shape](Random(seed)), st.sampled_from(sorted(SHAPES)), st.integers(0, 10**6)
)


def ticket_of(inbound: Inbound) -> Ticket:
    raw = Raw(channel="web", source_id="1", received_at=datetime(2026, 11, 23, tzinfo=UTC), body=b"")
    return normalize(raw, inbound, number="2026112301000017", config=ALL)


def digits(text: str) -> str:
    return "".join(
        char for char in text.translate(str.maketrans("零〇幺一二三四五六七八九", "001123456789")) if char.isdecimal()
    )


@settings(deadline=None, max_examples=300)
@given(WORDS, DATA, WORDS)
def test_no_masked_datum_survives(before: str, datum: tuple[str, str, str | None], after: str) -> None:
    _, written, value = datum
    text = f"{before}{written} {after}"
    ticket = ticket_of(
        Inbound(text=text, title=text, digest="", conversation=(Turn(speaker=Speaker.CITIZEN, text=text),))
    )
    shown = (ticket.title, ticket.text, ticket.conversation[0].text)
    if "@" in (value or ""):
        assert all(str(value).partition("@")[0] not in one for one in shown)
    else:
        tail = digits(value or written)[-8:]
        assert all(tail not in digits(one) for one in shown)


@settings(deadline=None, max_examples=200)
@given(st.lists(DATA, max_size=3), WORDS)
def test_masking_what_is_masked_changes_nothing(data: list[tuple[str, str, str | None]], words: str) -> None:
    text = words.join(written for _, written, _ in data) + words
    once, _ = mask(text, get_args(Kind))
    assert mask(once, get_args(Kind)) == (once, {})


@settings(deadline=None, max_examples=100)
@given(DATA)
def test_who_asked_can_still_be_called_back(datum: tuple[str, str, str | None]) -> None:
    kind, written, value = datum
    ticket = ticket_of(Inbound(text=f"路灯坏了，我的电话是{written}", digest=""))
    if kind == "phone" and value and not value.startswith("+86400"):
        assert ticket.requester.phone == value
