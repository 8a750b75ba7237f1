"""A mail's bytes into what the citizen said: read, judged (a person or a machine), trimmed of what it quotes.

Pure: the same Raw gives the same Inbound. Raises Rejected only. May not answer, and may not open what is encrypted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from channels.email.auth import marks
from channels.email.automatic import Automatic, Kind, judge
from channels.email.digest import source_id
from channels.email.dsn import read_report
from channels.email.message import Mail, read
from channels.email.quotes import Trimmed, trim
from channels.email.threads import (
    may_be_a_units,
    number_in_unit_address,
    reference_of,
    senders_of,
    sent_by_us,
    threads_of,
)
from normalizer.errors import Rejected
from normalizer.ticket import (
    Attachment,
    Flag,
    Inbound,
    Note,
    Raw,
    ReplyAddress,
    Requester,
    SetAside,
    Undelivered,
    UnitWord,
)

CHANNEL: Final = "email"
UNIT_WORD: Final = "unit_word"
SUBJECT_MAX: Final = 300
NOTHING: Final = frozenset({"not_a_mail", "empty_mail"})
"""Codes of `read` that say that nobody said anything."""
_WORD: Final = SetAside(code=UNIT_WORD, detail="An answer to the mail that brought a unit its ticket.")


@dataclass(frozen=True, slots=True)
class Site:
    """What reading needs to know of the place: our addresses, and the secret that signed what we sent (none: nothing
    counts as ours)."""

    addresses: tuple[str, ...]
    secret: bytes | None


def parse(raw: Raw, site: Site) -> Inbound:
    """What the writer of the mail said. A report or an answer about our own mail is set aside, with its reason; so is
    what is no mail or has nothing in it: it is kept and listed, and there is nothing to put right. What a unit answers
    from its mailbox is its word, and besides all that it would be if the host does not know it as a unit's.

    Raises:
        Rejected: `too_large` or `too_many_parts`.
    """
    try:
        mail = read(raw)
    except Rejected as refused:
        if refused.code not in NOTHING:
            raise
        return Inbound(text="", digest=_digest(raw), set_aside=SetAside(code=refused.code, detail=refused.detail))
    writer = (mail.from_.address if mail.from_ else "") or None
    automatic = judge(
        mail.header,
        envelope_from=mail.envelope_from,
        from_address=writer,
        own_addresses=site.addresses,
        text=mail.text,
    )
    trimmed = trim(mail.text)
    by_machine = automatic is not None and automatic.is_machine
    to_a_unit = by_machine and _may_be_to_a_unit(mail, site)
    word = None if by_machine else _unit_word(mail, site, writer=writer or "", text=trimmed.text)
    aside = _WORD if word is not None else _aside(automatic, to_a_unit=to_a_unit)
    may_join = aside is None or word is not None or (automatic is not None and automatic.kind is Kind.AUTO_REPLY)
    return Inbound(
        text=_said(mail, trimmed),
        digest=_digest(raw),
        title=mail.subject[:SUBJECT_MAX] or None,
        requester=_requester(mail, writer, automatic),
        attachments=() if to_a_unit else _files(mail),
        threads=_threads(mail, site) if may_join and not to_a_unit else (),
        senders=senders_of(writer),
        verified=marks.decode(raw.meta.get(marks.META)),
        flags=(Flag.AUTOMATED,) if by_machine else (),
        notes=(*mail.notes, *_notes(trimmed, automatic)),
        set_aside=aside,
        undelivered=_undelivered(raw, site) if automatic is not None and automatic.kind is Kind.BOUNCE else None,
        unit_word=word,
    )


def _unit_word(mail: Mail, site: Site, *, writer: str, text: str) -> UnitWord | None:
    """The word of the unit whose mailbox wrote the mail, about the ticket that the first address of its own names. The
    same address in anybody else's mail (of who was copied in, of an officer's own mailbox) makes it no unit's."""
    if site.secret is None:
        return None
    numbers = (number_in_unit_address(one, site.addresses, writer, site.secret) for one in _recipients(mail))
    number = next((number for number in numbers if number is not None), None)
    return UnitWord(number=number, sender=writer, text=text) if number is not None else None


def _may_be_to_a_unit(mail: Mail, site: Site) -> bool:
    """Whether a program answers a letter that brought a unit its ticket, from any address: nobody asks anything."""
    secret = site.secret
    return secret is not None and any(may_be_a_units(one, site.addresses, secret) for one in _recipients(mail))


def _recipients(mail: Mail) -> tuple[str, ...]:
    """Those of the envelope are the surest."""
    return (*mail.envelope_to, *(one.address for one in (*mail.to, *mail.cc) if one.address))


def _digest(raw: Raw) -> str:
    return raw.meta.get("digest") or source_id(raw.body)[1]


def _said(mail: Mail, trimmed: Trimmed) -> str:
    """The writer's own words. What was passed on is the very matter of a first mail; a mail that is nothing but a
    quotation is taken whole, and one without text says what its subject says."""
    if mail.in_reply_to is None and trimmed.forwarded:
        return f"{trimmed.text}\n\n{trimmed.forwarded}".strip()
    return trimmed.text or mail.text or mail.subject


def _files(mail: Mail) -> tuple[Attachment, ...]:
    """What the writer sent along: a signature is worth something beside the original only. Alone it is all there is."""
    sent = tuple(one for one in mail.attachments if one not in mail.wrapping)
    return sent if sent or mail.text.strip() else mail.attachments


def _requester(mail: Mail, writer: str | None, automatic: Automatic | None) -> Requester:
    """A person may be answered where he wishes; a program answers only where the mail came from, as far as the
    transport knows, and never a program (RFC 3834, sections 2 and 4)."""
    answer_to = [one.address for one in mail.reply_to if one.address] or ([writer] if writer else [])
    receipt_to = mail.envelope_from or writer if automatic is None else None
    return Requester(
        name=mail.from_.name or None if mail.from_ else None,
        email=writer,
        reply_to=tuple(ReplyAddress(channel=CHANNEL, address=address) for address in answer_to[:1]),
        receipt_to=ReplyAddress(channel=CHANNEL, address=receipt_to) if receipt_to else None,
    )


def _undelivered(raw: Raw, site: Site) -> Undelivered | None:
    """What a report says of a message that we sent (RFC 3464): only `failed` is an end, a delay is not. An id that we
    did not sign may be forged, and marks nothing."""
    report = read_report(raw.body)
    if report is None or report.message_id is None or not report.failed or site.secret is None:
        return None
    domains = {address.rpartition("@")[2] for address in site.addresses}
    ours = sent_by_us(report.message_id, domains, site.secret)
    if ours is None:
        return None
    reason = f"bounced_{report.failed[0].status or 'unknown'}"
    return Undelivered(number=ours[0], reference=reference_of(report.message_id), reason=reason)


def _threads(mail: Mail, site: Site) -> tuple[str, ...]:
    return threads_of(
        recipients=_recipients(mail),
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


def _aside(automatic: Automatic | None, *, to_a_unit: bool) -> SetAside | None:
    if automatic is None or (automatic.opens_ticket and not to_a_unit):
        return None
    return SetAside(code=str(automatic.kind), detail=automatic.because)
