"""The answer within the callback (被动回复): what the citizen reads at once, as XML, sealed where the message was.

Pure. May not compose what it carries (channels/social/receipt.py does), but for the greeting of the catalogue.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from secrets import token_bytes, token_hex
from typing import Final

from channels.social.signed import signed
from channels.wechat.message import Message
from channels.wechat.sealed import closed
from channels.wechat.words import in_language
from channels.wechat.xml import written

SUCCESS: Final = b"success"
"""Taken, and nothing to say: WeChat does not send it again."""


@dataclass(frozen=True, slots=True)
class Seal:
    """With what an answer is sealed and signed."""

    key: bytes
    token: str
    app_id: str


def welcome() -> str:
    """What a citizen reads who has just followed the account."""
    return in_language("").welcome


def answer(message: Message, text: str, seal: Seal | None) -> bytes:
    """The text as XML to the one who wrote; sealed when there is a seal."""
    now = int(time.time())
    xml = written(
        {
            "ToUserName": message.sender,
            "FromUserName": message.account,
            "CreateTime": now,
            "MsgType": "text",
            "Content": text,
        }
    )
    if seal is None:
        return xml
    encrypted, nonce = closed(xml, seal.key, seal.app_id, token_bytes(16)), token_hex(8)
    return written(
        {
            "Encrypt": encrypted,
            "MsgSignature": signed(seal.token, str(now), nonce, encrypted),
            "TimeStamp": now,
            "Nonce": nonce,
        }
    )
