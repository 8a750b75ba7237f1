"""Files as the submissions they hold: a web file is one JSON document or JSON Lines, a phone file too where its
name says lines; a channel that knows lists (`channels.listing`) takes them apart; any other file is one submission.

May not judge a submission: its channel does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from channels.listing import Listing

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
LINES: Final = (".jsonl", ".ndjson")
_TYPES: Final = {
    ".json": JSON,
    ".jsonl": JSON,
    ".ndjson": JSON,
    ".eml": "message/rfc822",
    ".form": "application/x-www-form-urlencoded",
    ".xml": "application/xml",
    ".txt": "text/plain; charset=utf-8",
}


def content_type(channel: str, file: Path) -> str:
    """What the source of `channel` would call the content of `file`."""
    return _TYPES.get(file.suffix.lower(), JSON if channel == "web" else BYTES)


def submissions(channel: str, file: Path) -> list[bytes]:
    """The bodies in `file`, in order. Raises OSError."""
    content = file.read_bytes()
    many = file.suffix.lower() in LINES if channel == "phone" else channel == "web"
    return _lines(content) if many and content_type(channel, file) == JSON else [content]


def listed(listing: Listing, file: Path) -> list[bytes]:
    """The bodies in `file` as its channel knows lists; an empty list is one body, which is refused. Raises OSError."""
    content = file.read_bytes()
    documents = _lines(content) if file.suffix.lower() in LINES else [content]
    return [body for document in documents for body in (list(listing.submissions(document)) or [document])]


def _lines(content: bytes) -> list[bytes]:
    """JSON Lines one by one; anything else whole."""
    if _is_json(content):
        return [content]
    lines = [line.strip() for line in content.split(b"\n") if line.strip()]
    # A broken document is one submission that is refused, not one for each of its lines.
    return lines if any(line.startswith(b"{") and _is_json(line) for line in lines) else [content]


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True
