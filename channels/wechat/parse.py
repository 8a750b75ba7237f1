"""What a citizen said in a message of WeChat.

Pure; raises Rejected only. An event is refused here: the callback answers it, and it is nobody's request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from channels.social.asking import asks_nothing
from channels.wechat.documents import Document, document_of
from channels.wechat.message import Message, message_of
from channels.wechat.words import is_unsupported, may_cry, words_in
from normalizer.errors import Rejected
from normalizer.identity import is_number
from normalizer.ticket import (
    Attachment,
    Decision,
    Disposition,
    Flag,
    Handle,
    Inbound,
    Note,
    Place,
    Raw,
    ReplyAddress,
    Requester,
    Speaker,
    Turn,
    Verification,
)

CHANNEL: Final = "wechat"
VERIFIED: Final = "verified"
"""The key of `Raw.meta` under which the callback says which signature it checked."""
_BUCKET: Final = timedelta(days=2)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# They begin with a date; a bank card or a resident id does not.
_NUMBER: Final = re.compile(
    r"(?<![0-9A-Za-z])20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{8,16}(?![0-9A-Za-z])"
)
_NUMBERS_MAX: Final = 3
_DEGREES: Final = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{1,15})?")
_BARE: Final = "nothing but a greeting, pictures or marks"
_MEDIA: Final = {"voice": "voice", "video": "film", "shortvideo": "film"}


@dataclass(slots=True)
class _Said:
    """What is being read out of a message."""

    text: str = ""
    place: Place | None = None
    attachments: tuple[Attachment, ...] = ()
    flags: tuple[Flag, ...] = ()
    disposition: Disposition | None = None
    notes: list[Note] = field(default_factory=list)

    def note(self, code: str, detail: str) -> None:
        self.notes.append(Note(step=CHANNEL, code=code, detail=detail))


def parse(raw: Raw, zone: ZoneInfo) -> Inbound:
    """The message in `raw.body`, or in an envelope around it. Raises Rejected."""
    return inbound_of(document_of(raw.body), raw, zone)


def inbound_of(document: Document, raw: Raw, zone: ZoneInfo) -> Inbound:
    """What was said. Raises Rejected: `event`, or what `message_of` raises."""
    message = message_of(document.fields)
    if message.is_event:
        raise Rejected("event", "An event of the platform is nobody's request.")
    said = _said(message, document)
    written_at = message.sent_at.astimezone(zone) if message.sent_at is not None else None
    if written_at is None:
        said.note("time_missing", "the message does not say when it was written")
    verified = raw.meta.get(VERIFIED)
    return Inbound(
        text=said.text,
        digest=message.digest,
        requester=Requester(
            handles=(Handle(platform=CHANNEL, id=message.sender),),
            reply_to=(ReplyAddress(channel=CHANNEL, address=message.sender),),
        ),
        place=said.place,
        conversation=(Turn(speaker=Speaker.CITIZEN, text=said.text, start=written_at),),
        attachments=said.attachments,
        # What asks nothing gathers nobody: a request that comes after it must open a ticket of its own.
        threads=_numbers(said.text) if said.disposition else (*_numbers(said.text), *_talk(message, raw)),
        senders=(f"{CHANNEL}:{message.sender}",),
        flags=said.flags,
        disposition=said.disposition,
        verified=(Verification(method=f"wechat_{verified}", result="pass"),) if verified else (),
        notes=tuple(said.notes),
    )


def _said(message: Message, document: Document) -> _Said:
    said = _Said()
    match message.kind:
        case "text":
            _text(message.field("Content"), said)
        case "image":
            _image(document, said)
        case "voice":
            _voice(message, said)
        case "video" | "shortvideo":
            _left(message, said)
        case "location":
            _location(message, said)
        case "link":
            said.text = _lines(message, "Title", "Description", "Url")
            said.note("link", "a page that was passed on: its words are not the citizen's own")
        case _:
            said.text = _lines(message, "Content", "Recognition", "Title", "Description", "Url", "Label")
            said.note("kind_unknown", "a kind of message that this version does not know")
    return said


def _text(content: str, said: _Said) -> None:
    if is_unsupported(content):
        said.note("unsupported", "WeChat did not pass on what was sent")
        return
    words = words_in(content)
    said.text = words or content
    if may_cry(content):
        return
    asking = asks_nothing(content, said=words if any(c.isalnum() for c in words) else "")
    if asking is None:
        return
    bare = asking.code.startswith("bare")
    said.flags = asking.flags
    said.disposition = Disposition(decision=Decision.NONE, reason=_BARE) if bare else asking.disposition
    said.notes.append(Note(step=CHANNEL, code="says_nothing", detail=_BARE) if bare else asking.note)


def _image(document: Document, said: _Said) -> None:
    said.attachments = document.envelope.attachments()
    said.notes += document.envelope.notes(CHANNEL, 1)


def _voice(message: Message, said: _Said) -> None:
    said.text = message.field("Recognition")
    if said.text:
        said.note("recognized", "WeChat wrote down the words of a voice message")
    else:
        said.note("not_recognized", "WeChat wrote down no words of this voice message")
    _left(message, said)


def _left(message: Message, said: _Said) -> None:
    """The recording stays with WeChat, which gives it out for three days."""
    media = message.field("MediaId")
    known = f", media id {media}" if re.fullmatch(r"[A-Za-z0-9_-]{1,200}", media) else ""
    said.note("media_not_fetched", f"1 {_MEDIA.get(message.kind, 'file')}{known}")


def _location(message: Message, said: _Said) -> None:
    label = message.field("Label")
    said.text = label
    lat, lon = _degrees(message.field("Location_X"), 90), _degrees(message.field("Location_Y"), 180)
    if lat is None or lon is None:
        said.note("position_unreadable", "the message names no position on earth")
        said.place = Place(text=label) if label else None
        return
    said.place = Place(text=label or None, lat=lat, lon=lon)
    said.note("datum", "WeChat's maps give GCJ-02: in China up to 700 m from WGS 84")


def _degrees(text: str, limit: int) -> float | None:
    if not _DEGREES.fullmatch(text):
        return None
    value = float(text)
    return value if abs(value) <= limit else None


def _lines(message: Message, *names: str) -> str:
    """The fields one below the other, each once."""
    found = (message.field(name) for name in names)
    return "\n".join(dict.fromkeys(text for text in found if text))


def _numbers(text: str) -> tuple[str, ...]:
    """The ticket numbers that the text names: whose they are is decided by the sender keys."""
    found = (match[0] for match in _NUMBER.finditer(text) if is_number(match[0]))
    return tuple(f"number:{number}" for number in islice(dict.fromkeys(found), _NUMBERS_MAX))


def _talk(message: Message, raw: Raw) -> tuple[str, ...]:
    """A conversation goes on while its messages are less than about two days apart: each belongs to the two days it
    was written in, and to the two before."""
    when = message.sent_at or raw.received_at
    bucket = (when - _EPOCH) // _BUCKET
    return tuple(f"{CHANNEL}:talk:{message.sender}:{one}" for one in (bucket, bucket - 1))
