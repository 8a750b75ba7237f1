"""Weibo's answers and files as the submissions they hold: which items a list has, and what names an item.

Pure. May not judge an item: `parse` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from channels.social.envelope import pack
from channels.social.pictures import Fetched
from channels.weibo.moment import moment_of
from normalizer.errors import Rejected
from normalizer.identity import content_digest
from normalizer.ticket import Raw

CHANNEL: Final = "weibo"
CONTENT_TYPE: Final = "application/json"
LISTS: Final = ("statuses", "comments", "reposts", "favorites", "users")
_DIGEST: Final = 12  # hex digits in a source id
_PICTURE_WORDS: Final = ("largest", "large", "original", "mw2000", "bmiddle", "thumbnail")


def read(body: bytes) -> Any:
    """The JSON document.

    Raises:
        Rejected: `not_json`.
    """
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Rejected("not_json", "This is not JSON.") from None


def submissions(body: bytes) -> Iterator[bytes]:
    """The items of a list (an answer of Weibo, or items in brackets), each as JSON of its own; anything else is one
    submission as it is."""
    try:
        document = read(body)
    except Rejected:
        yield body
        return
    items = items_of(document)
    if items is None:
        yield body
        return
    for item in items:
        yield json.dumps(item).encode()


def items_of(document: Any) -> list[Any] | None:
    """The items of a list; None for what is none."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict) or "text" in document:
        return None
    return next((document[name] for name in LISTS if isinstance(document.get(name), list)), None)


def inside(item: Any) -> Any:
    """The post in a favourite's wrapper; anything else is itself."""
    wrapped = isinstance(item, dict) and "text" not in item and "favorited_time" in item
    return item.get("status") if wrapped else item


def identity_of(item: Mapping[str, Any]) -> str | None:
    """The id as digits: `idstr` is made for programs that cannot hold 64 bits, `id` may be a text."""
    for name in ("idstr", "id"):
        found = item.get(name)
        text = str(found) if type(found) is int else found
        if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 20 and int(text):
            return str(int(text))
    return None


def id_of(item: Mapping[str, Any]) -> int:
    """The id as a number, for cursors; 0 when there is none."""
    return int(identity_of(item) or 0)


def posted_at(item: Mapping[str, Any]) -> float | None:
    """When it was posted, unix seconds."""
    moment = moment_of(item.get("created_at"))
    return moment.timestamp() if moment else None


def is_comment(item: Mapping[str, Any]) -> bool:
    """A comment names the post it stands under, or the comment it answers."""
    return "status" in item or "reply_comment" in item


def long_text(item: Mapping[str, Any]) -> str | None:
    """The whole text of a long post, when it was asked for (`isGetLongText=1`)."""
    found = item.get("longText")
    content = found.get("longTextContent") if isinstance(found, dict) else found
    return content if isinstance(content, str) and content.strip() else None


def is_cut(item: Mapping[str, Any]) -> bool:
    """A long post whose whole text is not here."""
    return item.get("isLongText") is True and long_text(item) is None


def author_of(item: Mapping[str, Any]) -> str | None:
    """The uid of who posted it."""
    user = item.get("user")
    return identity_of(user) if isinstance(user, dict) else None


def picture_urls(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Addresses of its pictures, as large as they are kept."""
    infos = item.get("pic_infos")
    ids = item.get("pic_ids")
    listed = item.get("pic_urls")
    found: list[str] = []
    if isinstance(infos, dict) and infos:
        order = ids if isinstance(ids, list) and ids else list(infos)
        found = [url for one in order if isinstance(one, str) and (url := _largest(infos.get(one)))]
    if not found and isinstance(listed, list):
        found = [url for one in listed if (url := _string(one, "thumbnail_pic"))]
    if not found:
        found = [url for name in ("original_pic", "bmiddle_pic", "thumbnail_pic") if (url := _string(item, name))][:1]
    return tuple(dict.fromkeys(map(_large, found)))


def picture_count(item: Mapping[str, Any]) -> int:
    """How many pictures hang on it, also where no address is given."""
    ids = item.get("pic_ids")
    return max(len(picture_urls(item)), len(ids) if isinstance(ids, list | dict) else 0)


def digest_of(item: Mapping[str, Any]) -> str:
    """Of what its author made: no counter, no profile, no client. A quoted post counts by its id: that it is edited or
    deleted is not this author's doing."""
    quoted = item.get("retweeted_status")
    parent = item.get("status")
    made = {
        "kind": "comment" if is_comment(item) else "status",
        "id": identity_of(item),
        "author": author_of(item),
        "created_at": item.get("created_at"),
        "text": long_text(item) or item.get("text"),
        "geo": item.get("geo"),
        "pictures": [url.rpartition("/")[2] for url in picture_urls(item)] or item.get("pic_ids"),
        "quoted": identity_of(quoted) if isinstance(quoted, dict) else None,
        "below": identity_of(parent) if isinstance(parent, dict) else None,
    }
    return content_digest(json.dumps(made, sort_keys=True).encode())


def name_of(item: Mapping[str, Any]) -> str:
    """The source id of a post or a comment; an edited one has another."""
    kind = "comment" if is_comment(item) else "status"
    return f"{kind}:{identity_of(item) or '0'}.{digest_of(item)[:_DIGEST]}"


def push_digest(message: Mapping[str, Any]) -> str:
    """A pushed message has no id: sender, time, kind, text and data name it."""
    parts = {name: message.get(name) for name in ("sender_id", "created_at", "type", "text", "data")}
    return content_digest(json.dumps(parts, sort_keys=True).encode())


def raw_of(item: Mapping[str, Any], received_at: datetime, fetched: Fetched | None = None) -> Raw:
    """A post or a comment as a submission; an edited one is another submission. `fetched`: what became of its
    pictures, when they were asked for."""
    digest = digest_of(item)
    body = json.dumps(item).encode()
    return Raw(
        channel=CHANNEL,
        source_id=name_of(item),
        received_at=received_at,
        body=body if fetched is None else pack(body, fetched.files, fetched.missing),
        content_type=CONTENT_TYPE,
        meta={"digest": digest},
    )


def push_raw_of(message: Mapping[str, Any], received_at: datetime, fetched: Fetched | None = None) -> Raw:
    """A pushed message whose signature passed, as a submission."""
    digest = push_digest(message)
    body = json.dumps(message).encode()
    return Raw(
        channel=CHANNEL,
        source_id=f"push:{digest}",
        received_at=received_at,
        body=body if fetched is None else pack(body, fetched.files, fetched.missing),
        content_type=CONTENT_TYPE,
        meta={"digest": digest, "signature": "pass"},
    )


def _largest(info: Any) -> str | None:
    found = (_string(info.get(word), "url") for word in _PICTURE_WORDS) if isinstance(info, dict) else ()
    return next((url for url in found if url), None)


def _string(holder: Any, name: str) -> str | None:
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, str) and found else None


def _large(url: str) -> str:
    for small in ("/thumbnail/", "/bmiddle/", "/wap360/", "/orj360/"):
        url = url.replace(small, "/large/", 1)
    return url


def _no_number(word: str) -> None:
    raise ValueError(word)
