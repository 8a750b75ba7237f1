"""What an operator may write under channels.x, and what is a mistake."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from channels.x.config import XConfig

KEYS = dict.fromkeys(
    ("consumer_key_file", "consumer_secret_file", "access_token_file", "access_token_secret_file"), "k"
)


def test_nothing_is_needed_to_read_files() -> None:
    config = XConfig()
    assert (config.names, config.base) == ((), "https://api.x.com")


@pytest.mark.parametrize("mistake", [
    {"bearer_token_file": "t"},
    {"user_id": "1", "keys": KEYS},
    {"user_id": "1", "bearer_token_file": "t", "keys": {"consumer_key_file": "k"}},
    {"user_id": "@hotline"},
    {"username": "@hotline"},
    {"api": "https://user:word@api.x.com"},
    {"api": "https://api.x.com/?a=b"},
    {"api": "http://127.0.0.1:8000"},
    {"api": "ftp://api.x.com"},
    {"picture_hosts": ["https://pbs.twimg.com"]},
    {"interval": 0},
    {"look_back": -1},
    {"bearer_token": "secret"},
])  # fmt: skip
def test_a_mistake(mistake: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        XConfig.model_validate(mistake)


@pytest.mark.parametrize("api", ["https://api.x.com", "https://api.x.com/", "https://proxy.example/x/"])
def test_an_address_may_have_a_path(api: str) -> None:
    assert XConfig(api=api).base == api.rstrip("/")  # type: ignore[arg-type]
