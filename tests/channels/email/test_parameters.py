"""Types, dispositions and names of files, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import parameters
from tests.effort import Effort

NAME = "报告.pdf"


@pytest.mark.parametrize(
    "written",
    [
        "name*=utf-8'zh'%E6%8A%A5%E5%91%8A.pdf",
        "name*0*=gb2312''%B1%A8; name*1*=%B8%E6; name*2=\".pdf\"",
        "name*1*=%B8%E6.pdf; name*0*=gb2312''%B1%A8",
        'name="=?gbk?B?sai45i5wZGY=?="',
        "name==?gbk?B?sai45i5wZGY=?=",
        'name="=?UTF-8?B?5oql?=\r\n =?UTF-8?B?5ZGKLnBkZg==?="',
        'name*0="=?UTF-8?B?5oql5ZGK"; name*1="LnBkZg==?="',
        "name=\"wrong.txt\"; name*=utf-8''%E6%8A%A5%E5%91%8A.pdf",
        f'name="{NAME.encode().decode("latin-1")}"',
        f'name="{NAME.encode("gbk").decode("latin-1")}"',
        f"name={NAME.encode('gbk').decode('latin-1')}",
    ],
)
def test_a_chinese_name_by_every_way_it_is_written(written: str) -> None:
    assert parameters.read(f"application/pdf; {written}").parameters["name"] == NAME


@pytest.mark.parametrize(
    ("written", "value", "held"),
    [
        ('TEXT / HTML ;charset="gbk" (a comment)', "text/html", {"charset": "gbk"}),
        ("text/html charset=utf-8", "text/html", {"charset": "utf-8"}),
        ("charset=utf-8", "", {"charset": "utf-8"}),
        ("text/plain;;; charset=a; charset=b", "text/plain", {"charset": "a"}),
        ('attachment; filename="a\\"b.txt"; size=3', "attachment", {"filename": 'a"b.txt', "size": "3"}),
        ('attachment; filename="C:\\temp\\x.txt"', "attachment", {"filename": "C:\\temp\\x.txt"}),
        ("attachment; filename=two words.txt", "attachment", {"filename": "two words.txt"}),
        ('attachment; filename="no end.txt', "attachment", {"filename": "no end.txt"}),
        ("inline", "inline", {}),
        ("", "", {}),
    ],
)
def test_values_and_parameters(written: str, value: str, held: dict[str, str]) -> None:
    found = parameters.read(written)
    assert (found.value, dict(found.parameters)) == (value, held)


@pytest.mark.parametrize(
    "hostile", ["; " * 30_000, "a=" * 30_000, "; a*0*=" * 9_000, '; a="' * 12_000, " " * 65_000 + "/x"]
)
def test_hostile_fields_take_no_time(hostile: str) -> None:
    effort = Effort()
    parameters.read("text/plain" + hostile)
    assert effort.within(0.5)


@given(st.text(alphabet=st.sampled_from("na*0=;\"'%E6\\ \r\né/?utf-8"), max_size=80))
def test_any_field_is_read(value: str) -> None:
    parameters.read(value)
