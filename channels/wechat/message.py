"""A message of WeChat as its fields say it: who, when, what kind, which words. Pure; may not conclude anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from normalizer.errors import Fault, Rejected
from normalizer.identity import content_digest

_NAME: Final = re.compile(r"[!-~]{1,128}")
_SECONDS: Final = re.compile(r"[0-9]{1,11}")
_ID: Final = re.compile(r"[0-9]{1,20}")
_EVENTS: Final = frozenset({"event", "device_event"})
# What makes a message of each kind; the rest is transport, or left over in a server's mind.
_CONTENT: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("Content",),
    "image": ("MediaId", "PicUrl"),
    "voice": ("MediaId", "Recognition"),
    "video": ("MediaId",),
    "shortvideo": ("MediaId",),
    "location": ("Location_X", "Location_Y", "Label"),
    "link": ("Title", "Description", "Url"),
}
_OTHER: Final = ("Content", "Recognition", "Title", "Description", "Url", "Label", "MediaId", "PicUrl", "Event")


@dataclass(frozen=True)
class Message:
    """One message or event. `kind`: MsgType in lower case."""

    kind: str
    sender: str
    account: str
    sent_at: datetime | None
    id: str | None
    fields: Mapping[str, str]

    @property
    def is_event(self) -> bool:
        return self.kind in _EVENTS

    @property
    def event(self) -> str:
        """The event's name in lower case; its case differs between events."""
        return self.field("Event").lower()

    @property
    def source_id(self) -> str:
        """The same for every try to deliver it. Events have no id: who, when and what stand for it."""
        return f"msg:{self.id}" if self.id is not None else f"msg:{self.digest[:32]}"

    @cached_property
    def digest(self) -> str:
        """Of what was said, and of who said it when."""
        names = ("FromUserName", "CreateTime", "MsgType", *_CONTENT.get(self.kind, _OTHER))
        return content_digest(*(f"{name}={self.fields.get(name, '')}".encode() for name in names))

    def field(self, name: str) -> str:
        """The text of a field without blanks around it; empty when it is not there."""
        return self.fields.get(name, "").strip()


def message_of(fields: Mapping[str, str]) -> Message:
    """The message that the fields are.

    Raises:
        Rejected: `encrypted` (only its sealed form is here), `not_a_message`, `sender_missing`.
    """
    kind = fields.get("MsgType", "").strip().lower()
    if not kind:
        if fields.get("Encrypt"):
            raise Rejected("encrypted", "The message is encrypted, and its key is not here.")
        raise Rejected("not_a_message", "It has no MsgType.", [Fault("/MsgType", "missing", "The field is required.")])
    sender = fields.get("FromUserName", "").strip()
    if not _NAME.fullmatch(sender):
        fault = Fault("/FromUserName", "missing", "The field is required.")
        raise Rejected("sender_missing", "Nobody is named who sent it.", [fault])
    id_ = (fields.get("MsgId") or fields.get("MsgID") or "").strip()
    return Message(
        kind=kind,
        sender=sender,
        account=fields.get("ToUserName", "").strip(),
        sent_at=_moment(fields.get("CreateTime", "").strip()),
        id=id_ if _ID.fullmatch(id_) else None,
        fields=fields,
    )


def _moment(seconds: str) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if _SECONDS.fullmatch(seconds) else None
