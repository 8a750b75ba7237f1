"""What X knows: users, posts, media, places; and how it shows a post, with the fields asked for and no others.

May not answer requests or know limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

OURS: Final = "2244994945"
FIRST_ID: Final = 1_900_000_000_000_000_000
CUT: Final = 270
"""Characters of a long post (note_tweet) in `text`."""
_MENTION: Final = re.compile(r"@([A-Za-z0-9_]{1,15})")
Object = dict[str, Any]


@dataclass
class User:
    id: str
    username: str
    name: str
    protected: bool = False


@dataclass
class Post:
    id: str
    author: str
    text: str
    created: float
    conversation: str
    replied_to: str | None = None
    quoted: str | None = None
    media: list[str] = field(default_factory=list)
    place: str | None = None
    point: tuple[float, float] | None = None
    """Longitude, latitude: X's order is GeoJSON's."""
    history: list[str] = field(default_factory=list)
    lang: str = "zh"
    gone: bool = False


@dataclass
class World:
    us: str = "Hotline12345"
    users: dict[str, User] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    mentions: list[str] = field(default_factory=list)
    """Ids, rising."""
    ours: list[str] = field(default_factory=list)
    last_id: int = FIRST_ID

    def __post_init__(self) -> None:
        self.users.setdefault(OURS, User(OURS, self.us, "12345"))

    def user(self, username: str) -> User:
        """The one of that name; a new one, when there is none. Any name will do; X's own are ASCII."""
        for one in self.users.values():
            if username in (one.username, one.name):
                return one
        uid = str(3_000_000_000 + len(self.users))
        handle = username if re.fullmatch(r"\w{1,15}", username, re.ASCII) else f"citizen{len(self.users)}"
        self.users[uid] = User(uid, handle, username)
        return self.users[uid]

    def new_id(self) -> str:
        self.last_id += 4096
        return str(self.last_id)

    def add(self, post: Post) -> Post:
        self.posts[post.id] = post
        if post.author == OURS:
            self.ours.append(post.id)
        elif self.us.lower() in mentioned(post.text):
            self.mentions.append(post.id)
        return post

    def seen(self, post: str) -> Literal["", "gone", "protected"]:
        """Why a post cannot be seen; "": it can."""
        there = self.posts.get(post)
        if there is None or there.gone:
            return "gone"
        return "protected" if self.users[there.author].protected else ""


def mentioned(text: str) -> set[str]:
    """Usernames, in lower case."""
    return {name.lower() for name in _MENTION.findall(text)}


@dataclass(frozen=True)
class Wanted:
    """What the query asks for, beyond what X always gives."""

    tweet: frozenset[str]
    user: frozenset[str]
    media: frozenset[str]
    place: frozenset[str]
    expansions: frozenset[str]

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        def said(key: str) -> frozenset[str]:
            return frozenset(filter(None, query.get(key, "").split(",")))

        return cls(
            said("tweet.fields"), said("user.fields"), said("media.fields"), said("place.fields"), said("expansions")
        )


def when(moment: float) -> str:
    """RFC 3339 with milliseconds and Z."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Shown:
    """Posts as an answer: `data`, `includes`, `errors`. `host` is where the pictures are."""

    def __init__(self, world: World, host: str, wanted: Wanted) -> None:
        self._world = world
        self._host = host
        self._wanted = wanted
        self._includes: dict[str, dict[str, Object]] = {}
        self._errors: list[Object] = []

    def rest(self) -> Object:
        """`includes` and `errors`, when there are any."""
        includes = {kind: list(found.values()) for kind, found in self._includes.items()}
        return ({"includes": includes} if includes else {}) | ({"errors": self._errors} if self._errors else {})

    def post(self, post: Post, *, inside: bool = False) -> Object:
        """With what it brings into `includes` (of a post in `includes` itself: only its author)."""
        fields = self._fields(post)
        shown = {key: value for key, value in fields.items() if value is not None and self._asked(key)}
        self._expand(post, inside)
        return shown

    def _asked(self, key: str) -> bool:
        return key in ("id", "text", "edit_history_tweet_ids") or key in self._wanted.tweet

    def _fields(self, post: Post) -> Object:
        world = self._world
        refers = [("replied_to", post.replied_to), ("quoted", post.quoted)]
        to = world.posts.get(post.replied_to or "")
        long = len(post.text) > CUT + 10
        geo: Object = {"place_id": post.place} if post.place else {}
        if post.point:
            geo["coordinates"] = {"type": "Point", "coordinates": list(post.point)}
        return {
            "id": post.id,
            "text": f"{post.text[:CUT]}… https://t.co/{post.id[-10:]}" if long else post.text,
            "edit_history_tweet_ids": [*post.history, post.id],
            "author_id": post.author,
            "created_at": when(post.created),
            "conversation_id": post.conversation,
            "in_reply_to_user_id": to.author if to else None,
            "referenced_tweets": [{"type": kind, "id": one} for kind, one in refers if one] or None,
            "geo": geo or None,
            "lang": post.lang,
            "source": "X for Android",
            "possibly_sensitive": False,
            "reply_settings": "everyone",
            "attachments": {"media_keys": post.media} if post.media else None,
            "note_tweet": {"text": post.text} if long else None,
            "entities": self._entities(post),
            "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": 3, "quote_count": 0},
        }

    def _entities(self, post: Post) -> Object | None:
        ids = {user.username.lower(): user.id for user in self._world.users.values()}
        found = [
            {"start": at.start(), "end": at.end(), "username": at[1], "id": ids.get(at[1].lower(), "0")}
            for at in _MENTION.finditer(post.text)
        ]
        return {"mentions": found} if found else None

    def _expand(self, post: Post, inside: bool) -> None:
        expansions = self._wanted.expansions
        if "author_id" in expansions or (inside and "referenced_tweets.id.author_id" in expansions):
            self._include("users", [(post.author, self._user(self._world.users[post.author]))])
        if inside:
            return
        if "attachments.media_keys" in expansions:
            self._include("media", [(key, self._media(key)) for key in post.media])
        if "geo.place_id" in expansions and post.place:
            self._include("places", [(post.place, self._place(post.place))])
        if "referenced_tweets.id" in expansions or "referenced_tweets.id.author_id" in expansions:
            for one in filter(None, (post.replied_to, post.quoted)):
                self._refer(one)

    def _refer(self, other: str) -> None:
        why = self._world.seen(other)
        if why:
            self._errors.append(unseen(other, "referenced_tweets.id", why))
        else:
            self._include("tweets", [(other, self.post(self._world.posts[other], inside=True))])

    def _include(self, kind: str, found: Iterable[tuple[str, Object]]) -> None:
        if there := dict(found):
            self._includes.setdefault(kind, {}).update(there)

    def user(self, user: User) -> Object:
        return self._user(user)

    def _user(self, user: User) -> Object:
        shown = {
            "id": user.id,
            "name": user.name,
            "username": user.username,
            "protected": user.protected,
            "verified": False,
            "created_at": "2013-12-14T04:35:55.000Z",
            "location": "Beijing",
            "public_metrics": {"followers_count": 5, "following_count": 5, "tweet_count": 5, "listed_count": 0},
            "profile_image_url": f"{self._host}/media/face{user.id}.jpg",
        }
        return {
            key: value for key, value in shown.items() if key in ("id", "name", "username") or key in self._wanted.user
        }

    def _media(self, key: str) -> Object:
        name = key.partition("_")[2]
        shown = {
            "media_key": key,
            "type": "photo",
            "url": f"{self._host}/media/{name}.jpg",
            "width": 64,
            "height": 48,
            "alt_text": None,
        }
        asked = self._wanted.media
        return {k: v for k, v in shown.items() if v is not None and (k in ("media_key", "type") or k in asked)}

    def _place(self, place: str) -> Object:
        geo = {"type": "Feature", "bbox": [116.0, 39.8, 116.6, 40.1], "properties": {}}
        full = {
            "id": place, "full_name": self._world.places[place], "country": "China", "country_code": "CN",
            "name": self._world.places[place], "place_type": "city", "geo": geo,
        }  # fmt: skip
        return {key: value for key, value in full.items() if key in ("id", "full_name") or key in self._wanted.place}


def unseen(post: str, parameter: str, why: str) -> Object:
    """A partial error about a post that is gone or protected."""
    about = {"value": post, "resource_id": post, "resource_type": "tweet", "parameter": parameter}
    if why == "protected":
        return about | {
            "title": "Authorization Error",
            "detail": f"Sorry, you are not authorized to see the Tweet with {parameter}: [{post}].",
            "section": "data",
            "type": "https://api.twitter.com/2/problems/not-authorized-for-resource",
        }
    return about | {
        "title": "Not Found Error",
        "detail": f"Could not find tweet with {parameter}: [{post}].",
        "type": "https://api.twitter.com/2/problems/resource-not-found",
    }
