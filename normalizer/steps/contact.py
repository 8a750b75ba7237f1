"""How the citizen can be reached: what the source gave, then what the text states; answers' addresses in order.

May not guess: what cannot be understood stays as written, with a note; nobody else's number is called back.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Final

from normalizer.personal.data import Datum, find
from normalizer.personal.names import signed_name, stated_name
from normalizer.personal.phones import e164
from normalizer.personal.whose import ASKED, ONLY, Judgement, whose
from normalizer.simplified import simplified
from normalizer.ticket import Inbound, Note, ReplyAddress, Requester, Ticket

STEP: Final = "contact"
_LONGEST_EMAIL = 254  # octets of a path without its brackets (RFC 5321 section 4.5.3.1.3)
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_UNSURE: Final = (ASKED, ONLY)  # the writer's own only where the source gave no number
_MOST: Final = 20  # numbers of one text that are judged


@dataclass(frozen=True, slots=True)
class _Found:
    """A number or address of the text that is the writer's own."""

    datum: Datum
    judged: Judgement


def understand_contact(inbound: Inbound, draft: Ticket, *, region: str) -> Ticket:
    """Fill requester.name, phone, email and reply_to. `region`: where numbers without a country code are read."""
    given = draft.requester
    notes: list[Note] = []
    stated = _stated(draft.text, notes, has_phone=bool(given.phone))
    phone, dialled = _phone(given.phone, region, notes)
    phones = _callbacks(dialled, [one for one in stated if one.datum.kind == "phone"], notes)
    email, written = _email(given.email, notes)
    if not given.email:
        email = written = _stated_email(stated, notes)
    requester = given.model_copy(
        update={
            "name": given.name or _name(draft, stated, notes),
            "phone": phone or _stated_phone(draft.text, stated),
            "email": email,
            "reply_to": tuple(_dialled(address, region) for address in given.reply_to),
        }
    )
    reply_to = _addresses(draft.channel, requester, email=written, phones=phones)
    if not reply_to:
        notes.append(Note(step=STEP, code="no_reply_address", detail="no address to which an answer can be sent"))
    return draft.model_copy(
        update={
            "requester": requester.model_copy(update={"reply_to": reply_to}),
            "notes": (*draft.notes, *notes),
        }
    )


def _stated(text: str, notes: list[Note], *, has_phone: bool) -> list[_Found]:
    """The numbers and addresses of the text that are the writer's own; the others are noted."""
    found = [one for one in find(text) if one.kind in ("phone", "email")][:_MOST]
    if not found:
        return []
    judged = [_Found(one, judged) for one, judged in zip(found, whose(simplified(text), found), strict=True)]
    if has_phone:
        judged = [
            replace(one, judged=Judgement("unclear", one.judged.why)) if one.judged.why in _UNSURE else one
            for one in judged
        ]
    for owner in ("other", "office", "unclear"):
        why = [one.judged.why for one in judged if one.judged.owner == owner and one.datum.kind == "phone"]
        if why:
            detail = f"not to call back: {len(why)} ({', '.join(dict.fromkeys(why))})"
            notes.append(Note(step=STEP, code=f"number_{owner}", detail=detail))
    return [one for one in judged if one.judged.owner == "own"]


def _callbacks(given: str | None, stated: list[_Found], notes: list[Note]) -> tuple[str, ...]:
    """The numbers to call back, the best first: one that the text asks for, the given one, others of the writer's."""
    wished = [one for one in stated if one.judged.wished and one.datum.value]
    ordered = sorted((one for one in stated if one.datum.value), key=lambda one: not one.judged.wished)
    for one in ordered[:1]:
        if one.datum.value != given:
            detail = f"a number to call back is in the text ({one.judged.why})"
            notes.append(Note(step=STEP, code="phone_from_text", detail=detail))
    first = [one.datum.value for one in wished]
    numbers = [*first, given, *(one.datum.value for one in ordered)]
    return tuple(dict.fromkeys(number for number in numbers if number))


def _stated_phone(text: str, stated: list[_Found]) -> str | None:
    """The number of the text for a requester who gave none: one that it asks for, else one that can be dialled; one
    that needs an extension as it is written."""
    phones = [one for one in stated if one.datum.kind == "phone"]
    best = min(phones, key=lambda one: (not one.judged.wished, one.datum.value is None), default=None)
    return best.datum.value or text[best.datum.start : best.datum.end] if best else None


def _stated_email(stated: list[_Found], notes: list[Note]) -> str | None:
    """Mail is sent by machine: only an address that the words call the writer's, not one that merely stands there."""
    for one in stated:
        if one.datum.kind == "email" and one.judged.why != "stands alone":
            notes.append(Note(step=STEP, code="email_from_text", detail=f"an address of the text ({one.judged.why})"))
            return one.datum.value
    return None


def _name(draft: Ticket, stated: list[_Found], notes: list[Note]) -> str | None:
    """The name that the text states; none of a writer who wants to stay unnamed."""
    if draft.requester.anonymous:
        return None
    found = stated_name(draft.text)
    if found is None:
        signed = (signed_name(draft.text, one.datum.start) for one in stated if one.datum.kind == "phone")
        name = next((one for one in signed if one), None)
        found = (name, "name_signed") if name else None
    if found is None:
        return None
    notes.append(Note(step=STEP, code=found[1], detail="the text states the writer's name"))
    return found[0]


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


def _addresses(
    channel: str, requester: Requester, *, email: str | None, phones: tuple[str, ...]
) -> tuple[ReplyAddress, ...]:
    """What the source asked for, then the way the request came, then mail, phones, accounts; each once."""
    found = []
    if email:
        found.append(ReplyAddress(channel="email", address=email))
    found += [ReplyAddress(channel="phone", address=phone) for phone in phones]
    # A channel that says itself where answers go knows better than the bare account.
    told = {address.channel for address in requester.reply_to}
    found += [
        ReplyAddress(channel=one.platform, address=one.id) for one in requester.handles if one.platform not in told
    ]
    found.sort(key=lambda address: address.channel != channel)
    every = [address for address in (*requester.reply_to, *found) if address.channel and address.address]
    return tuple({(address.channel, address.address): address for address in every}.values())
