"""What a page quotes is marked as in plain text, so that the words between quotations are the writer's."""

from __future__ import annotations

import pytest

from channels.email import html
from channels.email.quotes import trim

CITE = '<blockquote type="cite">{}</blockquote>'


@pytest.mark.parametrize(
    "edge",
    [
        'type="cite"',
        "type=CITE",
        'cite="mid:1@a"',
        'class="gmail_quote"',
        'class="gmail_quote gmail_quote_container"',
        'class="protonmail_quote"',
        'id="isReplyContent" style="MARGIN: 0"',
        'style="border-left:1px solid #ccc"',
        'style="margin:0; BORDER-LEFT-WIDTH: 2px"',
    ],
)
def test_a_blockquote_that_a_program_made_is_a_quotation(edge: str) -> None:
    assert html.to_text(f"own<blockquote {edge}>theirs</blockquote>") == "own\n> theirs"


@pytest.mark.parametrize(
    "edge", ["", 'style="margin:0 0 0 40px;border:none;padding:0px"', 'style="border-left:none"', 'class="quote-me"']
)
def test_a_blockquote_that_only_indents_is_the_writers(edge: str) -> None:
    page = f"<p>own</p><blockquote {edge}>also own</blockquote>"
    assert [line.strip() for line in html.to_text(page).split("\n") if line] == ["own", "also own"]


def test_quotations_in_quotations_show_their_depth() -> None:
    page = "own" + CITE.format("a<p>b</p>" + CITE.format("older") + "c") + "own again"
    assert [line for line in html.to_text(page).split("\n") if line] == [
        "own",
        "> a",
        "> b",
        ">> older",
        "> c",
        "own again",
    ]


def test_answers_between_quotations_keep_them_and_an_answer_above_does_not() -> None:
    between = html.to_text(CITE.format("where?") + "<div>here</div>" + CITE.format("when?") + "<div>now</div>")
    assert trim(between).text == "> where?\nhere\n> when?\nnow"
    above = trim(html.to_text("<div>here</div><p>On 3 May 2026 at 9:30, A wrote:</p>" + CITE.format("where?")))
    assert (above.text, above.quoted.split("\n")[-1]) == ("here", "> where?")


def test_a_page_that_is_one_quotation_is_what_was_sent() -> None:
    assert html.to_text(CITE.format("a" + CITE.format("b"))) == "a\n> b"


def test_what_is_passed_on_in_a_quotation_is_forwarded_without_its_marks() -> None:
    found = trim(
        html.to_text("please see" + CITE.format("Begin forwarded message:<br>From: a@b<br>Subject: x<p>lamp</p>"))
    )
    assert found.text == "please see"
    assert found.forwarded.split("\n") == ["Begin forwarded message:", "From: a@b", "Subject: x", "", "lamp"]


def test_a_forward_within_an_answered_message_is_not_passed_on() -> None:
    answered = trim("yes\n\n> fyi\n> Begin forwarded message:\n> From: a@b\n> Subject: x\n")
    assert (answered.text, answered.forwarded) == ("yes", "")


def test_a_quotation_in_a_table_of_facts_leaves_the_table_whole() -> None:
    page = f"<table><tr><td>a<td>{CITE.format('q')}<tr><td>c<td>d</table>x"
    assert html.to_text(page) == "a  q\nc  d\n\nx"


def test_a_quotation_in_a_table_for_layout_is_marked() -> None:
    assert html.to_text(f"<table><tr><td>own<tr><td>{CITE.format('q')}</table>") == "own\n> q"


def test_depth_is_bounded_and_marks_that_were_sent_are_no_edges() -> None:
    assert html.to_text("own" + CITE.split("{")[0] * 40 + "x").split("\n")[-1] == ">" * 10 + " x"
    assert html.to_text(f"own\ufdd0a{CITE.format('b')}\ufdd1c") == "owna\n> b\nc"


def test_a_page_too_deep_for_the_renderer_is_marked_too() -> None:
    assert "\n> theirs" in html.to_text("own" + CITE.format("<div>" * 130 + "theirs"))
