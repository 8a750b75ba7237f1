"""What is told to a citizen into the bytes of a mail: fields that carry the ticket, the text, and the same as HTML.

Pure. May not put a word of the citizen's into a field, and no value may end a field or begin another.
"""

from __future__ import annotations

import binascii
import html
import re
from base64 import encodebytes
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from types import MappingProxyType
from typing import Final

from pydantic import Field

from channels.contract import Reply
from channels.email import threads
from channels.email.charsets import clean
from channels.email.digest import message_id_of
from channels.email.enclosures import mixed
from channels.email.recipient import Unwritable, spelled
from channels.email.rules import Data, load
from normalizer.ticket import ReplyAddress

DEFAULT_LANGUAGE: Final = "zh-CN"
NAME_MAX: Final = 100
"""Characters of a display name."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail with its envelope. `envelope_from` is empty for the null sender; addresses and id without brackets."""

    envelope_from: str
    envelope_to: str
    content: bytes
    message_id: str
    needs_smtputf8: bool


class _Subjects(Data):
    receipt: str = Field(min_length=1)
    notice: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    visit: str = Field(min_length=1)
    alarm: str = Field(min_length=1)
    dispatch: str = Field(min_length=1)


class _Book(Data):
    subject: Mapping[str, _Subjects]


_SUBJECTS: Final = load("replies", _Book).subject
_BY_PRIMARY: Final = {tag.partition("-")[0]: subjects for tag, subjects in _SUBJECTS.items()}
_AUTO_SUBMITTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "receipt": "auto-replied",
        "notice": "auto-generated",
        "visit": "auto-generated",
        "alarm": "auto-generated",
        "dispatch": "auto-generated",
    }
)
"""RFC 3834 section 5; an answer was written by a person."""
_BOUNCES: Final = frozenset({"answer", "dispatch"})
"""Of these we must hear that they did not arrive: nobody else would notice."""
_SUPPRESSED: Final[Mapping[str, str]] = MappingProxyType({"dispatch": "DR, RN, NRN, OOF, AutoReply"})
"""Of X-Auto-Response-Suppress ([MS-OXCMAIL] 2.1.3.2.20): "All" would hold back the report of a failure too."""
_NUMBER: Final = re.compile(rf"[0-9]{{16,{threads.NUMBER_MAX}}}")
_TAG: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_LINK: Final = re.compile(r"https?://[!#-&(-;=?-~]+")
_AFTER_LINK: Final = ".,;:!?)]}*"
_PARAGRAPHS: Final = re.compile(r"\n[ \t]*\n\s*")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9 ]+")
_BODY_STYLE: Final = "font-family:sans-serif;font-size:16px;line-height:1.6"
_PARAGRAPH_STYLE: Final = "margin:0 0 1em"


def compose(to: ReplyAddress, message: Reply, *, mailbox: str, name: str | None, secret: bytes, at: datetime) -> Letter:
    """The mail that says `message` to `to`, from `mailbox` (with the display name `name`), dated `at`.

    Its Message-ID is the same for every try, and its Reply-To and subject bring an answer back to the ticket. What a
    program sends has the null sender, so that nothing ever answers it (RFC 3834 section 3.3); a person's answer, and
    what brings a unit its ticket, has the signed address, so that a bounce tells us that it did not arrive.

    Raises:
        Unwritable: `bad_address`, `bad_number`: it cannot be written, now or later.
    """
    if not _NUMBER.fullmatch(message.number):
        raise Unwritable("bad_number")
    recipient, sender = spelled(to.address), spelled(mailbox)
    signed = spelled(_answers_to(to, message, mailbox, secret))
    token = threads.operation_token(message.operation)
    message_id = threads.message_id(message.number, message.operation, sender.rpartition("@")[2], secret)
    head = [
        _field("From", _from(sender, _shown(name or ""))),
        _field("Reply-To", signed),
        _field("To", recipient),
        _field("Subject", _subject(message)),
        _field("Date", format_datetime(at)),
        _field("Message-ID", message_id),
        *_thread(message),
        *_marks(message),
        _field("Content-Language", _language(message)),
        _field("MIME-Version", "1.0"),
    ]
    return Letter(
        envelope_from=signed if message.purpose in _BOUNCES else "",
        envelope_to=recipient,
        content="".join([*head, *mixed(_body(message, token), message.attachments, token)]).encode(),
        message_id=threads.reference_of(message_id),
        needs_smtputf8=not (recipient.isascii() and sender.isascii()),
    )


def _answers_to(to: ReplyAddress, message: Reply, mailbox: str, secret: bytes) -> str:
    """Where an answer comes back: of a unit to an address that only its own mailbox makes worth anything."""
    if message.purpose == "dispatch":
        return threads.unit_address(mailbox, message.number, to.address, secret)
    return threads.reply_address(mailbox, message.number, secret)


# The head. Written here because the standard library's EmailMessage folds a long message id into encoded words, and no
# program finds the mail that is meant by them.


def _field(name: str, value: str) -> str:
    """One field. Values are made of checked parts; this is the second lock."""
    if not value.replace("\r\n ", "").isprintable():
        raise ValueError(f"what would stand in {name} is not one line")
    return f"{name}: {value}\r\n"


def _thread(message: Reply) -> list[str]:
    answered = message_id_of(message.source_id) if message.source_id else None
    return [_field(name, f"<{answered}>") for name in ("In-Reply-To", "References")] if answered else []


def _marks(message: Reply) -> list[str]:
    kind = _AUTO_SUBMITTED.get(message.purpose)
    suppressed = _SUPPRESSED.get(message.purpose, "All")
    return [_field("Auto-Submitted", kind), _field("X-Auto-Response-Suppress", suppressed)] if kind else []


def _subject(message: Reply) -> str:
    primary = (message.language or "").partition("-")[0].lower()
    subjects = _BY_PRIMARY.get(primary, _SUBJECTS[DEFAULT_LANGUAGE])
    words = {
        "receipt": subjects.receipt,
        "notice": subjects.notice,
        "answer": subjects.answer,
        "visit": subjects.visit,
        "alarm": subjects.alarm,
        "dispatch": subjects.dispatch,
    }[message.purpose]
    subject = f"{words} {threads.subject_tag(message.number)}"
    return subject if subject.isascii() else _encoded(subject, "Subject")


def _language(message: Reply) -> str:
    """Of the text, as far as it is a language tag (BCP 47) at all."""
    given = message.language or ""
    return given if _TAG.fullmatch(given) else DEFAULT_LANGUAGE


def _shown(name: str) -> str:
    return "".join(one for one in clean(name) if one.isprintable()).strip()[:NAME_MAX].strip()


def _from(sender: str, name: str) -> str:
    """Whatever is more than plain words is encoded: then nothing in it has a meaning of its own."""
    if not name:
        return sender
    return f"{name if _PLAIN_NAME.fullmatch(name) else _encoded(name, 'From')} <{sender}>"


def _encoded(text: str, field: str) -> str:
    """RFC 2047, in words of 75 characters at most, none of which cuts a character."""
    return Header(text, "utf-8", header_name=field, maxlinelen=75).encode(linesep="\r\n")


# The body


def _body(message: Reply, token: str) -> list[str]:
    text = clean(message.text).strip("\n") + "\n"
    boundary = f"=_{token}"  # neither base64 nor quoted-printable has "=_" in it
    parts = (("plain", text), ("html", _markup(text, _language(message))))
    lines = [_field("Content-Type", f'multipart/alternative; boundary="{boundary}"'), "\r\n"]
    for kind, content in parts:
        encoding, encoded = _transfer(content)
        lines += [
            f"--{boundary}\r\n",
            _field("Content-Type", f"text/{kind}; charset=utf-8"),
            _field("Content-Transfer-Encoding", encoding),
            f"\r\n{encoded}\r\n",
        ]
    return [*lines, f"--{boundary}--\r\n"]


def _transfer(text: str) -> tuple[str, str]:
    """Readable as it travels when it is ASCII (base64 of that looks like something to hide), else base64."""
    if text.isascii():
        return "quoted-printable", binascii.b2a_qp(text.encode(), istext=True).decode().replace("\n", "\r\n")
    return "base64", encodebytes(text.replace("\n", "\r\n").encode()).decode().strip().replace("\n", "\r\n")


def _markup(text: str, language: str) -> str:
    """The text as HTML: paragraphs, lines, links. Nothing is fetched when it is read."""
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="{language}">',
        '<head><meta charset="utf-8"></head>',
        f'<body style="{_BODY_STYLE}">',
    ]
    for paragraph in _PARAGRAPHS.split(text.strip()):
        written = "<br>\n".join(map(_linked, paragraph.split("\n")))
        lines.append(f'<p style="{_PARAGRAPH_STYLE}">{written}</p>')
    return "\n".join([*lines, "</body>", "</html>", ""])


def _linked(line: str) -> str:
    pieces, end = [], 0
    for found in _LINK.finditer(line):
        url = found[0].rstrip(_AFTER_LINK)
        pieces += [html.escape(line[end : found.start()]), f'<a href="{html.escape(url)}">{html.escape(url)}</a>']
        end = found.start() + len(url)
    return "".join([*pieces, html.escape(line[end:])])
