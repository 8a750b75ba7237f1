"""Messages as WeChat sends them, signed and sealed by the documentation, for the tests of the channel."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Final

from channels.wechat.sealed import closed, key_of, opened

FIXTURES: Final = Path(__file__).with_name("fixtures")
TOKEN: Final = (FIXTURES / "token").read_text().strip()
KEY: Final = key_of((FIXTURES / "aes-key").read_text().strip())
APP_ID: Final = "wx0123456789abcdef"
ACCOUNT: Final = "gh_0123456789ab"
CITIZEN: Final = "oTEST_ouyang-ceshi_0123456789"
PLAIN: Final = {"app_id": APP_ID, "account": ACCOUNT, "token_file": str(FIXTURES / "token")}
SEALED: Final = {**PLAIN, "aes_key_file": str(FIXTURES / "aes-key")}
WRITTEN: Final = 1764000000
_nonces: Final = count(10_000_000)


def message(kind: str = "text", sender: str = CITIZEN, n: int = 1, **fields: object) -> bytes:
    """A message as WeChat writes it. A field that is None is left out."""
    said: dict[str, object] = {
        "ToUserName": ACCOUNT,
        "FromUserName": sender,
        "CreateTime": WRITTEN + n,
        "MsgType": kind,
        **fields,
    }
    if kind != "event":
        said.setdefault("MsgId", 23_456_789_012_345_000 + n)
    return xml(said)


def xml(fields: Mapping[str, object]) -> bytes:
    def child(name: str, value: object) -> str:
        return f"<{name}>{value}</{name}>" if isinstance(value, int) else f"<{name}><![CDATA[{value}]]></{name}>"

    return f"<xml>{''.join(child(*field) for field in fields.items() if field[1] is not None)}</xml>".encode()


def sha1(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def query(token: str = TOKEN, at: float | None = None, nonce: str | None = None) -> dict[str, str]:
    """The query of a plain request, new each time. (WeChat adds `openid`, which nobody signs and we do not read.)"""
    timestamp = str(int(time.time() if at is None else at))
    nonce = nonce or str(next(_nonces))
    return {"signature": sha1(token, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}


def sealed(
    body: bytes,
    *,
    token: str = TOKEN,
    key: bytes = KEY,
    app_id: str = APP_ID,
    both: bool = False,
    at: float | None = None,
) -> tuple[bytes, dict[str, str]]:
    """The body and the query of a request in 安全模式, or in 兼容模式: both forms."""
    encrypted = closed(body, key, app_id, b"0123456789abcdef")
    asked = query(token, at)
    asked["encrypt_type"] = "aes"
    asked["msg_signature"] = sha1(token, asked["timestamp"], asked["nonce"], encrypted)
    envelope = xml({"ToUserName": ACCOUNT, "Encrypt": encrypted})
    if both:
        envelope = body.replace(b"</xml>", b"<Encrypt>%b</Encrypt></xml>" % encrypted.encode())
    return envelope, asked


def unsealed(fields: Mapping[str, str], key: bytes = KEY) -> bytes:
    """The XML in an answer, whose signature must be right."""
    assert fields["MsgSignature"] == sha1(TOKEN, fields["TimeStamp"], fields["Nonce"], fields["Encrypt"])
    return opened(fields["Encrypt"], key, APP_ID)
