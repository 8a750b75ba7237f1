"""From a post to the citizen's words: mentions, topic marks, emoticons, short links and hidden characters go.

Pure. May not lose a word: names of others and the words of topics stay, and what was nothing but marks stays as words.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from channels.social.rules import Data, Words, load

_LOOKED_AT: Final = 200_000  # characters: longer ones are no post


class _Book(Data):
    emoticon: Words
    short_link: Words
    filler: Words


_BOOK: Final = load("text", _Book)

# Zero-width space, word joiner, BOM, marks of direction: platforms and programs put them beside names. The joiners
# U+200C/D stay: scripts and emoji need them.
_HIDDEN: Final = re.compile("[\u00ad\u200b\u200e\u200f\u2060-\u2064\ufeff\u202a-\u202e\u2066-\u2069]+")
_SHORT_LINK: Final = _BOOK.short_link.compiled()
_EMOTICON: Final = re.compile(rf"\[(?:{'|'.join(_BOOK.emoticon.any)})\]", re.IGNORECASE)
_FILLER: Final = re.compile(rf"(?:{'|'.join(_BOOK.filler.any)})", re.IGNORECASE)
# A bracket as short as an emoticon that we do not know: its words stay, only the brackets go.
_BRACKET: Final = re.compile(r"\[/?([^\[\]\s@]{1,10})\]")
_BRACKET_NAME: Final = re.compile(r"\[([^\[\]]{1,20})\]")
# An address like a@b.cn is no mention.
_MENTION: Final = re.compile(
    r"(?<![A-Za-z0-9._%+-])[@＠]|[@＠](?![A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2})"
)
# "3#楼" is a building; a topic's mark follows no digit or Latin letter.
_TOPIC: Final = re.compile(r"(?<![0-9A-Za-z])[#＃]([^#＃\n]{1,100}?)[#＃]")
_TAG: Final = re.compile(r"(?<![0-9A-Za-z&/#＃])[#＃](?=[^\W_])")
_SUPER: Final = re.compile(r"\[(?:超话|超级话题)\]$")
_BLANKS: Final = re.compile(r"[ \t\u3000]+")
_MARGINS: Final = re.compile(r" ?\n ?")
_BESIDE_POINT: Final = re.compile(r" +(?=[，。！？；：、,!?;:])|(?<=[，。！？；：、]) +")
_LEADING: Final = re.compile(r"^[\s:：,，、。;；!！·|]+(?=\S)")
_MEANS: Final = re.compile(r"[^\W_]|[\U0001f000-\U0001faff\u2600-\u27bf]")


def words_of(text: str, ours: Iterable[str] = ()) -> str:
    """What the citizen wrote, as plain words; empty only when nothing was written.

    A post of nothing but marks keeps what they say: "[泪]" becomes "泪", "@someone" becomes "someone", a link stays.

    Args:
        text: of the post, as the platform gives it.
        ours: names of our account, without "@": mentions and topics of ours are addressing, not content.
    """
    shown = _shown(text)
    return _said(shown, _ours(ours)) or _names(shown)


def said(text: str, ours: Iterable[str] = ()) -> str:
    """The same, but empty when the post is nothing but marks: it says nothing."""
    found = _said(_shown(text), _ours(ours))
    return found if _MEANS.search(found) else ""


def without_emoticons(text: str) -> str:
    """The text of a private message, which has no other marks: only the platform's small pictures go. Empty when they
    are all there is."""
    shown = _HIDDEN.sub("", text[:_LOOKED_AT])
    return _tidy(_EMOTICON.sub(" ", shown))


def _shown(text: str) -> str:
    """As a person would see it: entities once, hidden characters not at all."""
    return _HIDDEN.sub("", html.unescape(text[:_LOOKED_AT]))


def _ours(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name.strip().lstrip("@＠") for name in names} - {""}, key=len, reverse=True))


def _said(text: str, ours: tuple[str, ...]) -> str:
    text = _SHORT_LINK.sub(" ", text)
    text = _EMOTICON.sub(" ", text)
    text = _TOPIC.sub(lambda found: _topic(found[1], ours), text)
    if ours:
        text = _addressing(ours).sub(" ", text)
    text = _BRACKET.sub(r" \1 ", text)
    text = _TAG.sub("", _MENTION.sub(_apart, text))
    text = _FILLER.sub(" ", text)
    return _LEADING.sub("", _tidy(text))


def _apart(mark: re.Match[str]) -> str:
    """Nothing, or a blank where the mark kept two words apart."""
    return " " if re.match(r"\w", mark.string[mark.start() - 1 : mark.start()] if mark.start() else "") else ""


def _topic(words: str, ours: tuple[str, ...]) -> str:
    bare = _SUPER.sub("", words).strip()
    return " " if bare.casefold() in {name.casefold() for name in ours} else f" {bare} "


@lru_cache(maxsize=32)
def _addressing(ours: tuple[str, ...]) -> re.Pattern[str]:
    """A mention of us, also where the next word follows without a blank; a longer Latin name is another's."""
    names = "|".join(re.escape(name) + (r"(?![A-Za-z0-9_-])" if name[-1].isascii() else "") for name in ours)
    return re.compile(rf"[@＠](?:{names})", re.IGNORECASE)


def _names(text: str) -> str:
    """What the marks themselves say, for a post that has nothing else."""
    text = _BRACKET_NAME.sub(r" \1 ", text)
    return _tidy(re.sub("[@＠#＃]+", " ", text))


def _tidy(text: str) -> str:
    text = _MARGINS.sub("\n", _BLANKS.sub(" ", text))
    return _BESIDE_POINT.sub("", text).strip()
