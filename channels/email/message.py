"""A mail's bytes into a Mail: who wrote what to whom, with which files. Everything later reads the Mail, not bytes.

Pure: raises Rejected only. Concludes nothing (no quotes cut, no threads, no sender checked).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

from channels.email import addresses, bodies, charsets, headers, structure
from channels.email.addresses import Address
from channels.email.bodies import Bodies
from normalizer.attachment import sniff
from normalizer.errors import Rejected
from normalizer.ticket import Attachment, Note, Raw

ENVELOPE_FROM: Final = "envelope_from"
_PATH: Final = re.compile(r"[^\s\x00-\x1f\x7f]+@[^\s\x00-\x1f\x7f]+")
"""An envelope sender that can be written to; any other is as good as unknown."""
ENVELOPE_TO: Final = "envelope_to"
"""Keys of `Raw.meta`: the sender of the envelope ("" = the null sender), its recipients separated by blanks."""
FORWARDS_MAX: Final = 3

_BETWEEN: Final = re.compile(r"--|content-|mime-|.{0,60}multi-?part.{0,20}\bMIME\b", re.IGNORECASE)
"""Lines of a multipart that are no text of a person."""


class MailFlag(StrEnum):
    """What a reader must know about the mail. Encrypted and opaquely signed content is kept, not opened."""

    ENCRYPTED = "encrypted"
    SIGNED = "signed"
    CALENDAR = "calendar"
    HTML_ONLY = "html_only"
    FORWARDED = "forwarded"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail as read.

    `message_id`, `in_reply_to` and `references` stand without angle brackets. `text` has line feeds only and is never
    HTML; `html` is the markup as sent, for who must see it. `wrapping`: the attachments that say nothing to a reader
    (detached signatures, PGP's version). `from_` falls back on Sender, Return-Path and envelope;
    `envelope_from`: None when unknown, "" for the null sender. `fields`: lower-case name and raw value, in order.
    """

    subject: str
    from_: Address | None
    sender: Address | None
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    date: datetime | None
    message_id: str | None
    in_reply_to: str | None
    references: tuple[str, ...]
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    wrapping: tuple[Attachment, ...]
    content_type: str
    content_type_params: Mapping[str, str]
    envelope_from: str | None
    envelope_to: tuple[str, ...]
    flags: frozenset[MailFlag]
    notes: tuple[Note, ...]
    fields: tuple[tuple[str, str], ...]
    charset: str | None

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in self.fields:
            found.setdefault(name, []).append(value)
        return found

    def header(self, name: str) -> list[str]:
        """The decoded, unfolded values of every field `name` (any case), in order; 16,384 characters each at most."""
        return [headers.decode(value, self.charset) for value in self._by_name.get(name.lower(), ())]

    def forwarded(self) -> tuple[Mail, ...]:
        """The mails attached to it (message/rfc822), read too: three at most, and unreadable ones left out."""
        attached = [one for one in self.attachments if one.declared_type == bodies.MAIL]
        found = []
        for one in attached[:FORWARDS_MAX]:
            try:
                found.append(_read(one.content, None, (), depth=1))
            except Rejected:
                continue
        return tuple(found)


def read(raw: Raw) -> Mail:
    """The mail in `raw.body`; its envelope from `raw.meta`.

    Raises:
        Rejected: `not_a_mail` (no field of a mail and no text), `empty_mail` (nothing in it), `too_large`,
            `too_many_parts`. What is nested too deep is kept as one file, with a note.
    """
    return read_bytes(raw.body, raw.meta.get(ENVELOPE_FROM), tuple(raw.meta.get(ENVELOPE_TO, "").split()))


def read_bytes(body: bytes, envelope_from: str | None = None, envelope_to: tuple[str, ...] = ()) -> Mail:
    """As `read`, for bytes."""
    known = envelope_from if not envelope_from or _PATH.fullmatch(envelope_from) else None
    return _read(body, known, envelope_to, depth=0)


def _read(body: bytes, envelope_from: str | None, envelope_to: tuple[str, ...], depth: int) -> Mail:
    structure.measure(body)
    root = structure.headless(_text_of(body)) if structure.is_headless(body) else structure.parse(body)
    found = bodies.read(root)
    fields = tuple((str(name).lower(), str(value)) for name, value in root.items())
    mail = _composed(root, found, fields, envelope_from, envelope_to)
    if not mail.text.strip():
        mail = _with_text(mail, found, depth)
    if not (mail.text.strip() or mail.attachments) and root.content.value.startswith("multipart/"):
        mail = _with_lines(mail, found, body)
    if not (mail.text.strip() or mail.subject or mail.attachments):
        raise Rejected("empty_mail", "There is no text, no subject and no file in this mail.")
    return mail


def _text_of(body: bytes) -> bytes:
    """Text without any field is a person at a bare connection, or a device; anything else is no mail."""
    text = body.strip(b"\r\n\t \0")
    if not text:
        raise Rejected("empty_mail", "There is nothing in this mail.")
    if sniff(text.replace(b"\0", b"")) != "text/plain":
        raise Rejected("not_a_mail", "There is no field of a mail in it, and it is no text either.")
    return text


def _composed(
    root: structure.Part,
    found: Bodies,
    fields: tuple[tuple[str, str], ...],
    envelope_from: str | None,
    envelope_to: tuple[str, ...],
) -> Mail:
    raw: dict[str, str] = {}
    for name, value in fields:
        # Of repeated fields the first that says something: what a border added stands on top, but empty ones lie.
        if not raw.get(name, "").strip():
            raw[name] = value
    hint = found.charset
    text = found.text()
    markup = found.html()
    only_html = bool(markup) and not any(block.plain.strip() for block in found.blocks)
    if not fields:
        found.note("no_head", "The mail has no field at all; all of it was read as its text.")
    if any(len(value) >= structure.FIELD_MAX for _, value in fields):
        found.note("field_cut", f"A field of the head was cut after {structure.FIELD_MAX} bytes.")
    message_ids = headers.ids(raw.get("message-id", ""))
    return Mail(
        subject=headers.decode(raw.get("subject", ""), hint),
        from_=_author(raw, hint, envelope_from),
        sender=_first(raw.get("sender", ""), hint),
        reply_to=addresses.read(raw.get("reply-to", ""), hint),
        to=addresses.read(raw.get("to", ""), hint),
        cc=addresses.read(raw.get("cc", ""), hint),
        date=headers.date(raw.get("date", "")),
        message_id=message_ids[0] if message_ids else _odd_id(raw.get("message-id", "")),
        in_reply_to=next(iter(headers.ids(raw.get("in-reply-to", ""))), None),
        references=headers.ids(raw.get("references", "")),
        text=text,
        html=markup,
        attachments=tuple(found.files),
        wrapping=tuple(found.wrapping),
        content_type=root.content.value,
        content_type_params=dict(root.content.parameters),
        envelope_from=envelope_from,
        envelope_to=envelope_to,
        flags=frozenset(_flags(found, only_html)),
        notes=tuple(found.notes.values()),
        fields=fields,
        charset=hint,
    )


def _flags(found: Bodies, only_html: bool) -> list[MailFlag]:
    signs = {
        MailFlag.ENCRYPTED: found.encrypted,
        MailFlag.SIGNED: found.signed,
        MailFlag.CALENDAR: found.calendar,
        MailFlag.HTML_ONLY: only_html,
        MailFlag.FORWARDED: any(one.declared_type == bodies.MAIL for one in found.files),
    }
    return [flag for flag, shown in signs.items() if shown]


def _author(raw: Mapping[str, str], hint: str | None, envelope_from: str | None) -> Address | None:
    """RFC 5322 3.6.2; the first author who has an address, else whoever else the mail names."""
    named = [*addresses.read(raw.get("from", ""), hint), *addresses.read(raw.get("sender", ""), hint)]
    behind = [_first(raw.get("return-path", ""), hint), Address("", envelope_from) if envelope_from else None]
    known = [*named, *(one for one in behind if one is not None)]
    return next((one for one in known if "@" in one.address), known[0] if known else None)


def _first(value: str, hint: str | None) -> Address | None:
    return next(iter(addresses.read(value, hint)), None)


def _odd_id(value: str) -> str | None:
    """A message id that has not even the shape of one names the mail all the same."""
    return headers.one_line(headers.unicode(value[: headers.ID_LENGTH_MAX])).strip("<> ") or None


def _with_lines(mail: Mail, found: Bodies, body: bytes) -> Mail:
    """A mail whose parts hold nothing: the lines outside of them, if any were written by a person."""
    content = body[structure.split(body)[1] :][: bodies.BYTES_MAX]
    lines = charsets.clean(charsets.decode(content, None).text).split("\n")
    text = "\n".join(line for line in lines if not _BETWEEN.match(line)).strip("\n")
    if not text.strip():
        return mail
    found.note("structure_broken", "No part of the mail could be told apart; its lines were read as text.")
    return replace(mail, text=text[: bodies.TEXT_MAX], notes=tuple(found.notes.values()))


def _with_text(mail: Mail, found: Bodies, depth: int) -> Mail:
    """A mail that says nothing itself: what is said in it, or in the mail that it forwards."""
    spare = next(filter(str.strip, found.spare), "")
    if spare:
        found.note("text_from_file", "The mail itself says nothing; the text of a file in it was taken.")
    elif depth == 0:
        inner = next((one for one in mail.forwarded() if one.text.strip()), None)
        if inner is not None:
            spare = inner.text
            found.note("text_from_forwarded", "The mail itself says nothing; the text of the forwarded one was taken.")
    return replace(mail, text=charsets.clean(spare)[: bodies.TEXT_MAX], notes=tuple(found.notes.values()))
