"""Reports about mail we sent: whom it did not reach, why, and which message it was (RFC 3464, 6533, 3463).

Pure. Mail systems that write prose instead of a report are read as far as they name an address.
"""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Annotated, Final

from pydantic import Field

from channels.email.rules import Data, Words, load

_PROSE: Final = 64_000  # characters of the readable part that are looked at
_PARTS: Final = 60
_RECIPIENTS: Final = 50
_VALUE: Final = 2_000
_SAID: Final = 3_000  # characters after an address that may tell why


class _Reason(Data):
    """Ways to tell why in words, and the RFC 3463 status that they amount to."""

    status: Annotated[str, Field(pattern=r"^[45]\.\d{1,3}\.\d{1,3}$")]
    any: Annotated[tuple[str, ...], Field(min_length=1)]


class _Book(Data):
    before_recipient: Words
    delayed: Words
    copy_begins: Annotated[Words, Field(alias="copy")]
    reason: tuple[_Reason, ...]


_BOOK: Final = load("dsn", _Book)
_DELAYED: Final = _BOOK.delayed.compiled()
_COPY: Final = _BOOK.copy_begins.compiled(before=r"(?:^|\n)[ \t]*")
_REASONS: Final = tuple((reason.status, re.compile("|".join(reason.any), re.IGNORECASE)) for reason in _BOOK.reason)
# Possessive: an address that is followed by the wrong thing must not be believed cut short.
_ADDRESS: Final = r"[^\s<>()\[\]:;,@\"'：；，。“”]{1,64}@[A-Za-z0-9_-]{1,63}+(?:\.[A-Za-z0-9_-]{1,63}+){0,9}+"
_MAILBOX: Final = re.compile(_ADDRESS)
_RECIPIENT: Final = re.compile(r"[^\s<>,@]{1,256}@[^\s<>,@]{1,253}")  # in its own field, also in UTF-8 (RFC 6533)
_LINE: Final = re.compile(rf"^[ \t*>]*<?({_ADDRESS})>?[ \t]*(?:$|[:;,(.]|\s-|\s[45]\d\d)", re.MULTILINE)
_NAMED: Final = _BOOK.before_recipient.compiled(
    before=r"(?<![\w@.-])", after=rf"(?:[ \t:：]{{0,6}}[<\"“'(\[]|[ \t:：]{{1,6}}|(?<=[^\x00-\x7f]))({_ADDRESS})"
)
_BRACKETED: Final = re.compile(rf"<({_ADDRESS})>")
_ANY: Final = re.compile(rf"({_ADDRESS})")
_TAG: Final = re.compile(rf"<(?!{_ADDRESS}>)/?[A-Za-z][^<>\n]{{0,500}}>")
_FIELD: Final = re.compile(r"([A-Za-z][\w-]{1,60})[ \t]*:[ \t]?(.*)")
_ENHANCED: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_ENHANCED_ERROR: Final = re.compile(r"(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_BASIC: Final = re.compile(r"(?<![\w.-])([45][0-5]\d)(?=[ \t-][^\d\s]|[ \t-][45]\.\d|[ \t][45]\d\d[ \t-])")
_MESSAGE_ID: Final = re.compile(r"^[ \t>]*Message-ID:\s{0,80}(<[^<>\s]{3,250}>)", re.IGNORECASE | re.MULTILINE)
_ORIGINALS: Final = frozenset(
    ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers")
)
_REPORTS: Final = frozenset(("message/delivery-status", "message/global-delivery-status", "text/delivery-status"))
_WORD: Final = re.compile(r"[a-z]*")
_BODY: Final = re.compile(rb"\r?\n\r?\n")
_ACTIONS: Final = frozenset(("failed", "delayed", "delivered", "relayed", "expanded"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the message for one recipient. `action` is RFC 3464's word; only `failed` ends a delivery.

    `status`: RFC 3463's class.subject.detail, None when nothing says it; 5.x.x is for good, 4.x.x for now.
    """

    recipient: str
    action: str
    status: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report. `message_id`: the message it is about, with its brackets."""

    outcomes: tuple[Outcome, ...]
    message_id: str | None

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The recipients that the message will not reach."""
        return tuple(outcome for outcome in self.outcomes if outcome.action == "failed")


def read_report(content: bytes) -> Report | None:
    """Read a bounce; None when it names neither a recipient nor the message it is about."""
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    try:
        message = email.message_from_bytes(content)
        parts = [part for part, _ in zip(message.walk(), range(_PARTS), strict=False)]
    except RecursionError:
        return None
    original = _original(parts)
    prose = _prose(parts)
    body = _after_headers(content)
    outcomes = _from_reports(parts, body) or _from_prose(message, prose, original)
    message_id = _id_in(original) or _id_in(prose) or _id_in(body)
    return Report(outcomes, message_id) if outcomes or message_id else None


def _original(parts: list[Message]) -> str:
    """The header of the message that was sent, when the report carries it."""
    for part in parts[1:]:
        if part.get_content_type() in _ORIGINALS:
            text = _content(part)
            if text.strip():
                return text[:_PROSE]
    return ""


def _content(part: Message) -> str:
    """A part's content as text, whatever its type; broken bytes are replaced."""
    if part.is_multipart():
        written = "\n".join(_written(child) for child in part.get_payload() if isinstance(child, Message))
        return _decoded(written.encode("utf-8", "surrogateescape"), None)
    payload = part.get_payload(decode=True)
    return _decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset())


def _written(part: Message) -> str:
    """Header and content of an inner message, without asking the generator, which breaks on odd headers."""
    header = "\n".join(f"{name}: {value}" for name, value in part.raw_items())
    payload = part.get_payload(decode=True)
    body = payload.decode("utf-8", "surrogateescape") if isinstance(payload, bytes) else ""
    return f"{header}\n\n{body}\n"


def _decoded(payload: bytes, charset: str | None) -> str:
    """Chinese providers write GB 18030 under any label; addresses and codes are ASCII in all of them."""
    for name in ("utf-8", "gb18030", charset or "latin-1"):
        try:
            return payload.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return payload.decode("latin-1")


def _prose(parts: list[Message]) -> str:
    """What is written for people."""
    texts = (
        _content(part)[:_PROSE]
        for part in parts
        if part.get_content_maintype() == "text" and part.get_content_type() not in _REPORTS | _ORIGINALS
    )
    whole = next((text for text in texts if text.strip()), "").replace("\r\n", "\n").replace("\r", "\n")
    return _TAG.sub(" ", whole) if "</" in whole else whole


def _from_reports(parts: list[Message], body: str) -> tuple[Outcome, ...]:
    """The recipients' groups of the report; from the bare body when its boundaries are broken."""
    texts = [_content(part) for part in parts if part.get_content_type() in _REPORTS] or [body]
    found = (_outcome(block) for text in texts for block in _blocks(text))
    return tuple(dict.fromkeys(outcome for outcome in found if outcome))[:_RECIPIENTS]


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """The groups of fields of a delivery-status part, names in lower case, folded lines joined."""
    block: dict[str, str] = {}
    name = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line.strip():
            if block:
                yield block
            block, name = {}, ""
        elif line[0] in " \t" and name:
            block[name] = f"{block[name]} {line.strip()}"[:_VALUE]
        elif field := _FIELD.match(line):
            name = field[1].lower()
            block[name] = field[2].strip()[:_VALUE]
    if block:
        yield block


def _outcome(block: dict[str, str]) -> Outcome | None:
    """One recipient's group. The address we wrote to is the original one, when the report knows it."""
    recipient = ""
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        if found := _RECIPIENT.search(block.get(name, "").rpartition(";")[2]):
            recipient = found[0]
            break
    if not recipient:
        return None
    action = (_WORD.match(block.get("action", "").lower()) or [""])[0]
    status = _status(block)
    if action not in _ACTIONS:
        action = "delayed" if status and status[0] == "4" else "failed"
    return Outcome(recipient, action, status)


def _status(block: dict[str, str]) -> str | None:
    """The status, from the diagnostic when that says more than "x.0.0" (RFC 3463, section 3.1)."""
    found = _ENHANCED.search(block.get("status", ""))
    given = found[1] if found else None
    if given and not given.endswith(".0.0"):
        return given
    diagnostic = block.get("diagnostic-code", "")
    closer = _code_in(diagnostic)
    if (closer is None or closer.endswith(".0.0")) and (worded := _worded(diagnostic)):
        closer = worded
    return closer if closer and (given is None or closer[0] == given[0]) else given


def _code_in(text: str) -> str | None:
    """The enhanced status, else the reply code of SMTP as its class."""
    if found := _ENHANCED_ERROR.search(text):
        return found[1]
    found = _BASIC.search(text)
    return f"{found[1][0]}.0.0" if found else None


def _worded(text: str) -> str | None:
    return next((status for status, words in _REASONS if words.search(text)), None)


def _from_prose(message: Message, prose: str, original: str) -> tuple[Outcome, ...]:
    """Without a report: the recipients the header names, else those the prose does, else the original's."""
    begins = _COPY.search(prose)
    said = prose[: begins.start()] if begins else prose
    after = prose[begins.start() :] if begins else ""
    action = "delayed" if _DELAYED.search(said) else "failed"
    status = _code_in(said) or _worded(said)
    header = " ".join(str(value) for value in message.get_all("X-Failed-Recipients", []))
    named = _MAILBOX.findall(header[:_VALUE])
    if not named and (lines := _lines(said)):
        return tuple(
            Outcome(recipient, action, _code_in(why) or _worded(why) or status) for recipient, why in lines.items()
        )
    named = named or _first_of(said) or _recipient_of(original) or _recipient_of(after)
    return tuple(Outcome(recipient, action, status) for recipient in dict.fromkeys(named[:_RECIPIENTS]))


def _lines(said: str) -> dict[str, str]:
    """The addresses that begin a line, each with what is said after it (qmail, exim, sendmail)."""
    found = [match for match in _LINE.finditer(said) if not _is_system(match[1])][:_RECIPIENTS]
    ends = [*(match.start() for match in found[1:]), len(said)][: len(found)]
    result: dict[str, str] = {}
    for match, end in zip(found, ends, strict=True):
        result.setdefault(match[1], said[match.end() : min(end, match.end() + _SAID)])
    return result


def _first_of(said: str) -> list[str]:
    for pattern in (_NAMED, _BRACKETED, _ANY):
        for match in pattern.finditer(said):
            if not _is_system(match[1]):
                return [match[1]]
    return []


def _is_system(address: str) -> bool:
    return address.lower().startswith(("postmaster@", "mailer-daemon@", "support@", "help@", "abuse@"))


def _recipient_of(original: str) -> list[str]:
    for block in _blocks(original):
        if found := _MAILBOX.search(block.get("to", "")):
            return [found[0]]
    return []


def _id_in(text: str) -> str | None:
    found = _MESSAGE_ID.search(text)
    return found[1] if found else None


def _after_headers(content: bytes) -> str:
    start = _BODY.search(content)
    return content[start.end() : start.end() + 4 * _PROSE].decode("latin-1") if start else ""
