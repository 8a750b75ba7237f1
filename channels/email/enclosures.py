"""Files of an answer as parts of its mail. Pure; may not choose which: who asks for the mail does.

RFC 2183 (Content-Disposition) with the name as RFC 2231 writes it; the standard library folds that.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from normalizer.attachment import clean_name, harmless
from normalizer.ticket import Attachment

LINE: Final = 57
"""Bytes that become one line of base64 (RFC 2045 section 6.8): 76 characters and CRLF."""


def room(encoded: int) -> int:
    """How many bytes of files fit into so many bytes of a mail."""
    return encoded // 78 * LINE


def mixed(body: Sequence[str], files: Sequence[Attachment], token: str) -> list[str]:
    """`body` (its fields, an empty line, its content), and the files behind it (RFC 2046 section 5.1.3)."""
    if not files:
        return list(body)
    boundary = f"=_files_{token}"  # the body's own begins otherwise: no delimiter may be the beginning of another
    lines = [f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n', f"--{boundary}\r\n", *body]
    for file in files:
        lines += [f"\r\n--{boundary}\r\n", _part(file)]
    return [*lines, f"\r\n--{boundary}--\r\n"]


def _part(file: Attachment) -> str:
    part = EmailMessage(policy=SMTP)
    main, _, sub = harmless(file.declared_type or "").partition("/")
    part.set_content(file.content, main, sub, disposition="attachment", filename=clean_name(file.name))
    del part["MIME-Version"]  # the letter says it
    return part.as_bytes().decode("ascii")
