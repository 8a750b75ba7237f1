"""The answer within the callback (被动回复): what the citizen reads at once, as XML, sealed where the message was.

Pure. May not say anything that the receipt and the catalogue do not say.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from secrets import token_bytes, token_hex
from typing import Final

from channels.alerts import AlertReceipt
from channels.wechat.message import Message
from channels.wechat.sealed import closed
from channels.wechat.signature import signed
from channels.wechat.words import in_language
from channels.wechat.xml import written
from normalizer.ticket import Flag, Inbound

SUCCESS: Final = b"success"
"""Taken, and nothing to say: WeChat does not send it again."""


@dataclass(frozen=True, slots=True)
class Seal:
    """With what an answer is sealed and signed."""

    key: bytes
    token: str
    app_id: str


def received(receipt: AlertReceipt, inbound: Inbound) -> str:
    """Whom to call first, then number, code and where to look; and a wish for words where there are none."""
    words = in_language(inbound.text)
    danger = [words.danger.format(numbers=words.between.join(receipt.call_now))] if receipt.call_now else []
    if Flag.NO_REQUEST in inbound.flags and not danger:
        return words.nothing_asked
    return "\n".join(
        (
            *danger,
            words.received,
            words.number.format(number=receipt.number),
            words.code.format(code=receipt.code),
            words.url.format(url=receipt.status_url),
            words.add if inbound.text else words.in_words,
        )
    )


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
