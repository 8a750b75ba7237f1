"""A post as X describes it, whichever of its APIs said it. Holds what was read; may not conclude anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """An account."""

    id: str
    name: str | None = None
    username: str | None = None


@dataclass(frozen=True, slots=True)
class Other:
    """The post that this one quotes or replies to, as far as it was given."""

    id: str
    relation: str
    text: str | None = None
    author: Person | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A t.co address as it stands in the text and where it leads; None: to a picture or a post that is here anyway."""

    short: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Where:
    """What the author said of the place. `lat` and `lon` are of a point, never of the middle of a city."""

    name: str | None = None
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """`text`: whole, as people read it, but for links and mentions. `versions`: ids of the post before it was edited,
    the first one first, and its own. `pictures`: addresses; `media`: how many pictures and films there are, of
    which `films` have only a first picture. `unseen`: whether X kept back something that belongs to it."""

    id: str
    text: str
    author: Person | None = None
    at: datetime | None = None
    conversation: str | None = None
    versions: tuple[str, ...] = ()
    where: Where = Where()
    links: tuple[Link, ...] = ()
    pictures: tuple[str, ...] = ()
    media: int = 0
    films: int = 0
    others: tuple[Other, ...] = ()
    is_repost: bool = False
    unseen: bool = False

    @property
    def first_id(self) -> str:
        """The post's id before any edit."""
        return self.versions[0] if self.versions else self.id

    def other(self, relation: str) -> Other | None:
        """The post that it `quoted` or `replied_to`."""
        return next((one for one in self.others if one.relation == relation), None)
