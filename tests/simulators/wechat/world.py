"""What WeChat knows: followers, messages both ways, access tokens, what may still be sent to whom.

May not answer requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tests.simulators.clocks import HOUR

OURS: Final = "gh_jiesu12345"
FIRST_MSG_ID: Final = 24_000_000_000_000_000
WINDOW: Final = 48 * HOUR
ALLOWED: Final = 5
"""Customer-service messages for each message of the citizen (since June 2023); the newest message brings all anew."""
ALLOWED_EVENT: Final = 3
WINDOW_EVENT: Final = 60.0
_EVENTS: Final = frozenset({"subscribe", "SCAN", "CLICK"})


@dataclass
class Follower:
    """One citizen as this account knows him. `left` messages may be sent `until`."""

    openid: str
    name: str
    subscribed: bool = True
    until: float = 0.0
    left: int = 0

    def did(self, kind: str, now: float) -> None:
        """He wrote, or touched something: what we may send him now."""
        if kind == "subscribe":
            self.subscribed = True
        elif kind == "unsubscribe":
            self.subscribed = False
        if kind == "message":
            self.until, self.left = now + WINDOW, ALLOWED
        elif kind in _EVENTS and self.until < now + WINDOW_EVENT:
            self.until, self.left = now + WINDOW_EVENT, ALLOWED_EVENT


@dataclass
class Message:
    """One message, from us or to us."""

    openid: str
    text: str
    at: float
    via: Literal["citizen", "passive", "custom", "template"]


@dataclass
class World:
    followers: dict[str, Follower] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    pushed: list[dict[str, Any]] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    last_msg_id: int = FIRST_MSG_ID
    tokens: dict[str, float] = field(default_factory=dict)
    """Access token → valid until."""
    stable: str = ""
    tokens_made: int = 0

    def follower(self, name: str) -> Follower:
        """The one of that name; a new one, when there is none."""
        for one in self.followers.values():
            if one.name == name:
                return one
        openid = f"oJiesu{len(self.followers):022d}"
        self.followers[openid] = Follower(openid, name)
        return self.followers[openid]

    def new_msg_id(self) -> int:
        self.last_msg_id += 13
        return self.last_msg_id
