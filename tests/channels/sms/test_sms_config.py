"""Any vendor's API is described in the configuration; a description that cannot work is refused before the start."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.contract import Delivery
from channels.sms.answer import Answer, Doubt, judge
from channels.sms.config import SmsConfig
from channels.sms.request import request_of
from normalizer.errors import TryAgain

LEAST = {"url": "https://sms.vendor.example/v1", "json": {"to": "{to}", "text": "{text}"}}
FORM = {"url": "https://sms.vendor.example/v1", "form": {"mobile": "{to}", "content": "{text}", "uid": "{id}"}}


def config(**more: object) -> SmsConfig:
    return SmsConfig.model_validate(LEAST | more)


def made(config: SmsConfig, text: str = "好了"):
    return request_of(
        config, to="+8613800138000", text=text, number="2026011500000012", id="abc", secret="s3", time=1_700_000_000
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"json": None},
        {"form": {"to": "{to}", "text": "{text}"}},
        {"json": {"to": "{to}"}},
        {"json": {"to": "{to}", "text": "{txt}"}},
        {"json": {"to": "{to}", "text": "{text}", "key": "{secret}"}},
        {"headers": {"X-To": "{to}"}},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X Y": "a"}},
        {"repeatable": True},
        {"user": "me"},
        {"signature": {"header": "X-Sign"}},
        {"signature": {"header": "X-Sign", "over": "{secret}"}, "secret_file": "s"},
        {"answers": {"accepted": ["0"]}},
        {"answers": {"code": "code"}},
        {"answers": {"code": "code", "accepted": ["0"], "temporary": ["0"]}},
        {"url": "http://10.0.0.1/"},
        {"url": "http://me:word@sms.vendor.example/"},
        {"no_such_key": 1},
    ],
)
def test_what_cannot_work_is_refused(wrong) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**wrong)
    assert "hunter2" not in str(caught.value)


@given(text=st.text(max_size=80))
def test_json_holds_exactly_the_text(text) -> None:
    nested = {"to": ["{to}"], "text": "{text}", "inner": '{"content":"{text_json}"}', "n": 1, "b": None}
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    body = json.loads(made(config(json=nested), text).body)
    assert body["to"] == ["+8613800138000"]
    assert body["text"] == text
    assert json.loads(body["inner"]) == {"content": text}
    assert (body["n"], body["b"]) == (1, None)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_a_form_holds_exactly_the_text(text) -> None:
    request = made(SmsConfig.model_validate(FORM | {"national": "+86"}), text)
    assert dict(parse_qsl(request.body.decode(), keep_blank_values=True)) == {
        "mobile": "13800138000",
        "content": text,
        "uid": "abc",
    }


def test_a_signature_is_over_what_is_sent() -> None:
    signature = {"header": "X-Sign", "prefix": "v1=", "encoding": "base64", "over": "{time}.{id}.{body}"}
    request = made(config(signature=signature, secret_file="s", headers={"X-Time": "{time}"}))
    over = b"1700000000.abc." + request.body
    assert request.headers["X-Sign"] == "v1=" + b64encode(hmac.digest(b"s3", over, hashlib.sha256)).decode()
    assert request.headers["X-Time"] == "1700000000"


def test_http_basic() -> None:
    assert made(config(user="me", secret_file="s")).headers["Authorization"] == "Basic " + b64encode(b"me:s3").decode()


ANSWERS = {"code": "a.0.c", "accepted": ["0"], "temporary": ["9"], "not_allowed": ["5"], "duplicate": ["7"]}


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, {"a": [{"c": 0}]}, "sent"),
        (200, {"a": [{"c": "7"}]}, "sent"),
        (200, {"a": [{"c": "5"}]}, "not_allowed"),
        (200, {"a": [{"c": "4"}]}, "failed"),
        (200, {"a": [{"c": "9"}]}, TryAgain),
        (500, {"a": [{"c": "9"}]}, TryAgain),
        (500, {"a": [{"c": "0"}]}, Doubt),
        (502, None, Doubt),
        (200, {"a": []}, Doubt),
        (200, {"a": {"0": {"c": {}}}}, Doubt),
        (200, {"a": [{"c": "您的号码 138"}]}, Doubt),
        (400, None, "failed"),
        (401, None, TryAgain),
        (429, {"a": [{"c": 0}]}, TryAgain),
        (503, None, TryAgain),
        (301, None, TryAgain),
    ],
)
def test_what_an_answer_means(status, body, meaning) -> None:
    answer = Answer(status, json.dumps(body).encode())
    if isinstance(meaning, str):
        assert judge(answer, config(answers=ANSWERS)).outcome == meaning
    else:
        with pytest.raises(meaning):
            judge(answer, config(answers=ANSWERS))


def test_without_codes_the_status_says_all() -> None:
    assert judge(Answer(202, b"whatever"), config()) == Delivery(outcome="sent")


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_whatever_a_vendor_says_it_is_one_of_four_things(status, body) -> None:
    try:
        delivery = judge(Answer(status, body), config(answers=ANSWERS))
    except (TryAgain, Doubt):
        return
    assert delivery.outcome in ("sent", "failed", "not_allowed")
