"""How the citizen can be reached: phone to E.164, mail domain to lower case, answers' addresses in order.

May not guess: what cannot be understood stays as written, with a note.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from normalizer.ticket import Inbound, Note, ReplyAddress, Requester, Ticket

STEP: Final = "contact"
_SHOWS_EXTENSION = re.compile(r"\d\D*(?:转|轉|分机|分機)\D*\d")
_LONGEST_PHONE = 40  # characters; longer is not a phone number, and not worth parsing
_LONGEST_EMAIL = 254  # octets of a path without its brackets (RFC 5321 section 4.5.3.1.3)
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+")


def understand_contact(inbound: Inbound, draft: Ticket, *, region: str) -> Ticket:
    """Fill requester.phone, email and reply_to. `region`: where numbers without a country code are read."""
    given = draft.requester
    notes: list[Note] = []
    phone, dialled = _phone(given.phone, region, notes)
    email, written = _email(given.email, notes)
    wished = tuple(_dialled(address, region) for address in given.reply_to)
    requester = given.model_copy(update={"phone": phone, "email": email, "reply_to": wished})
    reply_to = _addresses(draft.channel, requester, email=written, phone=dialled)
    if not reply_to:
        notes.append(Note(step=STEP, code="no_reply_address", detail="no address to which an answer can be sent"))
    return draft.model_copy(
        update={
            "requester": requester.model_copy(update={"reply_to": reply_to}),
            "notes": (*draft.notes, *notes),
        }
    )


def e164(phone: str, region: str) -> str | None:
    """E.164 of `phone` as dialled in `region`; None when it is no valid number there or carries an extension
    (which E.164 cannot hold). National service numbers (400…) count as valid."""
    if len(phone) > _LONGEST_PHONE or _SHOWS_EXTENSION.search(phone):
        return None
    try:
        number = phonenumbers.parse(phone, region)
    except NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _dialled(address: ReplyAddress, region: str) -> ReplyAddress:
    """A telephone number in the same form as the requester's, so that one number is one address."""
    number = e164(address.address, region) if address.channel == "phone" else None
    return address.model_copy(update={"address": number}) if number else address


def _phone(given: str | None, region: str, notes: list[Note]) -> tuple[str | None, str | None]:
    """The phone for the ticket, and the one that can be dialled."""
    if not given:
        return None, None
    dialled = e164(given, region)
    if dialled is None:
        notes.append(Note(step=STEP, code="phone_not_understood", detail="kept as written: not one complete number"))
    return dialled or given, dialled


def _email(given: str | None, notes: list[Note]) -> tuple[str | None, str | None]:
    """The mail address for the ticket, and the one that can be written to. The local part keeps its case,
    which only the receiving host may interpret (RFC 5321 section 2.4)."""
    if not given:
        return None, None
    folded = unicodedata.normalize("NFKC", given[: _LONGEST_EMAIL + 1])  # people type ＠ and ． with a Chinese keyboard
    if len(folded) > _LONGEST_EMAIL or not _EMAIL.fullmatch(folded):
        notes.append(Note(step=STEP, code="email_not_understood", detail="kept as written: not one mail address"))
        return given, None
    local, _, domain = folded.partition("@")
    address = f"{local}@{domain.lower()}"
    return address, address


def _addresses(channel: str, requester: Requester, *, email: str | None, phone: str | None) -> tuple[ReplyAddress, ...]:
    """What the source asked for, then the way the request came, then mail, phone, accounts; each once."""
    found = []
    if email:
        found.append(ReplyAddress(channel="email", address=email))
    if phone:
        found.append(ReplyAddress(channel="phone", address=phone))
    # A channel that says itself where answers go knows better than the bare account.
    told = {address.channel for address in requester.reply_to}
    found += [
        ReplyAddress(channel=one.platform, address=one.id) for one in requester.handles if one.platform not in told
    ]
    found.sort(key=lambda address: address.channel != channel)
    every = [address for address in (*requester.reply_to, *found) if address.channel and address.address]
    return tuple({(address.channel, address.address): address for address in every}.values())
