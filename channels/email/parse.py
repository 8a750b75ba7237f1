"""A mail's bytes into what the citizen said: read, judged (a person or a machine), trimmed of what it quotes.

Pure: the same Raw gives the same Inbound. Raises Rejected only. May not answer, and may not open what is encrypted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from channels.email.automatic import Automatic, judge
from channels.email.digest import source_id
from channels.email.message import Mail, read
from channels.email.quotes import Trimmed, trim
from channels.email.threads import senders_of, threads_of
from normalizer.ticket import TEXT_MAX, Flag, Inbound, Note, Raw, ReplyAddress, Requester, SetAside

CHANNEL: Final = "email"
SUBJECT_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Site:
    """What reading needs to know of the place: our addresses, and the secret that signed what we sent (none: nothing
    counts as ours)."""

    addresses: tuple[str, ...]
    secret: bytes | None


def parse(raw: Raw, site: Site) -> Inbound:
    """What the writer of the mail said; a report or an answer about our own mail is set aside, with its reason.

    Raises:
        Rejected: it is no mail, or nothing is in it.
    """
    mail = read(raw)
    writer = (mail.from_.address if mail.from_ else "") or None
    automatic = judge(
        mail.header,
        envelope_from=mail.envelope_from,
        from_address=writer,
        own_addresses=site.addresses,
        text=mail.text,
    )
    trimmed = trim(mail.text)
    return Inbound(
        text=_said(mail, trimmed)[:TEXT_MAX],
        digest=raw.meta.get("digest") or source_id(raw.body)[1],
        title=mail.subject[:SUBJECT_MAX] or None,
        requester=_requester(mail, writer),
        attachments=mail.attachments,
        threads=_threads(mail, site),
        senders=senders_of(writer),
        flags=(Flag.AUTOMATED,) if automatic is not None and automatic.is_machine else (),
        notes=(*mail.notes, *_notes(trimmed, automatic)),
        set_aside=_aside(automatic),
    )


def _said(mail: Mail, trimmed: Trimmed) -> str:
    """The writer's own words. What was passed on is the very matter of a first mail; a mail that is nothing but a
    quotation is taken whole, and one without text says what its subject says."""
    if mail.in_reply_to is None and trimmed.forwarded:
        return f"{trimmed.text}\n\n{trimmed.forwarded}".strip()
    return trimmed.text or mail.text or mail.subject


def _requester(mail: Mail, writer: str | None) -> Requester:
    answer_to = [one.address for one in mail.reply_to if one.address] or ([writer] if writer else [])
    return Requester(
        name=mail.from_.name or None if mail.from_ else None,
        email=writer,
        reply_to=tuple(ReplyAddress(channel=CHANNEL, address=address) for address in answer_to[:1]),
    )


def _threads(mail: Mail, site: Site) -> tuple[str, ...]:
    return threads_of(
        recipients=(*mail.envelope_to, *(one.address for one in (*mail.to, *mail.cc) if one.address)),
        in_reply_to=(mail.in_reply_to,) if mail.in_reply_to else (),
        references=mail.references,
        subject=mail.subject,
        own_id=mail.message_id,
        mailboxes=site.addresses if site.secret is not None else (),
        secret=site.secret or b"",
    )


def _notes(trimmed: Trimmed, automatic: Automatic | None) -> list[Note]:
    notes = []
    if trimmed.quoted:
        detail = f"{len(trimmed.quoted)} characters of an earlier message stand in the original only."
        notes.append(Note(step=CHANNEL, code="quotation_trimmed", detail=detail))
    if trimmed.signature:
        detail = f"{len(trimmed.signature)} characters of a signature stand in the original only."
        notes.append(Note(step=CHANNEL, code="signature_trimmed", detail=detail))
    if automatic is not None:
        detail = f"No automatic answer: {automatic.because}"
        notes.append(Note(step=CHANNEL, code=str(automatic.kind), detail=detail))
    return notes


def _aside(automatic: Automatic | None) -> SetAside | None:
    if automatic is None or automatic.opens_ticket:
        return None
    return SetAside(code=str(automatic.kind), detail=automatic.because)
