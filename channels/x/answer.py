"""Answers on X: a public reply below the citizen's post, which says only where the answer is.

May not write the same twice, nor write again while it is unknown whether it stands there: it reads back first. What it
cannot read back is `unknown`, never TryAgain: that would say that nothing was written.
"""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from typing import Final

import structlog

from channels.contract import Delivery, Reply
from channels.social.public import public_text
from channels.x.client import (
    Api,
    CallError,
    InDoubt,
    Limited,
    NotSent,
    Refused,
    TokenRefused,
    connected,
)
from channels.x.config import XConfig
from channels.x.document import Document, identity, mapping, members, text
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress

log = structlog.get_logger(__name__)

READ_BACK: Final = 32
"""Pages of ours that X shows at most (3,200 posts)."""
NO_CONNECTION: Final = 60.0
KEYS: Final = 600.0
WINDOW: Final = 900.0
USED_UP: Final = 3600.0
NOT_READ: Final = "not_read_back"
_ADDRESS: Final = re.compile(r"post:([0-9]{1,19})")

# What X says with 403 (or 400), in its own words: it has no codes for them.
_DUPLICATE: Final = ("duplicate content", "status is a duplicate")
_DAILY: Final = ("daily status update limit", "daily limit")
_REASONS: Final = (
    ("not_mentioned", ("not been mentioned", "where you are mentioned")),
    (
        "reply_not_allowed",
        ("reply to this conversation is not allowed", "not allowed to reply", "not permitted to reply"),
    ),
    ("gone", ("deleted or not visible", "does not exist")),
)


class Answers:
    """`reply` of the channel. `clock`: unix seconds, as X counts its limits."""

    def __init__(self, config: XConfig, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._clock = clock

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        """Reasons: `not_an_address`, `no_keys`, `not_mentioned`, `reply_not_allowed`, `gone`, `same_words`,
        `status_<HTTP>`; of `unknown`: `not_read_back`, or what happened.

        Raises:
            TryAgain: nothing was written: no connection, no usable keys, too many calls.
        """
        address = _ADDRESS.fullmatch(to.address)
        if address is None:
            return Delivery(outcome="failed", reason="not_an_address")
        if self._config.keys is None:
            return Delivery(outcome="not_allowed", reason="no_keys")
        post, words = address[1], public_text(message)
        if message.again and (before := await self._read_back(post, words)) is not None:
            return before
        try:
            return await self._write(post, words)
        except Refused as error:
            return await self._refused(error, post, words)
        except InDoubt as error:
            log.warning("x_in_doubt", reason=error.reason)
            return Delivery(outcome="unknown", reason=error.reason)
        except CallError as error:
            raise self._later(error) from None

    async def _write(self, post: str, words: str) -> Delivery:
        """Raises CallError."""
        async with connected(self._config, writing=True) as api:
            answer = await api.answer(words, post)
        made = identity(mapping(answer.document.get("data")).get("id"))
        if made is None:
            raise InDoubt("answer_unreadable")
        return Delivery(outcome="sent", reference=made)

    async def _read_back(self, post: str, words: str) -> Delivery | None:
        """`sent` when it stands there, `unknown` when that cannot be found out, None when it does not."""
        try:
            async with connected(self._config) as api:
                found = await _written(api, post, words)
        except CallError as error:
            log.warning("x_not_read_back", reason=error.reason)
            return Delivery(outcome="unknown", reason=NOT_READ)
        return None if found is None else Delivery(outcome="sent", reference=found)

    async def _refused(self, error: Refused, post: str, words: str) -> Delivery:
        """X knows its own posts better than a list of them that lags behind: it may have been sent before."""
        if _says(error, _DAILY):
            raise TryAgain(USED_UP, "X takes no more posts of this account today")
        if _says(error, _DUPLICATE):
            return await self._read_back(post, words) or Delivery(outcome="not_allowed", reason="same_words")
        if (reason := next((name for name, said in _REASONS if _says(error, said)), None)) is not None:
            return Delivery(outcome="not_allowed", reason=reason)
        outcome = "not_allowed" if error.status in (403, 404) else "failed"
        return Delivery(outcome=outcome, reason=error.reason)

    def _later(self, error: CallError) -> TryAgain:
        """Nothing was written."""
        match error:
            case TokenRefused():
                log.error("x_keys_refused", reason=error.reason)
                return TryAgain(KEYS, "X refuses the keys of the account")
            case Limited(reset=reset):
                if error.reason == "used_up":
                    log.error("x_limited", error=error.reason)
                    return TryAgain(USED_UP, "what X sold us is used up")
                left = WINDOW if reset is None else reset - self._clock() + 1
                return TryAgain(max(left, 1.0), "X allows no more calls now")
            case NotSent():
                log.warning("x_unreachable", error=error.reason)
        return TryAgain(NO_CONNECTION, "X cannot be reached")


def _says(error: Refused, words: tuple[str, ...]) -> bool:
    return any(some in error.detail for some in words)


async def _written(api: Api, post: str, words: str) -> str | None:
    """The id of our reply to `post` with these words. Raises CallError, also when X does not show all of ours."""
    token: str | None = None
    for _ in range(READ_BACK):
        document = (await api.own_posts(since=post, token=token)).document
        meta = mapping(document.get("meta"))
        if not meta:
            raise InDoubt("answer_unreadable")
        for one in members(document.get("data")):
            if _is_reply(one, post) and words in html.unescape(text(one.get("text")) or ""):
                return identity(one.get("id"))
        token = text(meta.get("next_token"))
        if token is None:
            return None
    raise InDoubt("too_many_posts")


def _is_reply(one: Document, post: str) -> bool:
    """X says of every reply what it answers."""
    references = members(one.get("referenced_tweets"))
    return any(it.get("type") == "replied_to" and it.get("id") == post for it in references)
