"""Takes posts as they were listed: their whole text and their pictures first, then accept, the oldest first.

May not lose a post because something beside it failed: a text or a picture that cannot be had is left out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog

from channels.contract import Host
from channels.social.pictures import Pictures
from channels.weibo.api import Api, Refused
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import author_of, id_of, is_cut, long_text, name_of, picture_urls, raw_of
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Inbound, Raw

log = structlog.get_logger(__name__)

Item = dict[str, Any]
LONG_TEXTS: Final = 50
"""Ids in one call of statuses/show_batch."""
TOGETHER: Final = 50
"""Posts that wait for one fsync together."""
PICTURED: Final = 8
"""Of these, posts with pictures: each may hold 40 MB."""
KNOWN: Final = 800
"""More than the newest pages of all lists hold together."""
LEAST: Final = 0.1
BROKEN: Final = 1.0
"""Seconds until a post is offered again: at least, and after an error of ours."""


class Taker:
    """`call` makes a counted call (channels.weibo.poll). Remembers what it took lately, to spare their pictures."""

    def __init__(
        self,
        config: WeiboConfig,
        host: Host,
        parse: Callable[[Raw], Inbound],
        api: Api,
        call: Callable[[Callable[[], Awaitable[Item]]], Awaitable[Item]],
    ) -> None:
        self._config = config
        self._host = host
        self._parse = parse
        self._api = api
        self._call = call
        self._pictures = Pictures(config.picture_hosts, config.allow_private)
        self._known: OrderedDict[str, None] = OrderedDict()

    async def take(self, items: Sequence[Item]) -> None:
        """Returns when every one of them is durable, or was refused for what it is."""
        fresh = [item for item in reversed(items) if self._is_new(item)]
        for group in _groups(list(zip(map(name_of, fresh), await self._whole(fresh), strict=True))):
            raws = await asyncio.gather(*(self._raw(item) for _, item in group))
            await self._accept([raw for raw in raws if raw is not None])
            self.know([name for name, _ in group])
        self.know([name for item in reversed(items) if (name := name_of(item)) in self._known])

    @property
    def known(self) -> list[str]:
        """Source ids that were taken lately, the oldest first."""
        return list(self._known)

    def know(self, taken: Sequence[str]) -> None:
        """These were taken before. What is still listed is forgotten last."""
        for name in taken:
            self._known[name] = None
            self._known.move_to_end(name)
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)

    def _is_new(self, item: Item) -> bool:
        ours = self._config.uid is not None and author_of(item) == self._config.uid
        return not ours and name_of(item) not in self._known

    async def _whole(self, items: Sequence[Item]) -> list[Item]:
        """Long posts are listed cut off; their texts come by fifty. Without it a post is taken as it was listed."""
        cut = [id_of(item) for item in items if is_cut(item)]
        texts: dict[int, Any] = {}
        url = f"{self._config.api}/2/statuses/show_batch.json"
        for start in range(0, len(cut), LONG_TEXTS):
            ids = ",".join(map(str, cut[start : start + LONG_TEXTS]))
            try:
                answer = await self._call(partial(self._api.get, url, ids=ids, isGetLongText=1))
            except Refused as error:
                log.warning("weibo_long_texts_refused", code=error.code)
                break
            found = answer.get("statuses")
            for one in found if isinstance(found, list) else ():
                if isinstance(one, dict) and long_text(one):
                    texts[id_of(one)] = one["longText"]
        return [item | {"longText": texts[id_of(item)]} if id_of(item) in texts else item for item in items]

    async def _raw(self, item: Item) -> Raw | None:
        """None: what can open no ticket (a deleted post) is recorded and passed by. Our own error refuses nothing: the
        same bytes are parsed again behind the spool."""
        raw = raw_of(item, datetime.now(UTC))
        try:
            self._parse(raw)
        except Rejected as error:
            log.info("weibo_post_refused", id=str(id_of(item)), code=error.code)
            return None
        except Exception as error:
            log.error("weibo_parse_failed", id=str(id_of(item)), error=type(error).__name__)
        urls = picture_urls(item)
        return raw_of(item, raw.received_at, await self._pictures.fetch(urls)) if urls else raw

    async def _accept(self, raws: Sequence[Raw]) -> None:
        """Side by side, for one fsync, and begun in their order: an answer comes after what it answers."""
        waiting = list(raws)
        while waiting:
            outcomes = await asyncio.gather(*map(self._host.accept, waiting), return_exceptions=True)
            after, again = 0.0, []
            for raw, outcome in zip(waiting, outcomes, strict=True):
                if isinstance(outcome, TryAgain):
                    after = max(after, outcome.after, LEAST)
                    again.append(raw)
                elif isinstance(outcome, Rejected):
                    log.error("weibo_post_conflicts", code=outcome.code)
                elif isinstance(outcome, Exception):
                    log.error("weibo_post_not_accepted", error=type(outcome).__name__)
                    after = max(after, BROKEN)
                    again.append(raw)
                elif isinstance(outcome, BaseException):
                    raise outcome
            waiting = again
            await asyncio.sleep(after)


def _groups(posts: Sequence[tuple[str, Item]]) -> Iterator[Sequence[tuple[str, Item]]]:
    """In their order, as many at a time as memory has room for."""
    group: list[tuple[str, Item]] = []
    pictured = 0
    for post in posts:
        heavy = bool(picture_urls(post[1]))
        if len(group) == TOGETHER or (heavy and pictured == PICTURED):
            yield group
            group, pictured = [], 0
        group.append(post)
        pictured += heavy
    if group:
        yield group
