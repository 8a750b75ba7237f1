"""What a citizen said in a post of X. Pure; raises Rejected only: what is no post, and posts of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from channels.social.asking import asks_nothing
from channels.social.envelope import Envelope, unpack
from channels.social.text import said, words_of
from channels.x import v1, v2
from channels.x.config import XConfig
from channels.x.document import mapping, read
from channels.x.kinds import is_post, is_status, refusal
from channels.x.post import Other, Person, Post
from normalizer.errors import Rejected
from normalizer.identity import content_digest
from normalizer.ticket import Handle, Inbound, Note, Place, Raw, ReplyAddress, Requester, Speaker, Turn

CHANNEL: Final = "x"
_ADDRESSED: Final = re.compile(r"(?:\s*[@＠][A-Za-z0-9_]{1,15}(?![A-Za-z0-9_]))+\s*")
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Read:
    """A post and the files that were fetched for it."""

    post: Post
    envelope: Envelope

    @property
    def digest(self) -> str:
        """Of what the author wrote, not of counters, of names that change, or of what others wrote."""
        post = self.post
        place = (post.where.lat, post.where.lon)
        facts = (post.id, post.text, post.author and post.author.id, post.at, place, post.media)
        others = ((one.id, one.relation) for one in post.others)
        return content_digest(*(repr(part).encode() for part in (*facts, *others)))

    @property
    def source_id(self) -> str:
        """The same post with other content is another submission."""
        return f"post:{self.post.id}.{self.digest[:_DIGITS]}"


def understand(body: bytes) -> Read:
    """The post in `body`: an envelope, an answer of API v2 for one post, a bare post, or a status of API v1.1.

    Raises:
        Rejected: `not_json`, `bad_envelope`, or by its kind what else it is.
    """
    envelope = unpack(read(body))
    return Read(post_of(envelope.post), envelope)


def post_of(document: Any) -> Post:
    """Raises Rejected."""
    whole = mapping(document)
    data = whole.get("data", document)
    if is_status(data):
        return v1.read(data)
    if is_post(data):
        return v2.read(data, whole)
    raise refusal(data)


def parse(raw: Raw, config: XConfig) -> Inbound:
    """What was said. Raises Rejected: as `understand`; `own_post`."""
    return inbound_of(understand(raw.body), config)


def inbound_of(found: Read, config: XConfig) -> Inbound:
    """Raises Rejected: `own_post`."""
    post, ours = found.post, config.names
    if _is_ours(post.author, config):
        raise Rejected("own_post", "We wrote this ourselves.")
    written = _without_links(post)
    own = "" if post.is_repost else said(written, ours)
    targets = tuple(dict.fromkeys(link.target for link in post.links if link.target))
    quoted = "\n".join(one.text for one in post.others if one.text) or (written if post.is_repost else "")
    asking = asks_nothing(written, said=own, quoted=quoted, files=post.media + len(targets))
    text = "\n".join((words_of(written, ours) or words_of(post.text, ours), *targets)).strip()
    opening = Turn(speaker=Speaker.CITIZEN, text=text, start=post.at)
    return Inbound(
        text=text,
        digest=found.digest,
        requester=_requester(post),
        place=_place(post),
        conversation=(opening, *(_turn(one, post, config) for one in reversed(post.others) if one.text)),
        attachments=found.envelope.attachments(),
        # What asks nothing gathers nobody: a request that comes after it must open a ticket of its own.
        threads=() if asking else _threads(post),
        senders=(f"{CHANNEL}:{post.author.id}",) if post.author else (),
        incidents=() if asking else _incidents(post, config),
        flags=asking.flags if asking else (),
        disposition=asking.disposition if asking else None,
        source_url=f"https://x.com/i/web/status/{post.id}",
        notes=(*_notes(post), *found.envelope.notes(CHANNEL, post.media), *((asking.note,) if asking else ())),
    )


def _is_ours(person: Person | None, config: XConfig) -> bool:
    return person is not None and person.id == config.user_id


def _without_links(post: Post) -> str:
    """In a reply X itself puts the names of those who are answered at the beginning: they are no words."""
    written = post.text
    for link in post.links:
        written = written.replace(link.short, " ")
    if post.other("replied_to") is not None and (names := _ADDRESSED.match(written)):
        written = written[names.end() :]
    return written.strip()


def _notes(post: Post) -> Iterator[Note]:
    """When it was written is a note too: a message that joins a ticket keeps its notes, its turn says when we got
    it."""
    if post.at is None:
        yield Note(step=CHANNEL, code="time_missing", detail="X did not say when this was posted")
    else:
        yield Note(step=CHANNEL, code="posted_at", detail=post.at.isoformat())
    if post.author is None:
        yield Note(step=CHANNEL, code="author_missing", detail="X did not say who wrote this")
    if post.films:
        detail = f"films that are not attached, only their first pictures: {post.films}; they are at the post's address"
        yield Note(step=CHANNEL, code="film_not_fetched", detail=detail)
    if post.unseen:
        detail = "X kept something back that this post refers to: deleted, protected, or not for us"
        yield Note(step=CHANNEL, code="reference_unavailable", detail=detail)


def _requester(post: Post) -> Requester:
    """Everybody can read where we answer, so only the number goes there (`channels.social.public`)."""
    if post.author is None:
        return Requester()
    address = ReplyAddress(channel=CHANNEL, address=f"post:{post.id}")
    return Requester(
        handles=(Handle(platform=CHANNEL, id=post.author.id, name=post.author.username or post.author.name),),
        reply_to=(address,),
        receipt_to=address,
    )


def _place(post: Post) -> Place | None:
    where = post.where
    if where.name is None and where.lat is None:
        return None
    return Place(text=where.name, lat=where.lat, lon=where.lon)


def _turn(one: Other, post: Post, config: XConfig) -> Turn:
    """The post that is quoted or answered: often another person's, and the matter itself."""
    speaker = Speaker.UNKNOWN
    if _is_ours(one.author, config):
        speaker = Speaker.AGENT
    elif one.author is not None and post.author is not None and one.author.id == post.author.id:
        speaker = Speaker.CITIZEN
    return Turn(speaker=speaker, text=words_of(one.text or "", config.names), start=one.at)


def _threads(post: Post) -> tuple[str, ...]:
    """An edited post has a new id and stays one thread by the first."""
    if post.author is None:
        return ()
    conversation = (f"{CHANNEL}:conversation:{post.conversation}:{post.author.id}",) if post.conversation else ()
    return (*conversation, f"{CHANNEL}:post:{post.first_id}:{post.author.id}")


def _incidents(post: Post, config: XConfig) -> tuple[str, ...]:
    """Under an announcement of our own many write, each of something else."""
    root = next((one for one in post.others if one.id == post.conversation), None)
    if post.conversation is None or (root is not None and _is_ours(root.author, config)):
        return ()
    return (f"{CHANNEL}:conversation:{post.conversation}",)
