"""An answer of X into single posts: each with what was included for it, ready to be accepted one by one.

Pure. May not judge: what is no post goes on as it is, for `parse` to refuse with a reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from channels.x.document import Document, mapping, members, read
from normalizer.errors import Rejected

_LISTS: Final = ("statuses", "events")
"""Where API v1.1 keeps the items of a search and of direct messages."""


def submissions(body: bytes) -> Iterator[bytes]:
    """Every item of `body`; `body` itself, untouched, when it is no list."""
    try:
        document = read(body)
    except Rejected:
        yield body
        return
    if isinstance(document, list):
        yield from map(dump, document)
    elif isinstance(data := mapping(document).get("data"), list):
        for item in data:
            yield dump(with_context(item, document))
    elif (items := next((document[name] for name in _LISTS if _is_list(document, name)), None)) is not None:
        yield from map(dump, items)
    else:
        yield body


def _is_list(document: object, name: str) -> bool:
    return isinstance(mapping(document).get(name), list)


def dump(item: object) -> bytes:
    """Escaped to ASCII: a half of a surrogate pair in the original stays what it was."""
    return json.dumps(item, separators=(",", ":")).encode()


def with_context(item: Any, document: Document) -> dict[str, Any]:
    """A post of a list as X would have answered for it alone: `data`, and of `includes` and `errors` its own."""
    whole: dict[str, Any] = {"data": item}
    post, includes = mapping(item), mapping(document.get("includes"))
    references = _words(one.get("id") for one in members(post.get("referenced_tweets")))
    tweets = _of(includes, "tweets", "id", references)
    people = _words((post.get("author_id"), *(one.get("author_id") for one in tweets)))
    keys = mapping(post.get("attachments")).get("media_keys")
    media = _words(keys if isinstance(keys, list) else ())
    concerned = {
        "users": _of(includes, "users", "id", people),
        "tweets": tweets,
        "media": _of(includes, "media", "media_key", media),
        "places": _of(includes, "places", "id", _words((mapping(post.get("geo")).get("place_id"),))),
    }
    if kept := {name: found for name, found in concerned.items() if found}:
        whole["includes"] = kept
    wanted = references | media | people
    if lacks := [
        one for one in members(document.get("errors")) if _words((one.get("resource_id"), one.get("value"))) & wanted
    ]:
        whole["errors"] = lacks
    return whole


def _of(includes: Document, kind: str, name: str, wanted: frozenset[str]) -> list[Document]:
    return [one for one in members(includes.get(kind)) if _words((one.get(name),)) & wanted]


def _words(values: Iterable[object]) -> frozenset[str]:
    """Those that are texts, as ids are."""
    return frozenset(value for value in values if isinstance(value, str))
