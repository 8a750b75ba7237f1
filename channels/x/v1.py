"""A post as API v1.1 answered it (a status), as archives and older exports hold it, read into `Post`. Pure; may not
raise."""

from __future__ import annotations

from collections.abc import Iterator

from channels.x.document import Document, identity, mapping, members, moment, text
from channels.x.post import Other, Person, Post, Where
from channels.x.v2 import FILMS, at_point, links


def read(status: Document) -> Post:
    """The status with what hangs on it."""
    extended = mapping(status.get("extended_tweet"))
    media = _media(extended) or _media(status)
    return Post(
        id=identity(status.get("id_str")) or "",
        text=_text(status) or "",
        author=_person(mapping(status.get("user"))),
        at=moment(status.get("created_at")),
        where=_where(status),
        links=(*links(status), *links(extended)),
        pictures=tuple(found for one in media if (found := text(one.get("media_url_https")))),
        media=len(media),
        films=sum(text(one.get("type")) in FILMS for one in media),
        others=tuple(_others(status)),
        is_repost=isinstance(status.get("retweeted_status"), dict),
    )


def _text(status: Document) -> str | None:
    whole = text(mapping(status.get("extended_tweet")).get("full_text")) or text(status.get("full_text"))
    return whole or text(status.get("text"))


def _media(said: Document) -> list[Document]:
    return members(mapping(said.get("extended_entities")).get("media")) or members(
        mapping(said.get("entities")).get("media")
    )


def _person(user: Document) -> Person | None:
    found = identity(user.get("id_str")) or identity(user.get("id"))
    return Person(found, text(user.get("name")), text(user.get("screen_name"))) if found else None


def _where(status: Document) -> Where:
    """`coordinates` is GeoJSON, longitude first; the older `geo` said the same the other way round."""
    name = text(mapping(status.get("place")).get("full_name"))
    return at_point(mapping(status.get("coordinates")).get("coordinates"), name)


def _others(status: Document) -> Iterator[Other]:
    for name, relation in (("quoted_status", "quoted"), ("retweeted_status", "retweeted")):
        other = mapping(status.get(name))
        if found := identity(other.get("id_str")):
            yield Other(
                found, relation, _text(other), _person(mapping(other.get("user"))), moment(other.get("created_at"))
            )
    if found := identity(status.get("in_reply_to_status_id_str")):
        author = identity(status.get("in_reply_to_user_id_str"))
        person = Person(author, username=text(status.get("in_reply_to_screen_name"))) if author else None
        yield Other(found, "replied_to", author=person)
