"""A post as API v2 answers it (`data` with `includes` and `errors`), read into `Post`. Pure; may not raise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from channels.x.document import Document, degrees, identities, identity, mapping, members, moment, text
from channels.x.post import Link, Other, Person, Post, Where

_OWN: Final = re.compile(r"https?://(?:[a-z]+\.)?(?:x|twitter)\.com/[^/]+/status/[0-9]+", re.IGNORECASE)
"""Pictures, films and quoted posts are links to X itself; what they show is here already."""
FILMS: Final = frozenset({"video", "animated_gif"})
_RELATIONS: Final = frozenset({"quoted", "replied_to", "retweeted"})


def read(data: Document, whole: Document) -> Post:
    """`whole`: the answer that `data` came in."""
    includes = mapping(whole.get("includes"))
    long = mapping(data.get("note_tweet"))
    keys = mapping(data.get("attachments")).get("media_keys")
    wanted = {key for key in keys if isinstance(key, str)} if isinstance(keys, list) else set()
    media = [one for one in members(includes.get("media")) if text(one.get("media_key")) in wanted]
    others = tuple(_others(data, includes))
    return Post(
        id=identity(data.get("id")) or "",
        text=text(long.get("text")) or text(data.get("text")) or "",
        author=_person(data.get("author_id"), includes),
        at=moment(data.get("created_at")),
        conversation=identity(data.get("conversation_id")),
        versions=identities(data.get("edit_history_tweet_ids")),
        where=_where(mapping(data.get("geo")), includes),
        links=(*links(data), *links(long)),
        pictures=tuple(found for one in media if (found := text(one.get("url")) or text(one.get("preview_image_url")))),
        media=len(wanted),
        films=sum(text(one.get("type")) in FILMS for one in media),
        others=others,
        is_repost=any(one.relation == "retweeted" for one in others) or is_passed_on(data),
        unseen=bool(members(whole.get("errors"))),
    )


def links(said: Document) -> Iterator[Link]:
    """The t.co addresses of a text, by its `entities`."""
    for one in members(mapping(said.get("entities")).get("urls")):
        if short := text(one.get("url")):
            target = text(one.get("unwound_url")) or text(one.get("expanded_url"))
            yield Link(short, None if target is None or _OWN.match(target) or "media_key" in one else target)


def is_passed_on(said: Document) -> bool:
    """X begins a repost so, also where it says nothing else of it."""
    return (text(said.get("text")) or "").startswith("RT @")


def _person(given: object, includes: Document) -> Person | None:
    found = identity(given)
    if found is None:
        return None
    user = next((one for one in members(includes.get("users")) if one.get("id") == found), {})
    return Person(found, text(user.get("name")), text(user.get("username")))


def _where(geo: Document, includes: Document) -> Where:
    """X writes points as GeoJSON does: longitude first (RFC 7946, 3.1.1)."""
    place = next((one for one in members(includes.get("places")) if one.get("id") == geo.get("place_id")), {})
    name = text(place.get("full_name")) or text(place.get("name"))
    return at_point(mapping(geo.get("coordinates")).get("coordinates"), name)


def at_point(pair: object, name: str | None) -> Where:
    """Both coordinates, or none."""
    if not isinstance(pair, list) or len(pair) < 2:
        return Where(name)
    lon, lat = degrees(pair[0], 180), degrees(pair[1], 90)
    return Where(name, lat, lon) if lat is not None and lon is not None else Where(name)


def _others(data: Document, includes: Document) -> Iterator[Other]:
    tweets = members(includes.get("tweets"))
    for reference in members(data.get("referenced_tweets")):
        found, relation = identity(reference.get("id")), text(reference.get("type"))
        if found is None or relation is None or relation not in _RELATIONS:
            continue
        tweet = next((one for one in tweets if one.get("id") == found), {})
        said = text(mapping(tweet.get("note_tweet")).get("text")) or text(tweet.get("text"))
        yield Other(found, relation, said, _person(tweet.get("author_id"), includes), moment(tweet.get("created_at")))
