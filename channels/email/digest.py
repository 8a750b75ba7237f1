"""What names a mail: its message id with the digest of what its author wrote, whatever way it took to us.

Pure, and cheap: it runs before a mail is accepted. May not decode anything: that is parsing.
"""

from __future__ import annotations

import re
from typing import Final

from channels.email import headers, structure
from normalizer import identity
from normalizer.errors import Rejected

ID_MAX: Final = 200

# What an author's program writes. Everything else is trace or a mark of a relay, a border or a mailbox: Received,
# Return-Path, Delivered-To, DKIM-Signature, ARC-*, Authentication-Results, X-*; it differs when the mail comes again.
_AUTHORED: Final = frozenset(
    b"from sender reply-to to cc subject date message-id in-reply-to references mime-version content-type "
    b"content-transfer-encoding content-disposition content-id auto-submitted".split()
)

_NAME: Final = re.compile(r"message:(?P<id>[^\s<>@\"(),;\\]+@[^\s<>@\"(),;\\]+):[0-9a-f]{64}")


def source_id(content: bytes) -> tuple[str, str]:
    """The mail's name and its content digest (SHA-256, hex). The name is the message id with the digest, so that
    the same mail again is the same submission and the same id with other content is not; without an id the digest
    alone. Any bytes have a name."""
    try:
        head, start = structure.split(content)
        fields = structure.fields(head)
    except Rejected:  # a monstrous head: parsing will say so, naming must not
        fields, start = [], 0
    pairs = [_canonical(field) for field in fields]
    authored = sorted(pair for pair in pairs if pair[0] in _AUTHORED)
    digest = identity.content_digest(*(part for pair in authored for part in pair), _body(content[start:]))
    given = next((value for name, value in pairs if name == b"message-id" and value), b"")
    return (f"message:{_printable(given)}:{digest}" if given else f"content:{digest}"), digest


def message_id_of(source_id: str) -> str | None:
    """The message id, without brackets, in a name made by `source_id`: what an answer hangs itself below. None where
    there was none, where it may have been cut, and where it is nothing that a field of ours could hold."""
    found = _NAME.fullmatch(source_id) if source_id.isascii() and source_id.isprintable() else None
    return found["id"] if found is not None and len(found["id"]) < ID_MAX else None


def _canonical(field: bytes) -> tuple[bytes, bytes]:
    """Relays refold and re-space: blanks count as one (as RFC 6376 3.4.2 does)."""
    name, _, value = field.partition(b":")
    return name.strip().lower(), b" ".join(value.split())


def _body(body: bytes) -> bytes:
    """Line feeds only, no blank lines around: transports change both."""
    unified = body.replace(b"\r\n", b"\n") if b"\r" in body else body
    return unified.strip(b"\r\n")


def _printable(value: bytes) -> str:
    text = value.decode("latin-1")
    bare = next(iter(headers.ids(text)), text)
    return "".join(one for one in bare if "!" <= one <= "~")[:ID_MAX]
