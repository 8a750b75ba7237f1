"""HTML of a mail as people read it, and no matter how it is built."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import html
from tests.effort import Effort


def test_a_table_of_facts_is_read_in_columns() -> None:
    page = "<p>您好</p><table><tr><th>姓名</th><th>电话</th></tr><tr><td>张三</td><td>138</td></tr></table>"
    assert html.to_text(page) == "您好\n\n姓名  电话\n张三  138"


def test_a_table_for_layout_is_no_table() -> None:
    page = "<table><tr><td><table><tr><td>第一段</td></tr></table></td><td>旁边</td></tr></table>"
    assert [line.strip() for line in html.to_text(page).split("\n") if line.strip()] == ["第一段", "旁边"]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a<div style='display:none'>hidden</div>b", "ab"),
        ("<head><title>t</title><style>p{}</style></head><body>a<script>x()</script>b", "ab"),
        ("<p hidden>x</p>y", "y"),
        ("<p>a<!-- c -->b</p>", "ab"),
        ("a&nbsp;b &lt;c&gt; &#x4F60;", "a b <c> 你"),
        ("line<br>line", "line\nline"),
        ("<pre>x\n  y</pre>", "x\n  y"),
        ("<ul><li>一</li><li>二</li></ul>", "  * 一\n  * 二"),
        ("<?xml version='1.0' encoding='gbk'?><p>你</p>", "你"),
        ("<meta charset=latin-1><p>你</p>", "你"),
        ("no markup", "no markup"),
        ("<!-- only -->", ""),
        ("", ""),
        ("zero\u200bwidth", "zerowidth"),
    ],
)
def test_small_pages(page: str, text: str) -> None:
    assert html.to_text(page) == text


@pytest.mark.parametrize("head", ['<meta charset="gbk">', "<META http-equiv=x content='text/html; charset=gb2312'>"])
def test_the_charset_that_a_page_names(head: str) -> None:
    assert (html.charset(f"<html><head>{head}".encode()) or "").startswith("gb")


HOSTILE = {
    "deep": "<div>" * 20_000 + "hello",
    "deeper": "<div>" * 300_000 + "hello",
    "tables in tables": "<table><tr><td>" * 5_000 + "hello",
    "a padded column": "<table>" + "<tr><td>a<td>b" * 9_000 + "<tr><td>" + "x" * 100_000 + "<td>hello</table>",
    "columns": "<table><tr>" + "<td>a" * 50_000 + "<td>hello</table>",
    "lines": "<br>" * 200_000 + "hello",
    "open brackets": "<" * 300_000 + "p>hello",
    "attributes": "<a " + "x=1 " * 200_000 + ">hello</a>",
    "formatting": "<p><b>" * 40_000 + "hello",
    "wide": "<pre>" + " " * 500_000 + "hello",
    "style": "<p style='" + "padding-left:99999em;" * 20_000 + "'>hello</p>",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pages_are_read_in_time_and_size(kind: str) -> None:
    effort = Effort()
    text = html.to_text(HOSTILE[kind])
    assert effort.within(5)  # quadratic would be minutes
    assert "hello" in text
    assert len(text) < 1_000_000


PIECES = "<p> </p> <table> <tr> <td> </td> <b &# &#0; \0 <!-- --> <pre> \ud800 <ul><li> <br/> text <style> ]]> <svg>"


@given(st.lists(st.sampled_from(PIECES.split(" ")), max_size=40))
def test_any_page_gives_text(pieces: list[str]) -> None:
    html.to_text("".join(pieces)).encode()
