"""Answers on Weibo: a private message with the answer itself, or a public comment that says only where it is.

May not write the same words twice, nor write again while it is unknown whether they stand there: it reads back first.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from channels.contract import Delivery, Reply
from channels.social.public import public_text
from channels.weibo.api import FORBIDDEN, GONE, REPEATED, Api, InDoubt, Limited, NotSent, Refused, TokenRefused
from channels.weibo.config import WeiboConfig
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress

COMMENT_MAX: Final = 140
MESSAGE_MAX: Final = 300
"""Characters of a comment, and of a private message."""
WINDOW: Final = timedelta(hours=48)
"""How long after the citizen's own message a private one is allowed."""
READ_BACK: Final = 200
TOKEN_AFTER: Final = 600.0
BUSY_AFTER: Final = 60.0
LIMITED_AFTER: Final = 3600.0
_CUT: Final = "…"
Form = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Post:
    """A public place to answer at: below a post, or below somebody's comment there."""

    status: str
    comment: str | None = None


def place_of(address: str) -> str | Post | None:
    """The user id of `message:<uid>`, the place of `comment:<status>[:<comment>]`; None for anything else."""
    kind, *ids = address.split(":")
    if not ids or not all(one.isascii() and one.isdigit() for one in ids):
        return None
    if kind == "message" and len(ids) == 1:
        return ids[0]
    return Post(*ids) if kind == "comment" and len(ids) <= 2 else None


class Answers:
    """`reply` for both kinds of address. `clock`: now, with a zone."""

    def __init__(self, config: WeiboConfig, api: Callable[[], Api], clock: Callable[[], datetime]) -> None:
        self._config = config
        self._api = api
        self._clock = clock

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        """Reasons: `not_an_address`, `window_closed`, `no_reading_back`, `no_rip`, `same_words`, `gone`,
        `code_<Weibo's>`; of `unknown`: what happened.

        Raises:
            TryAgain: nothing was written: no connection, no token, too many calls.
        """
        place = place_of(to.address)
        if place is None:
            return Delivery(outcome="failed", reason="not_an_address")
        async with self._api() as api:
            try:
                return await (
                    self._comment(api, place, message)
                    if isinstance(place, Post)
                    else self._private(api, place, message)
                )
            except TokenRefused as error:
                raise TryAgain(TOKEN_AFTER, f"Weibo wants another token: {error.code}") from None
            except Limited as error:
                raise TryAgain(LIMITED_AFTER, f"too many calls: {error.code}") from None
            except NotSent as error:
                raise TryAgain(BUSY_AFTER, f"no connection: {error.code}") from None
            except InDoubt as error:
                return Delivery(outcome="unknown", reason=str(error.code))
            except Refused as error:
                return _refused(error)

    async def _private(self, api: Api, user: str, message: Reply) -> Delivery:
        """What a citizen gets in private cannot be read back, so after a doubt the next address is better."""
        if message.asked_at is None or self._clock() - message.asked_at >= WINDOW:
            return Delivery(outcome="not_allowed", reason="window_closed")
        if message.again:
            return Delivery(outcome="failed", reason="no_reading_back")
        data = json.dumps({"text": fitted(message)}, ensure_ascii=False)
        form: Form = {"type": "text", "receiver_id": user, "save_sender_box": 1, "data": data}
        await api.post(f"{self._config.message_api}/2/messages/reply.json", **form)
        return Delivery(outcome="sent")

    async def _comment(self, api: Api, post: Post, message: Reply) -> Delivery:
        if self._config.rip is None:
            return Delivery(outcome="not_allowed", reason="no_rip")
        words = public_text(message)
        if message.again and (found := await self._written(api, words)) is not None:
            return Delivery(outcome="sent", reference=found)
        shared: Form = {"comment": words, "id": post.status, "comment_ori": 0, "rip": str(self._config.rip)}
        more: Form = {"cid": post.comment, "without_mention": 0} if post.comment else {}
        path = "reply" if post.comment else "create"
        answer = await api.post(f"{self._config.api}/2/comments/{path}.json", **shared, **more)
        return Delivery(outcome="sent", reference=_id(answer))

    async def _written(self, api: Api, words: str) -> str | None:
        """The id of our comment with these words, if it stands there."""
        answer = await api.get(f"{self._config.api}/2/comments/by_me.json", count=READ_BACK)
        found = answer.get("comments")
        each = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return next((_id(one) for one in each if words in str(one.get("text", ""))), None)


def fitted(message: Reply) -> str:
    """The whole answer where it fits, else its short form, cut at its end."""
    if len(message.text) <= MESSAGE_MAX:
        return message.text
    short = message.short or message.text
    return short if len(short) <= MESSAGE_MAX else short[: MESSAGE_MAX - 1] + _CUT


def _refused(error: Refused) -> Delivery:
    if error.code in REPEATED:
        return Delivery(outcome="not_allowed", reason="same_words")
    if error.code in GONE:
        return Delivery(outcome="not_allowed", reason="gone")
    outcome = "not_allowed" if error.code in FORBIDDEN else "failed"
    return Delivery(outcome=outcome, reason=f"code_{error.code}")


def _id(comment: dict[str, Any]) -> str:
    return str(comment.get("idstr") or comment.get("id") or "")
