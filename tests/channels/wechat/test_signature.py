"""Who may speak for WeChat: the documented vectors. (Age, replays: tests/channels/social/test_signed.py.)"""

from __future__ import annotations

import pytest

from channels.social.signed import signed
from channels.wechat.signature import Signature
from tests.channels.wechat.wechats import query

NOW = 1_764_000_000.0


@pytest.mark.parametrize(
    ("token", "timestamp", "nonce", "expected"),
    [
        ("AAAAA", "1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        ("AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
    ],
    ids=["address", "message"],
)
def test_the_vectors_of_the_documentation(token: str, timestamp: str, nonce: str, expected: str) -> None:
    assert signed(token, timestamp, nonce) == expected
    given = Signature.of({"signature": expected, "timestamp": timestamp, "nonce": nonce})
    assert given is not None
    assert given.covers_token([token])
    assert given.covers_token(["the one before", token])
    assert not given.covers_token([token + "x"])
    assert not given.covers_token([])


def test_the_vector_of_the_sealed_message() -> None:
    """Of wechatpy's public tests: a signature over what is encrypted."""
    encrypted = "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q=="
    asked = {
        "msg_signature": "dd6b9c95b495b3f7e2901bfbc76c664930ffdb96",
        "timestamp": "1411443780",
        "nonce": "437374425",
        "encrypt_type": "aes",
    }
    given = Signature.of(asked)
    assert given is not None
    assert given.aes
    assert given.covers_message(["123456"], encrypted)
    assert not given.covers_message(["123456"], encrypted[:-4])
    assert not given.covers_token(["123456"]), "there is no plain signature"


@pytest.mark.parametrize(
    "broken",
    [
        {"signature": ""},
        {"signature": "F464B24FC39322E44B38AA78F5EDD27BD1441696"},
        {"signature": "a" * 39},
        {"signature": "é" * 40},
        {"timestamp": ""},
        {"timestamp": "-1"},
        {"timestamp": "1e9"},
        {"timestamp": "9" * 13},
        {"timestamp": "１７６４００００００"},
        {"nonce": ""},
        {"nonce": "a b"},
        {"nonce": "a" * 129},
    ],
    ids=str,
)
def test_what_wechat_never_sends_is_no_signature(broken: dict[str, str]) -> None:
    assert Signature.of(query(at=NOW) | broken) is None
    assert Signature.of({}) is None
