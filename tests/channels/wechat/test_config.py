"""The block `channels.wechat`: what belongs together, what is refused, what is missing without an account."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from channels.contract import Reply
from channels.wechat.compose import cut, fitted, template_of
from channels.wechat.config import Template, WechatConfig
from channels.wechat.words import in_language, tagged

KEY = {"app_id": "wx1", "aes_key_file": "key"}


@pytest.mark.parametrize(
    ("block", "takes"),
    [({}, "plain"), (KEY, "aes"), (KEY | {"mode": "both"}, "both"), (KEY | {"mode": "plain"}, "plain")],
    ids=str,
)
def test_which_messages_are_taken(block: dict[str, Any], takes: str) -> None:
    assert WechatConfig.model_validate(block).takes == takes


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"mode": "aes"}, "needs aes_key_file"),
        ({"aes_key_file": "key"}, "needs app_id"),
        ({"app_secret_file": "secret"}, "needs app_id"),
        ({"app_id": "wx1", "template": {"id": "t", "fields": {"thing1": "{text}"}}}, "needs app_secret_file"),
        ({"api": "http://10.0.0.1/"}, "allow_private"),
        ({"api": "https://user:word@api.example/"}, "user name"),
        ({"api": "https://api.example/?a=b"}, "?query"),
        ({"picture_hosts": ["https://a.example"]}, "a host is a name"),
        ({"picture_hosts": ["*"]}, "a host is a name"),
        ({"picture_seconds": 5}, "less than or equal to 4"),
        ({"timezone": "Mars/Olympus"}, "time zone"),
        ({"template": {"id": "t", "fields": {}}}, "at least 1"),
        ({"template": {"id": "t", "fields": {"thing1.DATA": "a"}}}, "without .DATA"),
        ({"template": {"id": "t", "fields": {"thing1": "{openid}"}}}, "{openid} is not filled in"),
        (
            {"template": {"id": "t", "fields": {"thing1": "a"}, "url": "https://a.example/{code}"}},
            "{code} is not filled",
        ),
        ({"template": {"id": "t", "fields": {"thing1": "a"}, "url": "ftp://a.example"}}, "URL scheme"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_does_not_belong_together_is_said(block: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        WechatConfig.model_validate(block)
    assert words in str(refused.value)


def test_without_an_account_it_says_what_is_missing() -> None:
    assert WechatConfig().lacks == "token_file"
    assert WechatConfig.model_validate({"token_file": "token"}).lacks is None


def test_both_languages_have_every_word_and_every_place() -> None:
    zh, en = in_language("路灯"), in_language("lamp")
    assert zh != en
    assert zh.purposes.keys() == en.purposes.keys() == set(Reply.model_fields["purpose"].annotation.__args__)
    assert all(len(word) <= 5 for word in zh.purposes.values()), "a field `phrase` holds five characters"
    assert tagged(None) is tagged("zh-Hant") is zh
    assert tagged("en-GB") is en


@pytest.mark.parametrize("size", range(12))
def test_a_text_is_never_cut_within_a_character(size: int) -> None:
    assert len(cut("路灯😀a", size).encode()) <= size
    assert "路灯😀a".startswith(cut("路灯😀a", size))


def test_a_long_line_at_the_end_is_no_link_and_is_cut() -> None:
    message = Reply(operation="o", number="1", text="路灯\n" + "字" * 5000)
    assert len(fitted(message).encode()) <= 2048
    assert fitted(message).endswith("进度页面）")


@pytest.mark.parametrize(
    ("name", "limit"),
    [("thing1", 20), ("character_string2", 32), ("phrase3", 5), ("const4", 20), ("keyword1", 200), ("first", 200)],
)
def test_a_field_holds_what_its_kind_allows(name: str, limit: int) -> None:
    from datetime import UTC, datetime

    template = Template(id="t", fields={name: "{text}"}, url="https://a.example/t/{number}")
    message = Reply(operation="o", number="20260115", text="字" * 500)
    document: Any = template_of(template, "o1", message, "id", datetime(2026, 1, 15, tzinfo=UTC), "Asia/Shanghai")
    assert len(document["data"][name]["value"]) == limit
    assert document["url"] == "https://a.example/t/20260115"
    assert document["client_msg_id"] == "id"


def test_what_a_template_is_filled_with_is_no_template() -> None:
    from datetime import UTC, datetime

    template = Template(id="t", fields={"keyword1": "{purpose} {time}: {text}"})
    message = Reply(operation="o", number="2026", text="{number} {x}\n换行", purpose="visit")
    document: Any = template_of(template, "o1", message, "id", datetime(2026, 1, 15, 1, tzinfo=UTC), "Asia/Shanghai")
    assert document["data"]["keyword1"]["value"] == "待评价 2026-01-15 09:00: {number} {x} 换行"
    assert "url" not in document
