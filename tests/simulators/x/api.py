"""X's endpoints as functions of query and body: /2/users/me, mentions, an account's posts, single posts, and posting.

May not know HTTP, tokens or limits.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tests.simulators.clocks import Clock
from tests.simulators.x.rules import LONGEST, weight
from tests.simulators.x.world import OURS, Post, Shown, Wanted, World, mentioned, unseen

REACHABLE: Final = 800
"""Mentions, and of an account's own posts:"""
OWN: Final = 3200
_PROBLEMS: Final = "https://api.twitter.com/2/problems"
_KNOWN: Final = frozenset(
    {"max_results", "since_id", "until_id", "start_time", "end_time", "pagination_token", "expansions"}
    | {f"{one}.fields" for one in ("tweet", "user", "media", "place", "poll")}
)
Object = dict[str, Any]


class Problem(Exception):
    """A request that X refuses: `status` and the problem's JSON."""

    def __init__(self, status: int, title: str, detail: str, kind: str = "about:blank", **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.body: Object = {"title": title, "detail": detail, "type": kind} | more
        if kind == "about:blank":
            self.body["status"] = status


def invalid(parameter: str, value: str, why: str) -> Problem:
    """400."""
    errors = [{"parameters": {parameter: [value]}, "message": why}]
    detail = "One or more parameters to your request was invalid."
    return Problem(400, "Invalid Request", detail, f"{_PROBLEMS}/invalid-request", errors=errors)


class Api:
    """They return the answer's JSON or raise Problem."""

    def __init__(self, world: World, clock: Clock, host: str) -> None:
        self._world = world
        self._clock = clock
        self._host = host

    def me(self, query: Mapping[str, str]) -> Object:
        return {"data": Shown(self._world, self._host, Wanted.of(query)).user(self._world.users[OURS])}

    def tweet(self, wanted: str, query: Mapping[str, str]) -> Object:
        """200 with `errors` alone, when it cannot be seen."""
        if not wanted.isdecimal():
            raise invalid("id", wanted, f"The `id` query parameter value [{wanted}] is not valid")
        if why := self._world.seen(wanted):
            return {"errors": [unseen(wanted, "id", why)]}
        shown = Shown(self._world, self._host, Wanted.of(query))
        return {"data": shown.post(self._world.posts[wanted])} | shown.rest()

    def mentions(self, user: str, query: Mapping[str, str]) -> Object:
        """Newest first; only the newest 800 can be reached."""
        if user not in self._world.users:
            raise invalid("id", user, f"The `id` query parameter value [{user}] is not valid")
        return self._listed(self._world.mentions[-REACHABLE:] if user == OURS else [], query)

    def posts(self, user: str, query: Mapping[str, str]) -> Object:
        """What an account wrote, newest first; only the newest 3,200 can be reached. Ours is the only one."""
        if user not in self._world.users:
            raise invalid("id", user, f"The `id` query parameter value [{user}] is not valid")
        return self._listed(self._world.ours[-OWN:] if user == OURS else [], query)

    def _listed(self, names: list[str], query: Mapping[str, str]) -> Object:
        """`names`: ids, rising."""
        if unknown := [key for key in query if key not in _KNOWN]:
            raise invalid(unknown[0], query[unknown[0]], f"The query parameter [{unknown[0]}] is not one of [...]")
        count = _number(query, "max_results", 10)
        if not 5 <= count <= 100:
            raise invalid(
                "max_results", str(count), f"The `max_results` query parameter value [{count}] is not between 5 and 100"
            )
        ids = [int(one) for one in names if self._world.posts[one].created >= _start(query)]
        low = bisect_right(ids, _number(query, "since_id", 0))
        until = _number(query, "until_id", 0)
        high = bisect_left(ids, until) if until else len(ids)
        if "pagination_token" in query:
            high = min(high, bisect_left(ids, _opened(query["pagination_token"])))
        start = max(low, high - count)
        there = [self._world.posts[str(one)] for one in reversed(ids[start:high])]
        return self._list([post for post in there if not self._world.seen(post.id)], there, start > low, query)

    def create(self, body: bytes) -> Object:
        """Our account posts. An app may answer only who mentioned or quoted us."""
        told = _read(body)
        text = told.get("text")
        if not isinstance(text, str) or not text.strip():
            raise invalid("text", str(text), "`text` must not be empty")
        if weight(text) > LONGEST:
            raise Problem(403, "Forbidden", "Your Tweet text is too long.")
        world = self._world
        parent = (told.get("reply") or {}).get("in_reply_to_tweet_id")
        if parent is not None:
            self._permit_reply(str(parent))
        if any(world.posts[one].text == text for one in world.ours[-1000:]):
            raise Problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
        made = world.new_id()
        root = world.posts[str(parent)].conversation if parent is not None else made
        replied = None if parent is None else str(parent)
        world.add(Post(made, OURS, text, self._clock.now(), root, replied))
        return {"data": {"id": made, "text": text, "edit_history_tweet_ids": [made]}}

    def _permit_reply(self, parent: str) -> None:
        if self._world.seen(parent):
            detail = "You attempted to reply to a Tweet that is deleted or not visible to you."
            raise Problem(403, "Forbidden", detail)
        post = self._world.posts[parent]
        quoted = self._world.posts.get(post.quoted or "")
        ours = quoted is not None and quoted.author == OURS
        if post.author != OURS and self._world.us.lower() not in mentioned(post.text) and not ours:
            detail = (
                "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged "
                "by the author of the post you are replying to."
            )
            raise Problem(403, "Forbidden", detail)

    def _list(self, seen: list[Post], page: list[Post], more: bool, query: Mapping[str, str]) -> Object:
        shown = Shown(self._world, self._host, Wanted.of(query))
        meta: Object = {"result_count": len(seen)}
        if more:
            meta["next_token"] = _closed(int(page[-1].id))
        if not seen:
            return {"meta": meta}
        data = [shown.post(post) for post in seen]
        return {"data": data} | shown.rest() | {"meta": meta | {"newest_id": seen[0].id, "oldest_id": seen[-1].id}}


def _number(query: Mapping[str, str], key: str, default: int) -> int:
    if not query.get(key):
        return default
    if not query[key].isdecimal():
        raise invalid(key, query[key], f"The `{key}` query parameter value [{query[key]}] is not valid")
    return int(query[key])


def _start(query: Mapping[str, str]) -> float:
    """`start_time` in seconds since 1970."""
    if "start_time" not in query:
        return 0.0
    try:
        return datetime.strptime(query["start_time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise invalid(
            "start_time", query["start_time"], "The `start_time` query parameter value is not valid"
        ) from None


def _closed(oldest: int) -> str:
    return base64.b32hexencode(f"p{oldest}".encode()).decode().rstrip("=").lower()


def _opened(token: str) -> int:
    try:
        return int(base64.b32hexdecode(token.upper() + "=" * (-len(token) % 8)).decode().removeprefix("p"))
    except ValueError:
        raise invalid("pagination_token", token, "The `pagination_token` query parameter value is not valid") from None


def _read(body: bytes) -> Object:
    try:
        told = json.loads(body)
    except ValueError:
        raise Problem(400, "Invalid Request", "The body is no JSON.", f"{_PROBLEMS}/invalid-request") from None
    if not isinstance(told, dict):
        raise Problem(400, "Invalid Request", "The body is no object.", f"{_PROBLEMS}/invalid-request")
    return told
