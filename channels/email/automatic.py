"""Is a mail written by a program, and may it be answered by one? RFC 3834 and what providers do beside it.

Pure, from headers alone (and the first words where a provider sets none). May not drop a mail: it names a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from channels.email.rules import Data, Words, load

Header = Callable[[str], Sequence[str]]
"""All values of a header, decoded; the name in either case."""

_LOOKED_AT: Final = 400  # characters of a header value or of the text


class Kind(StrEnum):
    """What kind of machine wrote it; the value is the reason that is listed."""

    BOUNCE = "bounce"
    READ_RECEIPT = "read_receipt"
    ABUSE_REPORT = "abuse_report"
    AUTO_REPLY = "auto_reply"
    GENERATED = "generated"
    LIST = "list"
    BULK = "bulk"
    OWN_MAIL = "own_mail"
    SYSTEM_SENDER = "system_sender"
    NO_REPLY_SENDER = "no_reply_sender"
    NULL_SENDER = "null_sender"
    ASKS_NO_ANSWER = "asks_no_answer"


_OPENS_NONE: Final = frozenset({Kind.BOUNCE, Kind.READ_RECEIPT, Kind.ABUSE_REPORT, Kind.AUTO_REPLY})
_WRITTEN_BY_PERSON: Final = frozenset({Kind.ASKS_NO_ANSWER, Kind.OWN_MAIL, Kind.LIST})


@dataclass(frozen=True, slots=True)
class Automatic:
    """A mail that gets no automatic answer (RFC 3834, section 2). `because`: the header or rule that says so."""

    kind: Kind
    because: str

    @property
    def opens_ticket(self) -> bool:
        """Whether a ticket is opened when it joins none: not for a report or an answer about our own mail."""
        return self.kind not in _OPENS_NONE

    @property
    def is_machine(self) -> bool:
        """Whether no person wrote it (the ticket's flag `automated`)."""
        return self.kind not in _WRITTEN_BY_PERSON


class _Book(Data):
    reply_subject: Words
    reply_text: Words
    reply_headers: Words
    read_subject: Words
    bounce_subject: Words
    system_sender: Words
    no_reply_sender: Words


@dataclass(frozen=True, slots=True)
class _Mail:
    """What the rules look at."""

    header: Header
    subject: str
    content_type: str
    sender: str
    text: str
    null_sender: bool
    own: bool

    def first(self, name: str) -> str:
        """The first value of a header in lower case, empty when there is none."""
        values = self.header(name)
        return values[0][:_LOOKED_AT].strip().lower() if values else ""


_BOOK: Final = load("automatic", _Book)
_REPLY_SUBJECT: Final = _BOOK.reply_subject.compiled()
_REPLY_TEXT: Final = _BOOK.reply_text.compiled()
_READ_SUBJECT: Final = _BOOK.read_subject.compiled()
_BOUNCE_SUBJECT: Final = _BOOK.bounce_subject.compiled()
_SYSTEM_SENDER: Final = _BOOK.system_sender.compiled()
_NO_REPLY_SENDER: Final = _BOOK.no_reply_sender.compiled()
_REPORT_TYPE: Final = re.compile(r'report-type\s{0,9}=\s{0,9}"?([\w-]{1,40})', re.IGNORECASE)
_REPORTS: Final = {
    "delivery-status": Kind.BOUNCE,
    "global-delivery-status": Kind.BOUNCE,
    "disposition-notification": Kind.READ_RECEIPT,
    "global-disposition-notification": Kind.READ_RECEIPT,
    "feedback-report": Kind.ABUSE_REPORT,
}
_LIST_HEADERS: Final = ("List-Id", "List-Post", "List-Help", "List-Unsubscribe", "List-Subscribe", "List-Owner")
_SUPPRESSED: Final = frozenset({"all", "autoreply"})  # the values that mean an answer like ours ([MS-OXCMAIL])


def judge(
    header: Header,
    *,
    envelope_from: str | None,
    from_address: str | None,
    own_addresses: Collection[str],
    text: str = "",
) -> Automatic | None:
    """Why the mail must not be answered by a program, the strongest reason first; None when it may.

    Args:
        header: the decoded values of a header.
        envelope_from: MAIL FROM without brackets, empty for the null sender, None when the transport did not say
            (then `Return-Path` counts).
        from_address: the address in `From`.
        own_addresses: the addresses that this channel receives at, without plus-parts.
        text: the mail's plain text; only its beginning is looked at.
    """
    sender = (from_address or "").strip().lower()
    mail = _Mail(
        header=header,
        subject=_one_line(header("Subject")),
        content_type=_one_line(header("Content-Type")).lower(),
        sender=sender.partition("@")[0],
        text=text[:_LOOKED_AT],
        null_sender=_is_null(envelope_from, header("Return-Path")),
        own=_without_plus(sender) in {_without_plus(own.lower()) for own in own_addresses},
    )
    for rule in (_report, _bounce, _reply, _generated, _bulk, _sender, _wish):
        if found := rule(mail):
            return found
    return None


def _one_line(values: Sequence[str]) -> str:
    return " ".join(values[0][:_LOOKED_AT].split()) if values else ""


def _is_null(envelope_from: str | None, return_path: Sequence[str]) -> bool:
    if envelope_from is not None:
        return envelope_from.strip(" <>") == ""
    return bool(return_path) and return_path[0].strip() == "<>"


def _without_plus(address: str) -> str:
    local, at, domain = address.strip().partition("@")
    return local.partition("+")[0] + at + domain


def _report(mail: _Mail) -> Automatic | None:
    """multipart/report names its kind (RFC 3462, 3464, 8098, 5965)."""
    if not mail.content_type.startswith("multipart/report"):
        return None
    named = _REPORT_TYPE.search(mail.content_type)
    if named is None:  # only a mail system is believed without it
        from_system = mail.null_sender or not mail.sender or _SYSTEM_SENDER.fullmatch(mail.sender)
        return Automatic(Kind.BOUNCE, "multipart/report") if from_system else None
    kind = _REPORTS.get(named[1].lower())
    return Automatic(kind, "multipart/report") if kind else None


def _bounce(mail: _Mail) -> Automatic | None:
    """Bounces that are no report: from the mail system (or nobody), saying that something was not delivered."""
    if mail.header("X-Failed-Recipients"):
        return Automatic(Kind.BOUNCE, "X-Failed-Recipients")
    by_name = bool(_SYSTEM_SENDER.fullmatch(mail.sender))
    if by_name and mail.null_sender:
        return Automatic(Kind.BOUNCE, "From")
    from_system = by_name or mail.null_sender or not mail.sender
    if from_system and _BOUNCE_SUBJECT.match(mail.subject) and not _REPLY_SUBJECT.match(mail.subject):
        return Automatic(Kind.BOUNCE, "Subject")
    return Automatic(Kind.READ_RECEIPT, "Subject") if _READ_SUBJECT.match(mail.subject) else None


def _reply(mail: _Mail) -> Automatic | None:
    submitted = mail.first("Auto-Submitted").partition(";")[0].strip()
    if submitted == "auto-replied":
        return Automatic(Kind.AUTO_REPLY, "Auto-Submitted")
    for name in _BOOK.reply_headers.any:
        if mail.header(name) and mail.first(name) != "no":
            return Automatic(Kind.AUTO_REPLY, name)
    if mail.first("Precedence") in {"auto_reply", "auto-reply"}:
        return Automatic(Kind.AUTO_REPLY, "Precedence")
    if "autoresponder" in mail.first("X-POST-MessageClass"):
        return Automatic(Kind.AUTO_REPLY, "X-POST-MessageClass")
    if _REPLY_SUBJECT.match(mail.subject):
        return Automatic(Kind.AUTO_REPLY, "Subject")
    return Automatic(Kind.AUTO_REPLY, "text") if _REPLY_TEXT.match(mail.text) else None


def _generated(mail: _Mail) -> Automatic | None:
    submitted = mail.first("Auto-Submitted").partition(";")[0].strip()
    if submitted and submitted != "no":
        return Automatic(Kind.GENERATED, "Auto-Submitted")
    return None


def _bulk(mail: _Mail) -> Automatic | None:
    for name in _LIST_HEADERS:
        if mail.header(name):
            return Automatic(Kind.LIST, name)
    precedence = mail.first("Precedence")
    if precedence == "list":
        return Automatic(Kind.LIST, "Precedence")
    return Automatic(Kind.BULK, "Precedence") if precedence in {"bulk", "junk"} else None


def _sender(mail: _Mail) -> Automatic | None:
    if mail.own:
        return Automatic(Kind.OWN_MAIL, "From")
    if _SYSTEM_SENDER.fullmatch(mail.sender):
        return Automatic(Kind.SYSTEM_SENDER, "From")
    if _NO_REPLY_SENDER.fullmatch(mail.sender):
        return Automatic(Kind.NO_REPLY_SENDER, "From")
    return Automatic(Kind.NULL_SENDER, "MAIL FROM") if mail.null_sender else None


def _wish(mail: _Mail) -> Automatic | None:
    """The sender's wish that no program answers; the mail itself may be a person's."""
    wishes = {wish.strip() for wish in mail.first("X-Auto-Response-Suppress").split(",")}
    return Automatic(Kind.ASKS_NO_ANSWER, "X-Auto-Response-Suppress") if wishes & _SUPPRESSED else None
