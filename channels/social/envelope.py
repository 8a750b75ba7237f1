"""The body of a Raw whose pictures were fetched before it was accepted: the platform's object as it came, the files
beside it. Pure; raises Rejected only.

    {"post": <the object>, "files": [{"url": …, "media_type": …, "content": <base64>}], "missing": 2}
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from normalizer.attachment import clean_name
from normalizer.errors import Rejected
from normalizer.ticket import Attachment, Note

FILES_MAX: Final = 50
_MEMBERS: Final = {"post", "files"}


@dataclass(frozen=True, slots=True)
class File:
    """A file that was fetched. `media_type`: by its bytes."""

    url: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A post with its files; `missing`: how many could not be fetched, None when nobody tried."""

    post: Any
    files: tuple[File, ...] = ()
    missing: int | None = None

    def attachments(self) -> tuple[Attachment, ...]:
        """For `Inbound.attachments`."""
        return tuple(
            Attachment(name=_name(file.url, number), declared_type=file.media_type, content=file.content)
            for number, file in enumerate(self.files, 1)
        )

    def notes(self, step: str, pictures: int) -> tuple[Note, ...]:
        """`picture_not_fetched` with the count, when a post with so many pictures has fewer files."""
        lost = max(pictures - len(self.files), 0) if self.missing is None else self.missing
        if not lost:
            return ()
        detail = f"pictures that are not attached: {lost}; they are at the post's own address"
        return (Note(step=step, code="picture_not_fetched", detail=detail),)


def pack(post: bytes, files: Sequence[File], missing: int = 0) -> bytes:
    """The envelope around a JSON object, whose bytes stay as they came. `post`: checked JSON."""
    packed = [
        {"url": file.url, "media_type": file.media_type, "content": base64.b64encode(file.content).decode()}
        for file in files
    ]
    return b'{"post":%b,"files":%b,"missing":%d}' % (post, json.dumps(packed).encode(), missing)


def unpack(document: Any) -> Envelope:
    """The envelope in a JSON document that was read; a bare object is its own envelope.

    Raises:
        Rejected: `bad_envelope`.
    """
    if not (isinstance(document, dict) and document.keys() >= _MEMBERS):
        return Envelope(document)
    files, missing = document["files"], document.get("missing", 0)
    if not isinstance(files, list) or len(files) > FILES_MAX or type(missing) is not int or not 0 <= missing < 10_000:
        raise _bad()
    return Envelope(document["post"], tuple(map(_file, files)), missing)


def _file(given: Any) -> File:
    try:
        url, media_type, content = given["url"], given["media_type"], given["content"]
        if not (isinstance(url, str) and isinstance(media_type, str)):
            raise _bad()
        return File(url, media_type, base64.b64decode(content, validate=True))
    except (LookupError, TypeError, binascii.Error, ValueError):
        raise _bad() from None


def _bad() -> Rejected:
    return Rejected("bad_envelope", "The files beside the post cannot be read.")


def _name(url: str, number: int) -> str:
    """The last part of the path, without what follows it; numbered where there is none."""
    last = clean_name(url.partition("?")[0].partition("#")[0].rstrip("/"))
    return last if "." in last else f"picture-{number}"
