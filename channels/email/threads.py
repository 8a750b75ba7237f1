"""Which ticket a mail belongs to: signed reply addresses, signed Message-IDs, references, the tag in the subject.

Pure. A key only names a conversation; who may join it is decided by the sender keys, never here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b32encode
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from channels.email.recipient import canonical
from normalizer.identity import is_number

NUMBER_MAX: Final = 24
"""Digits of a ticket number at most."""
_CITIZEN: Final = "reply"
_MAC_LENGTH: Final = 16  # base32 characters = 80 bits
_OPERATION_LENGTH: Final = 13  # base32 characters that stand for the name of a sending
_LOCAL_MAX: Final = 64  # octets, RFC 5321 section 4.5.3.1.1
_REFERENCES_MAX: Final = 20  # ids looked at, the newest ones
_TAGS_MAX: Final = 3
_ID: Final = re.compile(r"<([^<>\s]{1,998})>")
_BARE_ID: Final = re.compile(r"[^<>\s@]{1,500}@[^<>\s@]{1,490}")
_TAG: Final = re.compile(r"[\[【［]\s?[#＃]\s?(\d{16,24})\s?[\]】］]")
_OURS: Final = re.compile(r"(\d{16,24})\.([a-z2-7]{13})\.([a-z2-7]{16})")
_REPLY: Final = re.compile(r"(\d{16,24})\.([a-z2-7]{16})")


def reply_address(mailbox: str, number: str, secret: bytes) -> str:
    """The address under which answers about a ticket come back: `hotline+<number>.<mac>@example.org`.

    The mac is base32 of HMAC-SHA-256 over number and mailbox, so an address is neither guessed nor carried over to
    another mailbox. All in lower case: local parts lose their case on the way.

    Raises:
        ValueError: `mailbox` is no address, or its local part leaves no room (64 octets in all).
    """
    return _signed(_CITIZEN, mailbox, number, secret)


def unit_address(mailbox: str, number: str, unit: str, secret: bytes) -> str:
    """The same for what a unit, whose mailbox is `unit`, answers to the mail that brought it a ticket. Its mac is of
    another purpose, and of that mailbox: in anybody else's mail it means nothing. Raises as `reply_address`."""
    return _signed(_of_unit(unit), mailbox, number, secret)


def _of_unit(unit: str) -> str:
    return f"unit\0{canonical(unit)}"


def _signed(purpose: str, mailbox: str, number: str, secret: bytes) -> str:
    local, at, domain = mailbox.strip().lower().rpartition("@")
    if not at or not local or not domain:
        raise ValueError("a mailbox is local@domain")
    signed = f"{local}+{number}.{_mac(purpose, number, f'{local}@{domain}', secret)}"
    if len(signed.encode()) > _LOCAL_MAX:
        raise ValueError(
            f"the local part of the mailbox is too long for a signed address ({len(signed)} > {_LOCAL_MAX})"
        )
    return f"{signed}@{domain}"


def number_in_address(address: str, mailboxes: Collection[str], secret: bytes) -> str | None:
    """The ticket number in a reply address that we signed for one of our mailboxes; None for any other address."""
    return _number(_CITIZEN, address, mailboxes, secret)


def number_in_unit_address(address: str, mailboxes: Collection[str], unit: str, secret: bytes) -> str | None:
    """The same for an address under which the unit whose mailbox is `unit` answers."""
    return _number(_of_unit(unit), address, mailboxes, secret)


def may_be_a_units(address: str, mailboxes: Collection[str], secret: bytes) -> bool:
    """Whether it has the form of a signed address and is no citizen's. It is proved by the unit's mailbox only."""
    return _token(address, mailboxes) is not None and number_in_address(address, mailboxes, secret) is None


def _number(purpose: str, address: str, mailboxes: Collection[str], secret: bytes) -> str | None:
    token = _token(address, mailboxes)
    if token is None:
        return None
    number, mac, mailbox = token
    return number if _same(mac, _mac(purpose, number, mailbox, secret)) else None


def _token(address: str, mailboxes: Collection[str]) -> tuple[str, str, str] | None:
    """Number, mac and mailbox of what may be an address that we signed for one of our mailboxes."""
    local, _, domain = address.strip().strip("<>").lower().rpartition("@")
    base, _, token = local.partition("+")
    found = _REPLY.fullmatch(token)
    mailbox = f"{base}@{domain}"
    if found is None or mailbox not in {own.strip().lower() for own in mailboxes}:
        return None
    return found[1], found[2], mailbox


def message_id(number: str, operation: str, domain: str, secret: bytes) -> str:
    """The Message-ID of what we send about a ticket: `<number.operation.mac@domain>`, the same for every try.

    `operation` names the sending for ever (contract: Reply.operation); the id carries a digest of it.
    """
    token = operation_token(operation)
    return f"<{number}.{token}.{_mac('message', f'{number}.{token}', domain.lower(), secret)}@{domain.lower()}>"


def reference_of(given: str) -> str:
    """What a message of ours is called in the books: its id without brackets, in one case."""
    return given.strip().strip("<>").lower()


def operation_token(operation: str) -> str:
    """What stands for the name of a sending in its Message-ID."""
    return _base32(hashlib.sha256(operation.encode("utf-8", "surrogatepass")).digest(), _OPERATION_LENGTH)


def sent_by_us(given: str, domains: Collection[str], secret: bytes) -> tuple[str, str] | None:
    """(ticket number, operation token) of a Message-ID that we made for one of our domains, else None.

    A bounce (dsn.Report.message_id) whose id passes here is about a message of ours; any other may be forged.
    """
    local, _, domain = given.strip().strip("<>").lower().rpartition("@")
    found = _OURS.fullmatch(local)
    if found is None or domain not in {own.lower() for own in domains}:
        return None
    expected = _mac("message", f"{found[1]}.{found[2]}", domain, secret)
    return (found[1], found[2]) if _same(found[3], expected) else None


def threads_of(
    *,
    recipients: Iterable[str],
    in_reply_to: Sequence[str],
    references: Sequence[str],
    subject: str,
    own_id: str | None,
    mailboxes: Collection[str],
    secret: bytes,
) -> tuple[str, ...]:
    """The keys of the conversations a mail may belong to, the surest first, each once.

    Signed reply addresses among its recipients (envelope and header), then the messages it answers (In-Reply-To, then
    References from the nearest back) - a message of ours gives its ticket's number - then tags `[#number]` in the
    subject, and last its own id, under which later mail finds it. `in_reply_to`, `references`: header values, or the
    ids in them with or without brackets.
    """
    domains = {mailbox.rpartition("@")[2] for mailbox in mailboxes}
    keys = [f"number:{number}" for address in recipients if (number := number_in_address(address, mailboxes, secret))]
    answered = [*_ids(in_reply_to), *reversed(_ids(references))][:_REFERENCES_MAX]
    for given in answered:
        ours = sent_by_us(given, domains, secret)
        keys.append(f"number:{ours[0]}" if ours else message_key(given))
    keys += [f"number:{number}" for number in _TAG.findall(subject[:2_000])[:_TAGS_MAX] if is_number(number)]
    if own_id:
        keys.append(message_key(own_id))
    return tuple(dict.fromkeys(keys))


def message_key(given: str) -> str:
    """The key of a message: `email:` + 32 hex digits of SHA-256 over its id without brackets. Ids hold addresses of
    people and may be very long; the key holds neither."""
    bare = given.strip().strip("<>")
    return f"email:{hashlib.sha256(bare.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def senders_of(from_address: str | None) -> tuple[str, ...]:
    """The sender keys of a mail: `email:<address in lower case>`, nothing when it has no usable sender."""
    address = (from_address or "").strip().strip("<>").lower()
    return (f"email:{address}",) if "@" in address.strip("@") and len(address.split()) == 1 else ()


def subject_tag(number: str) -> str:
    """What is put into the subject of mail about a ticket, for programs that drop every header."""
    return f"[#{number}]"


def _ids(values: Sequence[str]) -> list[str]:
    """Message ids, in order: in header values, read already, or without brackets, as some programs write them."""
    found: list[str] = []
    for value in values:
        alone = value.strip()
        if "<" not in alone and alone and not any(blank in alone for blank in " \t\r\n"):
            found.append(alone)
        else:
            found += _ID.findall(value) or _BARE_ID.findall(value)
    return found


def _mac(purpose: str, text: str, scope: str, secret: bytes) -> str:
    """One secret, one purpose each: an address's mac is worth nothing in a Message-ID."""
    signed = f"email {purpose}\0{text}\0{scope}".encode("utf-8", "surrogatepass")
    return _base32(hmac.digest(secret, signed, "sha256"), _MAC_LENGTH)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _base32(digest: bytes, length: int) -> str:
    return b32encode(digest).decode()[:length].lower()
