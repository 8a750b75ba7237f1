"""What a JSON object of X is, by its members: a post of API v2, a status of API v1.1, or no request at all.

Pure. May not read a post.
"""

from __future__ import annotations

from typing import Any, Final

from channels.x.document import identity, mapping
from normalizer.errors import Rejected

# What is no request, by members that only it has; the first line that fits names it.
_OTHERS: Final[tuple[tuple[str, frozenset[str]], ...]] = tuple(
    (code, frozenset(names.split()))
    for code, names in (
        ("direct_message", "event_type"),
        ("direct_message", "dm_event_id"),
        ("direct_message", "message_create"),
        ("direct_message", "event"),
        ("direct_message", "events"),
        ("user", "username"),
        ("user", "screen_name"),
        ("relationship", "blocking"),
        ("relationship", "following"),
        ("trend", "trend_name"),
        ("count", "tweet_count"),
        ("usage", "project_usage"),
        ("token", "access_token"),
        ("compliance_job", "upload_url"),
        ("media", "media_key"),
        ("media", "media_id"),
        ("media", "processing_info"),
        ("media", "expires_after_secs"),
        ("space", "state"),
        ("poll", "options"),
        ("place", "full_name"),
        ("place", "place_type"),
        ("rule", "value tag"),
        ("rule", "value id"),
        ("account_list", "name owner_id"),
        ("account_list", "name id"),
        ("deleted_post", "delete"),
        ("limits", "rate_limit_context"),
        ("limits", "resources"),
        ("error", "errors"),
        ("error", "title detail"),
        ("empty_list", "meta"),
        ("includes", "tweets users"),
    )
)
_TEXTS: Final = ("text", "full_text")


def is_status(item: Any) -> bool:
    """A post as API v1.1 says it."""
    found = mapping(item)
    return identity(found.get("id_str")) is not None and any(isinstance(found.get(name), str) for name in _TEXTS)


def is_post(item: Any) -> bool:
    """A post as API v2 says it. Direct messages have `id` and `text` too, and an `event_type`."""
    found = mapping(item)
    return identity(found.get("id")) is not None and isinstance(found.get("text"), str) and "event_type" not in found


def refusal(item: Any) -> Rejected:
    """Why this is no request."""
    if isinstance(item, list):
        return Rejected("list", "A list of posts is several submissions: give them one by one.")
    if not isinstance(item, dict):
        return Rejected("not_an_object", "This is no JSON object.")
    for code, names in _OTHERS:
        if item.keys() >= names:
            return Rejected(code, f"This is no post of X: {code.replace('_', ' ')}.")
    return Rejected("no_post", "This is no post.")
