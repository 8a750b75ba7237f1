"""The block of config.yaml: an empty one is enough to read posts; what cannot be meant is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from channels.weibo.config import WeiboConfig


def test_an_empty_block_is_enough_to_read_files() -> None:
    config = WeiboConfig()
    assert (config.token_file, config.app_secret_file) == (None, None)
    assert config.polling_calls == 60, "100 a day, of which 20 answers keep 2 each"


@pytest.mark.parametrize(
    ("block", "calls"),
    [
        ({"replies_per_day": 0}, 100),
        ({"budget": {"calls": 600, "seconds": 3600}, "replies_per_day": 240}, 350),
        ({"budget": {"calls": 15000, "seconds": 3600}}, 14979),
    ],
)
def test_calls_that_answers_may_use_in_a_window_are_not_polled_with(block: dict[str, Any], calls: int) -> None:
    assert WeiboConfig.model_validate(block).polling_calls == calls


@pytest.mark.parametrize(
    "block",
    [
        {"no_such": 1},
        {"uid": "x"},
        {"names": ["@北京12345"]},
        {"names": [" "]},
        {"api": "ftp://api.weibo.com"},
        {"api": "https://api.weibo.com/2"},
        {"api": "https://user:secret@api.weibo.com"},
        {"api": "http://127.0.0.1:9000"},
        {"message_api": "http://10.0.0.1"},
        {"sources": []},
        {"sources": ["mentions", "mentions"]},
        {"sources": ["friends"]},
        {"replies_per_day": 50},
        {"budget": {"calls": 1}},
        {"token_expires_at": "2026-12-01T00:00:00"},
        {"rip": "here"},
    ],
)
def test_what_cannot_be_meant_is_refused(block: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WeiboConfig.model_validate(block)


def test_a_simulator_on_loopback_is_allowed_when_it_is_said() -> None:
    block = {"api": "http://127.0.0.1:9000/", "message_api": "http://127.0.0.1:9000", "allow_private": ["127.0.0.0/8"]}
    config = WeiboConfig.model_validate(block)
    assert (config.api, config.message_api) == ("http://127.0.0.1:9000", "http://127.0.0.1:9000")
