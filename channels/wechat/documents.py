"""The bytes of one submission: a message as WeChat sent it, or an envelope (channels/social) with its pictures.

Pure; raises Rejected only. May not know what a message means.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from channels.social.envelope import Envelope, pack, unpack
from channels.social.pictures import Fetched
from channels.wechat.xml import fields_of
from normalizer.errors import Rejected

XML: Final = "application/xml"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Document:
    """The fields of a message, and what was fetched for it."""

    fields: dict[str, str]
    envelope: Envelope


def document_of(body: bytes) -> Document:
    """Reads either form. Raises Rejected: what `fields_of` raises, or `bad_envelope`."""
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return Document(fields_of(body), Envelope(None))
    try:
        envelope = unpack(json.loads(body))
    except (ValueError, RecursionError):
        raise _no_envelope() from None
    if not isinstance(envelope.post, str):
        raise _no_envelope()
    return Document(fields_of(envelope.post.encode("utf-8", "surrogatepass")), envelope)


def enveloped(body: bytes, fetched: Fetched) -> bytes:
    """The message, which is UTF-8, with its pictures."""
    return pack(json.dumps(body.decode("utf-8-sig"), ensure_ascii=False).encode(), fetched.files, fetched.missing)


def submissions(body: bytes) -> Iterable[bytes]:
    """The submissions in a file: WeChat sends one message at a time."""
    yield body


def _no_envelope() -> Rejected:
    return Rejected("bad_envelope", "This JSON is no envelope around the XML of a message.")
