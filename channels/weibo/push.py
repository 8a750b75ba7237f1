"""A message that Weibo pushed to us (粉丝服务平台) into what the citizen said.

Pure; raises Rejected only. May not check a signature: that is done where it arrives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from channels.social.asking import Asking, asks_nothing
from channels.social.envelope import Envelope
from channels.weibo.documents import CHANNEL, identity_of, push_digest
from channels.weibo.moment import moment_of, talk_keys
from channels.weibo.post import Account
from channels.weibo.spot import position_of
from channels.weibo.words import Written, read_words
from normalizer.errors import Fault, Rejected
from normalizer.identity import is_number
from normalizer.ticket import Handle, Inbound, Note, Place, ReplyAddress, Requester, Speaker, Turn, Verification

KINDS: Final = frozenset({"text", "position", "image", "voice", "mention"})
_FILES: Final = {"image": "picture_not_fetched", "voice": "voice_not_fetched"}
_NUMBER: Final = re.compile(r"(?<!\d)\d{16,24}(?!\d)")
_NUMBERS_MAX: Final = 3


def is_push(item: Mapping[str, Any]) -> bool:
    """Whether it is an object of the message service."""
    return isinstance(item.get("type"), str) and "sender_id" in item and "receiver_id" in item


def push_inbound(message: Mapping[str, Any], envelope: Envelope, ours: Account, *, signed: bool) -> Inbound:
    """What was said in private, or in public when it is a mention. `signed`: its signature passed on arrival.

    Raises:
        Rejected: `event`, `own_post`, `unknown_push`, or `bad_post` with its faults.
    """
    kind = message["type"]
    sender, text = _checked(message, kind)
    if ours.is_ours(sender):
        raise Rejected("own_post", "Our own account wrote this.")
    words = read_words(text, ours.names)
    at = moment_of(message.get("created_at"))
    data = message.get("data")
    given = data if isinstance(data, dict) else {}
    missing = int(kind in _FILES and not envelope.files)
    asking = _asking(words, kind)
    return Inbound(
        text=words.own,
        digest=push_digest(message),
        requester=_requester(sender, kind, given),
        place=_place(kind, given),
        conversation=(
            Turn(speaker=Speaker.CITIZEN, text=words.own, start=at),
            *(Turn(speaker=Speaker.UNKNOWN, text=one) for one in words.passed_on),
        ),
        attachments=envelope.attachments(),
        threads=() if asking else _threads(sender, kind, given, text, at),
        known_as=talk_keys(sender, at) if at and kind == "mention" and not asking else (),
        senders=(f"{CHANNEL}:{sender}",),
        flags=asking.flags if asking else (),
        disposition=asking.disposition if asking else None,
        verified=(Verification(method="signature", result="pass"),) if signed else (),
        notes=(*_when(at), *_lost(kind, missing), *((asking.note,) if asking else ())),
    )


def _checked(message: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Who sent it, and its text."""
    if kind == "event":
        raise Rejected("event", "An event (followed, scanned, clicked) is no message.")
    if kind not in KINDS:
        raise Rejected("unknown_push", "The message service of Weibo knows no such kind of message.")
    sender, text = identity_of({"id": message.get("sender_id")}), message.get("text")
    faults = []
    if sender is None:
        faults.append(Fault("/sender_id", "no_id", "A message has a sender of digits."))
    if not isinstance(text, str):
        faults.append(Fault("/text", "no_text", "A message has a text."))
    if sender is None or not isinstance(text, str):
        raise Rejected("bad_post", "This is no whole message of Weibo.", faults)
    return sender, text


def _asking(words: Written, kind: str) -> Asking | None:
    """Who writes in private wants something, if only to go on talking; a mention is as public as a post."""
    return asks_nothing(words.marked, said=words.said) if kind == "mention" else None


def _mentioned(kind: str, data: Mapping[str, Any]) -> tuple[str, str] | None:
    """("status" or "comment", its id) of a mention that says so."""
    where, key = data.get("subtype"), identity_of({"id": data.get("key")})
    if kind != "mention" or key is None or not isinstance(where, str) or where.lower() not in ("status", "comment"):
        return None
    return where.lower(), key


def _requester(sender: str, kind: str, data: Mapping[str, Any]) -> Requester:
    """Below a comment nobody can answer who does not know its post."""
    private = ReplyAddress(channel=CHANNEL, address=f"message:{sender}")
    mentioned = _mentioned(kind, data)
    public = (
        (ReplyAddress(channel=CHANNEL, address=f"comment:{mentioned[1]}"),)
        if mentioned and mentioned[0] == "status"
        else ()
    )
    handle = Handle(platform=CHANNEL, id=sender)
    receipt_to = (*public, private)[0] if kind == "mention" else None  # a message had its own within the callback
    return Requester(handles=(handle,), reply_to=(private, *public), receipt_to=receipt_to)


def _threads(sender: str, kind: str, data: Mapping[str, Any], text: str, at: datetime | None) -> tuple[str, ...]:
    mentioned = _mentioned(kind, data)
    numbers = [found for found in _NUMBER.findall(text) if is_number(found)] if kind != "mention" else []
    below = (f"{CHANNEL}:post:{mentioned[1]}:{sender}",) if mentioned and mentioned[0] == "status" else ()
    return (
        *(f"number:{number}" for number in dict.fromkeys(numbers[:_NUMBERS_MAX])),
        *below,
        *(talk_keys(sender, at) if at and kind != "mention" else ()),
    )


def _place(kind: str, data: Mapping[str, Any]) -> Place | None:
    return position_of(data) if kind == "position" else None


def _when(at: datetime | None) -> tuple[Note, ...]:
    if at is None:
        return (Note(step=CHANNEL, code="time_unreadable", detail="when it was sent cannot be read"),)
    return (Note(step=CHANNEL, code="posted_at", detail=at.isoformat()),)


def _lost(kind: str, missing: int) -> tuple[Note, ...]:
    if not missing:
        return ()
    return (Note(step=CHANNEL, code=_FILES[kind], detail=f"files that are not attached: {missing}"),)
