"""A post or a comment of Weibo into what its author said: words, place, pictures, what it quotes, where to answer.

Pure; raises Rejected only. May not judge who may join a ticket: it names keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from channels.social.asking import Asking, asks_nothing
from channels.social.envelope import Envelope
from channels.social.rules import Words
from channels.weibo import data_file
from channels.weibo.documents import (
    CHANNEL,
    author_of,
    digest_of,
    identity_of,
    is_comment,
    is_cut,
    long_text,
    picture_count,
)
from channels.weibo.link import link_of
from channels.weibo.moment import moment_of, talk_keys
from channels.weibo.spot import place_of
from channels.weibo.words import Written, is_deleted, read_words
from normalizer.errors import Fault, Rejected
from normalizer.ticket import Handle, Inbound, Note, ReplyAddress, Requester, Speaker, Turn

_PROGRAM: Final = data_file.load("programs", "program", Words).compiled()
_ANCHOR: Final = re.compile(r"<[^<>]{0,1000}>")
_SOURCE_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Account:
    """Ours: its uid, when it is known, and its names."""

    uid: str | None = None
    names: tuple[str, ...] = ()

    def is_ours(self, uid: str | None) -> bool:
        """Whether a post is our own."""
        return uid is not None and uid == self.uid


@dataclass(frozen=True, slots=True)
class _Post:
    """An item that has what a post must have."""

    item: Mapping[str, Any]
    identity: str
    author: str | None
    at: datetime | None
    words: Written
    quoted: tuple[Turn, ...]
    notes: tuple[Note, ...]

    @property
    def below(self) -> Mapping[str, Any]:
        """The post that a comment stands under, the post itself otherwise."""
        parent = self.item.get("status")
        return parent if is_comment(self.item) and isinstance(parent, dict) else self.item


def post_inbound(item: Mapping[str, Any], envelope: Envelope, ours: Account) -> Inbound:
    """What the author said.

    Raises:
        Rejected: `bad_post` with its faults, `deleted_post`, `own_post`.
    """
    post = _post(item, ours)
    pictures = picture_count(item)
    asking = asks_nothing(
        post.words.marked,
        said=post.words.said,
        quoted="\n".join(turn.text for turn in post.quoted),
        files=pictures,
        bot=_by_program(item),
    )
    opening = Turn(speaker=Speaker.CITIZEN, text=post.words.own, start=post.at)
    return Inbound(
        text=post.words.own,
        digest=digest_of(item),
        requester=_requester(post),
        place=place_of(item),
        conversation=(opening, *post.quoted),
        attachments=envelope.attachments(),
        # What asks nothing gathers nobody: a request that comes after it must open a ticket of its own.
        threads=() if asking else _threads(post),
        known_as=() if asking else _known_as(post),
        senders=(f"{CHANNEL}:{post.author}",) if post.author else (),
        incidents=() if asking else _incidents(post, ours),
        flags=asking.flags if asking else (),
        disposition=asking.disposition if asking else None,
        source_url=link_of(post.below),
        notes=(*post.notes, *envelope.notes(CHANNEL, pictures), *_asked(asking)),
    )


def _post(item: Mapping[str, Any], ours: Account) -> _Post:
    text = long_text(item) or item.get("text")
    author = author_of(item)
    if item.get("deleted") in (1, "1", True) or (author is None and isinstance(text, str) and is_deleted(text)):
        raise Rejected("deleted_post", "Its author, or Weibo, has deleted this post.")
    identity = identity_of(item)
    faults = []
    if identity is None:
        faults.append(Fault("/id", "no_id", "A post has an id of digits."))
    if not isinstance(text, str):
        faults.append(Fault("/text", "no_text", "A post has a text."))
    if faults or identity is None or not isinstance(text, str):
        raise Rejected("bad_post", "This is no whole post of Weibo.", faults)
    if ours.is_ours(author):
        raise Rejected("own_post", "Our own account wrote this.")
    words = read_words(text, ours.names)
    at = moment_of(item.get("created_at"))
    quoted, lost = _quoted(item, words, ours)
    return _Post(item, identity, author, at, words, quoted, (*_when(at), *_cut(item), *lost))


def _quoted(item: Mapping[str, Any], words: Written, ours: Account) -> tuple[tuple[Turn, ...], tuple[Note, ...]]:
    """What others wrote and this post passes on or answers, the nearest first; their names are not the matter."""
    turns = [Turn(speaker=Speaker.UNKNOWN, text=text) for text in words.passed_on]
    notes = []
    for name in ("reply_comment", "retweeted_status", "status"):
        other = item.get(name)
        if not isinstance(other, dict) or (name == "status" and not is_comment(item)):
            continue
        text = long_text(other) or other.get("text")
        if not isinstance(text, str) or (author_of(other) is None and is_deleted(text)):
            notes.append(Note(step=CHANNEL, code="quoted_deleted", detail="the post it speaks of is deleted"))
            continue
        speaker = Speaker.AGENT if ours.is_ours(author_of(other)) else Speaker.UNKNOWN
        if speaker is Speaker.UNKNOWN and author_of(other) is not None and author_of(other) == author_of(item):
            speaker = Speaker.CITIZEN
        own = read_words(text, ours.names).own
        turns.append(Turn(speaker=speaker, text=own, start=moment_of(other.get("created_at"))))
    return tuple(turn for turn in turns if turn.text.strip()), tuple(notes)


def _requester(post: _Post) -> Requester:
    """Answers go in private first, then below the post; a number for all to see goes where all can see it."""
    user = post.item.get("user")
    shown = user.get("screen_name") or user.get("name") if isinstance(user, dict) else None
    name = shown if isinstance(shown, str) else None
    handles = (Handle(platform=CHANNEL, id=post.author, name=name),) if post.author else ()
    public = ReplyAddress(channel=CHANNEL, address=_public(post))
    private = (ReplyAddress(channel=CHANNEL, address=f"message:{post.author}"),) if post.author else ()
    return Requester(handles=handles, reply_to=(*private, public), receipt_to=public)


def _public(post: _Post) -> str:
    if not is_comment(post.item):
        return f"comment:{post.identity}"
    below = identity_of(post.below)
    return f"comment:{below}:{post.identity}" if below and post.below is not post.item else f"comment:{post.identity}"


def _threads(post: _Post) -> tuple[str, ...]:
    """This author below this post, and below the post it passes on."""
    if post.author is None:
        return ()
    roots = dict.fromkeys(root for root in (identity_of(post.below), _passed_on(post)) if root)
    return tuple(f"{CHANNEL}:post:{root}:{post.author}" for root in roots)


def _known_as(post: _Post) -> tuple[str, ...]:
    """What the author says in private soon after goes on with it; another post of his is another matter."""
    return talk_keys(post.author, post.at) if post.author and post.at else ()


def _incidents(post: _Post, ours: Account) -> tuple[str, ...]:
    """The posts that several citizens may speak of; below our own posts each speaks of something else."""
    posts = [post.below, post.below.get("retweeted_status")]
    found = [one for one in posts if isinstance(one, dict) and not ours.is_ours(author_of(one))]
    return tuple(dict.fromkeys(f"{CHANNEL}:post:{root}" for one in found if (root := identity_of(one))))


def _passed_on(post: _Post) -> str | None:
    quoted = post.below.get("retweeted_status")
    return identity_of(quoted) if isinstance(quoted, dict) else None


def _by_program(item: Mapping[str, Any]) -> bool:
    source = item.get("source")
    name = _ANCHOR.sub("", source[:_SOURCE_MAX]).strip() if isinstance(source, str) else ""
    return bool(name) and _PROGRAM.fullmatch(name) is not None


def _when(at: datetime | None) -> Sequence[Note]:
    """Also as a note: a message that joins a ticket keeps its notes, and its turn says only when we got it."""
    if at is None:
        return (Note(step=CHANNEL, code="time_unreadable", detail="when it was posted cannot be read"),)
    return (Note(step=CHANNEL, code="posted_at", detail=at.isoformat()),)


def _cut(item: Mapping[str, Any]) -> Sequence[Note]:
    if not is_cut(item):
        return ()
    return (Note(step=CHANNEL, code="text_cut", detail="a long post: only its beginning is here"),)


def _asked(asking: Asking | None) -> Sequence[Note]:
    return (asking.note,) if asking else ()
