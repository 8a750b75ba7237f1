"""Fields of the head become what their author meant, whatever their author's program wrote."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import headers
from tests.effort import Effort


def raw(text: str, charset: str) -> str:
    return text.encode(charset).decode("latin-1")


def test_a_character_cut_between_two_words_is_whole_again() -> None:
    data = "路灯坏了".encode("gbk")
    subject = " ".join(f"=?gb2312?B?{b64encode(part).decode()}?=" for part in (data[:3], data[3:5], data[5:]))
    assert headers.decode(subject) == "路灯坏了"


def test_base64_cut_between_its_groups_is_whole_again() -> None:
    encoded = b64encode("路灯坏了".encode()).decode()
    assert headers.decode(f"=?utf-8?B?{encoded[:6]}?=\r\n =?UTF-8?B?{encoded[6:]}?=") == "路灯坏了"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("=?utf-8?Q?=E8=B7=AF=E7=81=AF?=", "路灯"),
        ("=?utf-8?q?a_b?= =?utf-8?q?c?=", "a bc"),
        ("=?utf-8*zh-cn?Q?=E8=B7=AF?=", "路"),
        ("Re: =?gbk?B?wrfVtQ==?=(2)", "Re: 路盏(2)"),
        ("=?unicode-1-1-utf-7?Q?Fr+APY-sche?=", "Frösche"),
        ("=?utf-8?Q?two words here?=", "two words here"),
        ("=?utf-8?Q?what??=", "what?"),
        ("=?utf-8?B?6Lev54Gv?", "=?utf-8?B?6Lev54Gv?"),
        ("=?utf-8?B?6Lev54G?=", "路�"),
        ("=?x-unknown?B?u7XBy7XEwrc=?=", "坏了的路"),
        ("a\r\n\tb\r\n  c", "a b c"),
        ("nul\0 and bell\x07", "nul and bell"),
        ("let's = try =?iso-8859-1? to break", "let's = try =?iso-8859-1? to break"),
    ],
)
def test_encoded_words_as_they_are_written(written: str, meant: str) -> None:
    assert headers.decode(written) == meant


@pytest.mark.parametrize("charset", ["gb18030", "utf-8"])
def test_raw_bytes_in_a_field_are_read_by_their_look(charset: str) -> None:
    assert headers.decode(raw("关于路灯不亮的投诉", charset)) == "关于路灯不亮的投诉"


@pytest.mark.parametrize("charset", ["gbk", "utf-8", "x-unknown"])
def test_raw_characters_inside_an_encoded_word_stay_what_they_are(charset: str) -> None:
    assert headers.decode(raw(f"=?{charset}?Q?路灯=20{charset}?=", "utf-8")) == f"路灯 {charset}"


def test_raw_bytes_too_few_to_tell_are_read_as_the_body() -> None:
    assert headers.decode(raw("噪音", "big5"), hint="big5") == "噪音"


def test_message_ids_come_without_brackets_and_without_repeats() -> None:
    assert headers.ids("<a@b>\r\n\t<c@d> (comment) <a@b>") == ("a@b", "c@d")
    assert headers.ids("a@b c@d") == ("a@b", "c@d")
    assert headers.ids("< a@b >") == ("a@b",)
    assert headers.ids("Your message of yesterday") == ()


def test_of_very_many_references_the_first_and_the_latest_stay() -> None:
    found = headers.ids(" ".join(f"<{number}@x>" for number in range(5000)))
    assert len(found) == headers.IDS_MAX
    assert (found[0], found[-1]) == ("0@x", "4999@x")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Mon, 23 Nov 2026 14:26:26 +0800", datetime(2026, 11, 23, 6, 26, 26, tzinfo=UTC)),
        ("23 Nov 2026 14:26 GMT", datetime(2026, 11, 23, 14, 26, tzinfo=UTC)),
        ("Thu, 6 Jun 1996 15:50:39 +0400 (MOW DST)", datetime(1996, 6, 6, 11, 50, 39, tzinfo=UTC)),
        ("yesterday", None),
        ("Mon, 99 Nov 2026 99:99:99 +0800", None),
        ("", None),
    ],
)
def test_dates(written: str, meant: datetime | None) -> None:
    assert headers.date(written) == meant


def test_the_zone_of_a_date_is_kept() -> None:
    found = headers.date("Mon, 23 Nov 2026 14:26:26 +0800")
    assert found is not None
    assert found.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    "hostile", ["=?a?q?" * 11_000, " " * 65_000, "<" * 65_000, "=?a?b?=" * 9_000, "\r\n " * 20_000]
)
def test_hostile_fields_take_no_time(hostile: str) -> None:
    effort = Effort()
    headers.decode(hostile), headers.ids(hostile), headers.date(hostile)
    assert effort.within(0.5)


@given(st.binary(max_size=200), st.one_of(st.none(), st.just("gbk")))
def test_any_bytes_give_one_line(data: bytes, hint: str | None) -> None:
    value = data.decode("latin-1")
    assert "\n" not in headers.decode(value, hint)
    headers.ids(value), headers.date(value)


@given(st.text(max_size=60), st.sampled_from(["utf-8", "gb18030"]), st.integers(1, 30))
def test_what_is_encoded_is_read_again_wherever_it_is_cut(text: str, charset: str, size: int) -> None:
    data = text.encode(charset, "ignore")
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    field = "\r\n ".join(f"=?{charset}?B?{b64encode(part).decode()}?=" for part in cut)
    assert headers.decode(field) == headers.one_line(data.decode(charset))
