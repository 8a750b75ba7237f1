"""Answers on Weibo: a private message with the answer itself, or a public comment that says only where it is.

May not write the same words twice, nor write again while it is unknown whether they stand there: it reads back first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from typing import Any, Final

import structlog

from channels.contract import Delivery, Reply
from channels.social.public import public_text
from channels.weibo.api import (
    FORBIDDEN,
    GONE,
    LIMITED_FOR,
    REPEATED,
    Api,
    InDoubt,
    Limited,
    NotSent,
    Refused,
    TokenRefused,
    WeiboError,
)
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import identity_of
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress

log = structlog.get_logger(__name__)

MESSAGE_MAX: Final = 299
"""Characters of a private message: "less than 300" (发送被动响应消息)."""
WINDOW: Final = timedelta(hours=48)
"""How long after the citizen's own message a private one is allowed (发送客服消息)."""
READ_BACK: Final = 200
"""Comments of ours that one call lists: more than we may write in a day."""
TOKEN_AFTER: Final = 600.0
BUSY_AFTER: Final = 60.0
NOT_READ: Final = "not_read_back"
_CUT: Final = "…"
_MARKS: Final = re.compile(r"[\W_]+")
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
        """Reasons of `not_allowed`: `window_closed`, `no_rip`, `same_words`, `gone`, `code_<Weibo's>`; of `failed`:
        `not_an_address`, `no_reading_back`, `not_taken`, `code_<Weibo's>`; of `unknown`: `not_read_back`, or what
        happened.

        Raises:
            TryAgain: nothing was written: no connection, no token, too many calls.
        """
        place = place_of(to.address)
        if place is None:
            return Delivery(outcome="failed", reason="not_an_address")
        async with self._api() as api:
            try:
                if isinstance(place, Post):
                    return await self._public(api, place, message)
                return await self._private(api, place, message)
            except Refused as error:
                return _refused(error)
            except InDoubt as error:
                log.warning("weibo_in_doubt", reason=str(error.code))
                return Delivery(outcome="unknown", reason=str(error.code))
            except WeiboError as error:
                raise _later(error) from None

    async def _private(self, api: Api, user: str, message: Reply) -> Delivery:
        """What a citizen gets in private cannot be read back, so after a doubt the next address is better."""
        if message.again:
            return Delivery(outcome="failed", reason="no_reading_back")
        if message.asked_at is None or self._clock() - message.asked_at >= WINDOW:
            return Delivery(outcome="not_allowed", reason="window_closed")
        form: Form = {
            "type": "text",
            "receiver_id": user,
            "save_sender_box": 1,
            "data": json.dumps({"text": fitted(message)}),
        }
        answer = await api.post(f"{self._config.message_api}/2/messages/reply.json", **form)
        if answer.get("result") is False:
            return Delivery(outcome="failed", reason="not_taken")
        return Delivery(outcome="sent")

    async def _public(self, api: Api, post: Post, message: Reply) -> Delivery:
        if self._config.rip is None:
            return Delivery(outcome="not_allowed", reason="no_rip")
        words = public_text(message)
        if message.again and (before := await self._read_back(api, words)) is not None:
            return before
        try:
            return await self._write(api, post, words)
        except Refused as error:
            if error.code not in REPEATED:
                raise
            if message.again:  # it was looked for just now: the list of our comments lags behind
                return Delivery(outcome="unknown", reason=NOT_READ)
            return await self._read_back(api, words) or _refused(error)

    async def _write(self, api: Api, post: Post, words: str) -> Delivery:
        """Raises WeiboError."""
        shared: Form = {"comment": words, "id": post.status, "comment_ori": 0, "rip": str(self._config.rip)}
        more: Form = {"cid": post.comment, "without_mention": 0} if post.comment else {}
        path = "reply" if post.comment else "create"
        made = identity_of(await api.post(f"{self._config.api}/2/comments/{path}.json", **shared, **more))
        if made is None:
            raise InDoubt("answer_unreadable")
        return Delivery(outcome="sent", reference=made)

    async def _read_back(self, api: Api, words: str) -> Delivery | None:
        """`sent` when our comment with these words stands there, None when it does not. When that cannot be found out
        it stays `unknown`: TryAgain would say that nothing was written."""
        try:
            answer = await api.get(f"{self._config.api}/2/comments/by_me.json", count=READ_BACK)
            found = _listed(answer)
        except WeiboError as error:
            log.warning("weibo_not_read_back", reason=str(error.code))
            return Delivery(outcome="unknown", reason=NOT_READ)
        sought = _bare(words)
        made = next((one for one in found if sought in _bare(unescape(str(one.get("text", ""))))), None)
        return None if made is None else Delivery(outcome="sent", reference=identity_of(made))


def fitted(message: Reply) -> str:
    """The whole answer where it fits, else its short form, cut at its end."""
    if _length(message.text) <= MESSAGE_MAX:
        return message.text
    short = message.short or message.text
    if _length(short) <= MESSAGE_MAX:
        return short
    return short.encode("utf-16-le", "replace")[: 2 * (MESSAGE_MAX - 1)].decode("utf-16-le", "ignore") + _CUT


def _length(text: str) -> int:
    """As the platform's own programs count: in UTF-16."""
    return len(text.encode("utf-16-le", "replace")) // 2


def _listed(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Raises InDoubt: this is no list of comments, not even an empty one."""
    found = answer.get("comments") if answer else []
    if not isinstance(found, list):
        raise InDoubt("answer_unreadable")
    return [one for one in found if isinstance(one, dict)]


def _bare(text: str) -> str:
    """Without marks and spaces: a platform may write those in its own way."""
    return _MARKS.sub("", text)


def _refused(error: Refused) -> Delivery:
    if error.code in REPEATED:
        return Delivery(outcome="not_allowed", reason="same_words")
    if error.code in GONE:
        return Delivery(outcome="not_allowed", reason="gone")
    log.warning("weibo_reply_refused", code=error.code)
    outcome = "not_allowed" if error.code in FORBIDDEN else "failed"
    return Delivery.model_validate({"outcome": outcome, "reason": f"code_{error.code}"})


def _later(error: WeiboError) -> TryAgain:
    """Nothing was written."""
    match error:
        case TokenRefused():
            log.error("weibo_reply_token_refused", code=error.code)
            return TryAgain(TOKEN_AFTER, "Weibo wants another token")
        case Limited():
            log.warning("weibo_reply_limited", code=error.code)
            return TryAgain(LIMITED_FOR, "Weibo takes no more calls now")
        case NotSent():
            log.warning("weibo_unreachable", error=str(error.code))
    return TryAgain(BUSY_AFTER, "Weibo cannot be reached")
