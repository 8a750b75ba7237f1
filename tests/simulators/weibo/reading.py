"""What Weibo lets an app read: mentions, comments, single posts. Newest first, since_id exclusive, max_id inclusive.

May not count calls or look at tokens.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

from tests.simulators.weibo.errors import Refused
from tests.simulators.weibo.world import OURS, Shown, World

PAGE: Final = 50
LARGEST: Final = 200
BATCH: Final = 50
Query = dict[str, str]


def number(query: Query, key: str, default: int) -> int:
    """An integer of the query; raises Refused for anything else."""
    try:
        return int(query.get(key) or default)
    except ValueError:
        raise Refused(10017, key) from None


class Reading:
    """The GET endpoints, as functions of the query."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._shown = Shown(world, host)

    def status_mentions(self, query: Query) -> dict[str, Any]:
        world = self._world
        there = [one for one in world.mentions if world.posts[one].gone != "missing"]
        if number(query, "filter_by_type", 0) == 1:
            there = [one for one in there if world.posts[one].original is None]
        page, rest = self._page(self._filtered(there, query), query)
        return {"statuses": [self._shown.post(world.posts[one]) for one in page], **rest, "total_number": len(there)}

    def comment_mentions(self, query: Query) -> dict[str, Any]:
        return self._comments(self._world.comment_mentions, query)

    def to_me(self, query: Query) -> dict[str, Any]:
        return self._comments(self._world.to_me, query)

    def by_me(self, query: Query) -> dict[str, Any]:
        return self._comments(self._world.by_me, query)

    def comments_show(self, query: Query) -> dict[str, Any]:
        """The comments under one post."""
        post = self._post(query, "id")
        return self._comments(self._world.below.get(post, ()), query)

    def status(self, query: Query) -> dict[str, Any]:
        post = self._world.posts[self._post(query, "id")]
        return self._shown.post(post, whole=query.get("isGetLongText") == "1")

    def batch(self, query: Query) -> dict[str, Any]:
        if not query.get("ids"):
            raise Refused(10016, "ids")
        ids = query["ids"].split(",")
        if len(ids) > BATCH or not all(one.isdecimal() for one in ids):
            raise Refused(10017, "ids")
        found = [self._world.posts[int(one)] for one in ids if int(one) in self._world.posts]
        whole = query.get("isGetLongText") == "1"
        shown = [self._shown.post(post, whole=whole) for post in found if post.gone != "missing"]
        return {"statuses": shown, "total_number": len(shown)}

    def _post(self, query: Query, key: str) -> int:
        if not query.get(key):
            raise Refused(10016, key)
        post = self._world.posts.get(number(query, key, 0))
        if post is None or post.gone:
            raise Refused(20101)
        return post.id

    def _comments(self, ids: Sequence[int], query: Query) -> dict[str, Any]:
        there = [one for one in ids if not self._world.comments[one].gone]
        page, rest = self._page(self._filtered(there, query), query)
        shown = [self._shown.comment(self._world.comments[one]) for one in page]
        return {"comments": shown, **rest, "total_number": len(there)}

    def _filtered(self, ids: Sequence[int], query: Query) -> Sequence[int]:
        """filter_by_author 1: whom we follow, and we follow nobody but ourselves; filter_by_source 2: chat groups,
        from where nothing comes any more."""
        if number(query, "filter_by_source", 0) == 2:
            return ()
        world = self._world
        authors = {one: (world.posts.get(one) or world.comments[one]).uid for one in ids}
        match number(query, "filter_by_author", 0):
            case 1:
                return [one for one in ids if authors[one] == OURS]
            case 2:
                return [one for one in ids if authors[one] != OURS]
        return ids

    def _page(self, ids: Sequence[int], query: Query) -> tuple[list[int], dict[str, Any]]:
        since = number(query, "since_id", 0)
        until = number(query, "max_id", 0)
        count = number(query, "count", PAGE)
        page = number(query, "page", 1)
        if count < 1 or page < 1:
            raise Refused(10017, "count" if count < 1 else "page")
        count = min(count, LARGEST)
        low, high = bisect_right(ids, since), bisect_right(ids, until) if until else len(ids)
        newest_first = list(reversed(ids[low:high]))
        start = (page - 1) * count
        after = newest_first[start + count : start + count + 1]
        rest = {
            "hasvisible": False,
            "previous_cursor": newest_first[start - 1] if 0 < start <= len(newest_first) else 0,
            "next_cursor": after[0] if after else 0,
        }
        return newest_first[start : start + count], rest
