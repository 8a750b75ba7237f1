"""Address fields, well written and otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.addresses import ADDRESSES_MAX, Address, read
from tests.effort import Effort


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a@b.cn", [("", "a@b.cn")]),
        ("张三 <z@b.cn>", [("张三", "z@b.cn")]),
        ("=?gbk?B?1cXI/Q==?=<a@b.cn>", [("张三", "a@b.cn")]),
        ('"=?utf-8?B?5byg5LiJ?=" <a@b>', [("张三", "a@b")]),
        ("=?utf-8?Q?Doe,_John?= <j@d>, x@y", [("Doe, John", "j@d"), ("", "x@y")]),
        ('"Public, \\"Joe\\" Q." <john@x>; mary@y', [('Public, "Joe" Q.', "john@x"), ("", "mary@y")]),
        ("a@b (Name (nested) here)", [("Name (nested) here", "a@b")]),
        ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", [("Pete", "pete@silly.test")]),
        ("A Group:Ed <ed@x>,joe@y;", [("Ed", "ed@x"), ("", "joe@y")]),
        ("undisclosed-recipients:;", []),
        ("<@route:a@b>", [("", "a@b")]),
        ("<<a@b>>", [("", "a@b")]),
        ("name <a@b", [("name", "a@b")]),
        ("a@b>, c@d", [("", "a@b"), ("", "c@d")]),
        ("root", [("root", "")]),
        ("=?utf-8?B?5byg5LiJIDx6QHEuY24+?=", [("张三", "z@q.cn")]),
        ('"', []),
        ("", []),
        ("=?x?q?=?= <", []),
    ],
)
def test_fields(written: str, meant: list[tuple[str, str]]) -> None:
    assert [(one.name, one.address) for one in read(written.encode().decode("latin-1"))] == meant


def test_a_raw_gbk_name() -> None:
    assert read("李雷 <l@b.cn>".encode("gbk").decode("latin-1"), "gb18030") == (Address("李雷", "l@b.cn"),)


@pytest.mark.parametrize(
    "hostile", ["(" * 65_000, "a@b" + ":" * 65_000, "a" * 65_000 + " @", "=?a?q?" * 10_000, "<a,b;" * 9_000]
)
def test_hostile_fields_take_no_time(hostile: str) -> None:
    effort = Effort()
    assert len(read(hostile)) <= ADDRESSES_MAX
    assert effort.within(0.5)


@given(st.text(alphabet=st.sampled_from("a@b.<>\"'(),;:\\ \r\n=?qé"), max_size=80))
def test_any_field_gives_names_and_addresses_in_one_line(value: str) -> None:
    for one in read(value):
        assert one.name or one.address
        assert not set("\r\n") & set(one.name + one.address)


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ('<"john doe"@home.example>', '"john doe"@home.example'),
        ('"john doe"@home.example', '"john doe"@home.example'),
        ('John <"john doe"@home.example>', '"john doe"@home.example'),
        ('<"a\\"b c"@home.example>', '"a\\"b c"@home.example'),
        ('<"john.doe"@home.example>', "john.doe@home.example"),
        ('"John Doe" <doe@home.example>', "doe@home.example"),
        ('"doe@home.example" <doe@home.example>', "doe@home.example"),
        ('"Doe"@home.example', "Doe@home.example"),
    ],
)
def test_a_quoted_local_part_is_never_somebody_elses_address(field, address):
    assert [one.address for one in read(field)] == [address]
