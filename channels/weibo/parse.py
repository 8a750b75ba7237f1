"""A body of Weibo's, alone or in the envelope with its pictures, into what was said. Pure; raises Rejected only."""

from __future__ import annotations

from typing import Any

from channels.social.envelope import unpack
from channels.weibo.documents import inside, items_of, name_of, push_digest, read
from channels.weibo.post import Account, post_inbound
from channels.weibo.push import is_push, push_inbound
from normalizer.errors import Rejected
from normalizer.ticket import Inbound, Raw


def parse(raw: Raw, ours: Account) -> Inbound:
    """A post, a comment or a pushed message.

    Raises:
        Rejected: `not_json`, `bad_envelope`, `list`, `api_error`, `user`, `no_post`, `event`, `unknown_push`,
            `bad_post`, `deleted_post`, `own_post`.
    """
    envelope = unpack(read(raw.body))
    item = inside(envelope.post)
    if items_of(item) is not None:
        raise Rejected("list", "A list of posts is several submissions: give them one by one.")
    if not isinstance(item, dict):
        raise Rejected("no_post", "This is neither a post nor a comment nor a message of Weibo.")
    if is_push(item):
        return push_inbound(item, envelope, ours, signed=raw.meta.get("signature") == "pass")
    _must_be_post(item)
    return post_inbound(item, envelope, ours)


def source_id(body: bytes) -> str | None:
    """The name of a body, as the poller and the push give it; None for what is neither. Raises Rejected as `parse`."""
    item = inside(unpack(read(body)).post)
    if not isinstance(item, dict):
        return None
    return f"push:{push_digest(item)}" if is_push(item) else name_of(item)


def _must_be_post(item: dict[str, Any]) -> None:
    """Every other object of the interface lacks what a post has: a text beside an author, a time or an id."""
    if "error_code" in item:
        raise Rejected("api_error", "This is an error of Weibo's interface.")
    if "screen_name" in item:
        raise Rejected("user", "This is a user of Weibo, not a post.")
    if not ("text" in item or "deleted" in item or ("created_at" in item and ("user" in item or "mid" in item))):
        raise Rejected("no_post", "This is neither a post nor a comment nor a message of Weibo.")
