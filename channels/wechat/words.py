"""What the channel itself says to a citizen (words.toml), and what WeChat writes for what is no word (marks.toml).

Pure. May not hold a word in code.
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Final

from pydantic import BaseModel, ConfigDict

from channels.social.text import without_emoticons
from normalizer.steps.language import detect

_HERE: Final = files("channels.wechat").joinpath("data")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wording(_Data):
    """The words of one language."""

    welcome: str
    left_out: str
    purposes: dict[str, str]


class _Book(_Data):
    zh: Wording
    en: Wording


class _Marks(_Data):
    codes: tuple[str, ...]
    unsupported: tuple[str, ...]
    cries: tuple[str, ...]


_BOOK: Final = _Book.model_validate(tomllib.loads(_HERE.joinpath("words.toml").read_text("utf-8")))
_MARKS: Final = _Marks.model_validate(tomllib.loads(_HERE.joinpath("marks.toml").read_text("utf-8")))
# Behind a letter, a digit or a slash it is a piece of an address.
_CODE: Final = re.compile(
    rf"(?<![A-Za-z0-9:/])(?:{'|'.join(re.escape(code) for code in sorted(_MARKS.codes, key=len, reverse=True))})+"
)


def in_language(text: str) -> Wording:
    """The words for an answer to `text`: English to what is written in Latin letters, else Chinese."""
    return tagged(detect(text))


def tagged(language: str | None) -> Wording:
    """The words for a BCP 47 tag: Chinese, unless it is English."""
    return _BOOK.en if (language or "").lower().split("-")[0] == "en" else _BOOK.zh


def words_in(text: str) -> str:
    """What was written, without emoticons; empty when they are all there is."""
    return without_emoticons(_CODE.sub(" ", text))


def may_cry(text: str) -> bool:
    """Whether a picture in it may be a cry for help."""
    return any(cry in text for cry in _MARKS.cries)


def is_unsupported(text: str) -> bool:
    """Whether the platform says only that it does not pass on what was sent."""
    return text.strip().strip("[]【】") in _MARKS.unsupported
