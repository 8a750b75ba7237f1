"""What a citizen reads at once, in private, when a message was accepted: whom to call first, then number, code, page.

Pure. May not say anything that the receipt does not say. The code is a secret: nothing of this is for the public.
"""

from __future__ import annotations

from typing import Final

from channels.alerts import AlertReceipt
from channels.social.rules import Data, load
from normalizer.steps.language import detect
from normalizer.ticket import Flag, Inbound


class _Wording(Data):
    danger: str
    between: str
    received: str
    number: str
    code: str
    url: str
    add: str
    in_words: str
    nothing_asked: str


class _Book(Data):
    zh: _Wording
    en: _Wording


_BOOK: Final = load("receipt", _Book)


def received(receipt: AlertReceipt, inbound: Inbound) -> str:
    """In the language of the message; with a wish for words where there are none."""
    words = _BOOK.en if (detect(inbound.text) or "").startswith("en") else _BOOK.zh
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
