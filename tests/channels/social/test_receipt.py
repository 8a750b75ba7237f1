"""What a citizen reads at once in private: danger first, then number, code and page; in the language of the message."""

from __future__ import annotations

import pytest

from channels.alerts import alerted
from channels.social.receipt import _BOOK, received
from normalizer.identity import receipt_code, ticket_id
from normalizer.ticket import Flag, Inbound, Receipt

TICKET = ticket_id("weibo", "push:1")
NUMBER = "202611230000000715"
URL = f"https://hotline.example/t/{NUMBER}"
RECEIPT = Receipt(ticket_id=TICKET, number=NUMBER, code=receipt_code(TICKET, b"secret"), status_url=URL)


def told(text: str, *flags: Flag) -> list[str]:
    inbound = Inbound(text=text, digest="d", flags=flags)
    return received(alerted(RECEIPT, inbound), inbound).splitlines()


def test_number_code_and_page_each_on_a_line_of_its_own() -> None:
    lines = told("路灯坏了")
    assert lines == [
        "您的诉求已收到。",
        f"编号：{NUMBER}",
        f"查询码：{RECEIPT.code}（请勿告诉他人）",
        f"查看进度：{URL}",
        "如需补充，直接在这里发送即可。",
    ]


def test_english_to_who_writes_english() -> None:
    lines = told("The street lamp in front of our house has been broken for three days")
    assert lines[0] == "Your request was received."
    assert f"Number: {NUMBER}" in lines


def test_who_is_in_danger_reads_first_whom_to_call() -> None:
    assert told("三楼着火了，有人被困，快救命")[0].startswith("情况紧急请立即拨打")


def test_who_sent_no_words_is_asked_for_them() -> None:
    assert told("")[-1] == "请再用文字说明是什么事、在哪里。"


def test_who_asks_nothing_is_asked_what_is_wanted_unless_there_is_danger() -> None:
    assert told("你好", Flag.NO_REQUEST) == ["消息已收到。如有诉求，请用文字说明是什么事、在哪里。"]
    assert "119" in told("着火了，救命", Flag.NO_REQUEST)[0]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_language_has_every_place(language: str) -> None:
    words = getattr(_BOOK, language)
    for name, place in (("number", "{number}"), ("code", "{code}"), ("url", "{url}"), ("danger", "{numbers}")):
        assert place in getattr(words, name)
