"""Weibo's ways of writing: the reposts strung behind a post, what a comment answers, HTML, deleted posts.

Pure. What words mean without them is `channels.social.text`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from channels.social.text import said, words_of

_CHAIN: Final = re.compile(r"\s*//\s*@[^:：\s@/]{1,40}\s?[:：]")
_ANSWERS: Final = re.compile(r"^\s*回[复覆]@[^:：\s@]{1,40}\s?[:：]")
_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
_PICTURED: Final = re.compile(r"<img[^<>]{0,1000}?alt=[\"']?(\[[^\[\]\"'<>]{1,20}\])[^<>]{0,1000}>", re.IGNORECASE)
_HTML: Final = re.compile(r"</?(?:a|span|img|i|b|em)\b[^<>]{0,2000}>", re.IGNORECASE)
_DELETED: Final = re.compile(
    r"^(?:抱歉，)?(?:此|该|原|这)?条?(?:微博|评论)(?:已被?|被)?.{0,12}(?:删除|无法查看|不存在)"
)
_CHAIN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Written:
    """What a post says. `own`: its author's words, plain; `said`: the same, empty when it is nothing but marks;
    `passed_on`: what others wrote before, the nearest first, as the author strung it behind; `marked`: own, unread."""

    own: str
    said: str
    passed_on: tuple[str, ...]
    marked: str


def read_words(text: str, ours: Collection[str] = ()) -> Written:
    """Split and cleaned."""
    plain = _HTML.sub("", _PICTURED.sub(r"\1", _BREAK.sub("\n", text))) if "<" in text else text
    first, *others = _CHAIN.split(plain, maxsplit=_CHAIN_MAX)
    own = _ANSWERS.sub("", first)
    return Written(
        own=words_of(own, ours) or words_of(plain.lstrip(" /"), ours),
        said=said(own, ours),
        passed_on=tuple(words for one in others if (words := said(one, ours))),
        marked=own,
    )


def is_deleted(text: str) -> bool:
    """Weibo's own words in place of a post that is gone."""
    return len(text) <= 60 and _DELETED.match(text.strip()) is not None
