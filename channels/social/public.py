"""What a PUBLIC reply says: the purpose and the number, and where to go on in private.

Pure. May not hold a word of the answer, of the request, or anything that tells who asked: everybody reads it.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha256
from typing import Final

from channels.reply import Reply
from channels.social.rules import Data, load

_MARK: Final = 4  # base32 characters: enough to tell the replies about one ticket apart


class _Wording(Data):
    receipt: str
    notice: str
    answer: str
    visit: str


class _Book(Data):
    zh: _Wording
    en: _Wording


_BOOK: Final = load("public", _Book)


def public_text(message: Reply) -> str:
    """What everybody may read instead of `message.text`: at most 140 characters in Chinese, 280 in English.

    The same sending always has the same text, so that it can be found again; two sendings never have, because
    platforms refuse the same words twice: `mark_of` stands at the end. What is for the people of the line or for a
    unit (no citizen gets it here) says what a notice says.
    """
    book = _BOOK.zh if _chinese(message) else _BOOK.en
    words: str = getattr(book, message.purpose, book.notice)
    return words.format(number=message.number, mark=mark_of(message))


def mark_of(message: Reply) -> str:
    """Four letters and digits that only this sending has among those about its ticket; not secret, not personal."""
    digest = sha256(message.operation.encode("utf-8", "surrogatepass")).digest()
    return b32encode(digest).decode()[:_MARK].lower()


def _chinese(message: Reply) -> bool:
    """Unless the answer is in another language: the platform's citizens read Chinese."""
    tag = (message.language or "").lower()
    return not tag or tag == "und" or tag.split("-")[0] in {"zh", "yue", "bo", "ug", "mn", "ii", "za"}
