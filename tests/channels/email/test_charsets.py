"""Bytes become the text that was written, whatever their label says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import charsets

SHORT = ["您好，请问", "路灯坏了", "联通", "小区停水三天了，请派人来看看。谢谢！", "测试", "我要投诉噪音扰民"]
RARE = "㐀㙍𠮷镕喆"


@pytest.mark.parametrize("label", [None, "gb2312", "us-ascii", "iso-8859-1", "utf-8", "x-unknown", "GBK", ""])
@pytest.mark.parametrize("text", SHORT)
@pytest.mark.parametrize("really", ["gb18030", "utf-8"])
def test_chinese_is_read_whatever_the_label_claims(text: str, really: str, label: str | None) -> None:
    assert charsets.decode(text.encode(really), label).text == text


@pytest.mark.parametrize("label", ["gb2312", "GBK", "x-gbk", "GB18030", "cp936", "GB_2312-80", '"gb2312"'])
def test_the_small_chinese_labels_mean_gb18030(label: str) -> None:
    found = charsets.decode(RARE.encode("gb18030"), label)
    assert (found.text, found.guessed) == (RARE, False)


@pytest.mark.parametrize(
    ("text", "label", "codec"),
    [
        ("東京都", "iso-2022-jp", "iso2022_jp"),
        ("東京都", "Shift_JIS", "cp932"),
        ("서울", "ks_c_5601-1987", "cp949"),
        ("臺北市政府", "big5", "big5hkscs"),
        ("Привет", "koi8-r", "koi8_r"),
        ("Привет", "windows-1251", "cp1251"),
        ("smart “quotes”", "iso-8859-1", "cp1252"),
        ("中文", "hz-gb-2312", "hz"),
        ("中文", "utf-16", "utf_16"),
        ("é", "iso-8859-15", "iso8859_15"),
    ],
)
def test_other_labels_mean_what_senders_mean_by_them(text: str, label: str, codec: str) -> None:
    found = charsets.decode(text.encode(codec), label)
    assert (found.text, found.damaged) == (text, False)


@pytest.mark.parametrize("text", ["café été déjà", "Straße für Müller", "señor"])
@pytest.mark.parametrize("label", ["iso-8859-1", "us-ascii", "utf-8", None])
def test_western_text_is_not_taken_for_chinese(text: str, label: str | None) -> None:
    assert charsets.decode(text.encode("latin-1"), label).text == text


def test_sets_that_shift_by_themselves_need_no_label() -> None:
    assert charsets.decode("東京都の件".encode("iso-2022-jp"), None).text == "東京都の件"
    assert charsets.decode("你好".encode("hz"), "us-ascii").text == "你好"


def test_a_few_broken_bytes_do_not_turn_utf8_into_another_charset() -> None:
    whole = "小区停水三天了，请派人来看看".encode()
    found = charsets.decode(whole[:12] + b"\xff" + whole[12:], "utf-8")
    assert found.damaged
    assert found.text.replace("\ufffd", "") == whole.decode()
    assert charsets.decode(whole[:-1], None).text.startswith("小区停水三天了")


def test_a_broken_byte_in_gbk_costs_a_character_and_not_the_text() -> None:
    found = charsets.decode("路灯坏了很久没有人来修理请尽快处理".encode("gbk") + b"\xff\xff", "gb2312")
    assert found.text.startswith("路灯坏了很久没有人来修理请尽快处理")


@pytest.mark.parametrize("label", ["zip", "idna", "punycode", "unicode_escape", "rot13", "undefined", "x" * 5000])
def test_names_that_are_no_charset_of_text_are_not_tried(label: str) -> None:
    assert charsets.codec(label) is None


def test_a_byte_order_mark_outweighs_the_label() -> None:
    assert charsets.decode("﻿中文".encode(), "iso-8859-1").text == "中文"
    assert charsets.decode("中文".encode("utf-16"), "utf-8").text == "中文"


def test_cleaning_removes_what_cannot_be_stored_or_shown() -> None:
    assert charsets.clean("a\r\nb\rc\0\x1b[0m\x85d\te\ud800") == "a\nb\nc[0md\te?"


@given(st.binary(max_size=300), st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["gbk", "utf-7", "big5"])))
def test_any_bytes_give_storable_text(data: bytes, label: str | None) -> None:
    charsets.clean(charsets.decode(data, label).text).encode()
