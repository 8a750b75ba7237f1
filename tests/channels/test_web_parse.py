"""What the web channel reads in a body, and what it refuses, without a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import uuid4

import pytest

from channels.web import Web, WebConfig, follow_up_raw
from channels.web.models import KindWord
from normalizer import Kind, Rejected
from normalizer.identity import number
from normalizer.ticket import Raw
from tests.effort import Effort

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
NUMBER = number(NOW.date(), 0, 7)
CITIZEN = {"name": "欧阳测试", "phone": "13800138000", "email": "ouyang@example.com"}
API = "/api/v1/requests"


def raw(body: bytes | dict[str, Any], content_type: str = "application/json", **meta: str) -> Raw:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Raw(channel="web", source_id="post:1", received_at=NOW, body=content, content_type=content_type, meta=meta)


def test_the_words_for_kind_are_the_ticket_s() -> None:
    assert set(get_args(KindWord)) == {kind.value for kind in Kind}


def test_the_same_content_has_one_digest_however_it_is_written() -> None:
    web = Web(WebConfig())
    written = [
        raw(b'{"text":"a","title":"b","anonymous":false}'),
        raw(b'{ "title": "b", "text": "\\u0061", "phone": null }'),
        raw(b"title=b&text=a", "application/x-www-form-urlencoded"),
        *(
            raw(
                f'--{boundary}\r\nContent-Disposition: form-data; name="text"\r\n\r\na\r\n--{boundary}\r\n'
                f'Content-Disposition: form-data; name="title"\r\n\r\nb\r\n--{boundary}--\r\n'.encode(),
                f"multipart/form-data; boundary={boundary}",
            )
            for boundary in ("X", "Y")
        ),
    ]
    assert len({web.parse(one).digest for one in written}) == 1
    assert web.parse(raw(b'{"text":"a","title":"c"}')).digest != web.parse(written[0]).digest


def test_a_follow_up_names_its_ticket_and_its_sender() -> None:
    inbound = Web(WebConfig()).parse(raw({"text": "又坏了", "code": "abcd2345"}, follows=NUMBER))
    assert inbound.threads == (f"number:{NUMBER}",)
    assert inbound.senders == ("code:ABCD2345",)
    assert inbound.text == "又坏了"


def test_a_follow_up_to_a_misread_number_is_refused() -> None:
    wrong = NUMBER[:-1] + str((int(NUMBER[-1]) + 1) % 10)
    with pytest.raises(Rejected) as caught:
        Web(WebConfig()).parse(raw({"text": "x", "code": "ABCD2345"}, follows=wrong))
    assert caught.value.code == "number_invalid"


def test_the_progress_page_s_follow_up_is_the_api_s() -> None:
    submission = str(uuid4())
    made = follow_up_raw(
        number=NUMBER,
        code=" abcd2345 ",
        text="第一行\r\n第二行\ud800",
        submission_id=submission,
        received_at=NOW,
    )
    inbound = Web(WebConfig()).parse(made)
    assert made.source_id == f"form:{submission}"
    assert inbound.text == "第一行\n第二行?"
    assert inbound.senders == ("code:ABCD2345",)
    assert (
        inbound.digest
        == Web(WebConfig()).parse(raw({"text": "第一行\n第二行?", "code": "abcd2345"}, follows=NUMBER)).digest
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" * 100_000, "json_invalid"),
        (b'{"a":' * 50_000, "json_invalid"),
        (b'{"text":"\xff"}', "json_invalid"),
        (b'{"text":"\\ud800"}', "json_invalid"),
        (b'{"text":"a","phone":' + b"9" * 6000 + b"}", "json_invalid"),
        (b'{"text":"a"} x', "json_invalid"),
        ('{"text":"a"}'.encode("utf-16"), "json_invalid"),
        (b'{"text":"a\\u0000b"}', "nul"),
        (b'{"text":"a","text":"b"}', "duplicate_key"),
        (b'{"text":"a","place":{"lat":1,"lat":2}}', "duplicate_key"),
        (b'{"text":"a","place":{"lat":NaN}}', "out_of_range"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (b"", "body_missing"),
    ],
)
def test_nasty_json_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        Web(WebConfig()).parse(raw(body))
    assert code in {fault.code for fault in caught.value.faults}


def test_what_only_looks_like_nul_is_kept() -> None:
    assert Web(WebConfig()).parse(raw(b'{"text":"C:\\\\u0000"}')).text == "C:\\u0000"


def test_a_crowd_of_unknown_fields_gives_a_bounded_answer() -> None:
    with pytest.raises(Rejected) as caught:
        Web(WebConfig()).parse(raw({"text": "a", **{f"{n}" * 30: 1 for n in range(1000)}}))
    assert len(caught.value.faults) == 50
    assert max(len(fault.pointer) for fault in caught.value.faults) <= 61


def test_a_crowd_of_fields_given_twice_is_refused_at_once() -> None:
    """A megabyte of them must not keep the gateway from anybody else."""
    crowd = b",".join(b'"%x":1' % n for n in range(100_000))
    effort = Effort()
    with pytest.raises(Rejected):
        Web(WebConfig()).parse(raw(b'{"text":"a","text":"b",' + crowd + b"}"))
    assert effort.within(10)


def test_a_json_part_cannot_smuggle_other_fields_in() -> None:
    body = (
        b'--X\r\nContent-Disposition: form-data; name="text"\r\n\r\na\r\n--X\r\n'
        b'Content-Disposition: form-data; name="place"\r\nContent-Type: application/json\r\n\r\n'
        b'"b","confidential":true\r\n--X--\r\n'
    )
    with pytest.raises(Rejected) as caught:
        Web(WebConfig()).parse(raw(body, "multipart/form-data; boundary=X"))
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/place", "json_invalid")]


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=" + "x" * 400])
def test_a_multipart_body_needs_a_usable_boundary(content_type: str) -> None:
    with pytest.raises(Rejected) as caught:
        Web(WebConfig()).parse(raw(b"--x--\r\n", content_type))
    assert caught.value.code in ("boundary_missing", "body_invalid")


def test_a_configured_shorter_text_is_kept_to() -> None:
    with pytest.raises(Rejected) as caught:
        Web(WebConfig(max_text=3)).parse(raw({"text": "四个字了"}))
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/text", "too_long")]
