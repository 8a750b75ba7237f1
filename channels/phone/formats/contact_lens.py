"""Amazon Contact Lens and Transcribe Call Analytics: `Transcript` after the call, `Segments` while it lasts.

May not take a category or a sentiment for something that was said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.losses import members_lost, notes
from channels.phone.formats.members import (
    Record,
    as_label,
    as_language,
    as_record,
    as_records,
    as_share,
    as_text,
    first,
    scaled,
)
from channels.phone.formats.words import Spoken, in_time, utterance
from normalizer.ticket import Speaker

NAME: Final = "contact_lens"
MS: Final = 1000
# The services' own words (API reference: ParticipantRole). A bot and a supervisor speak for the house, not the citizen.
ROLES: Final[Mapping[str, Speaker]] = {
    "AGENT": Speaker.AGENT,
    "CUSTOMER": Speaker.CITIZEN,
    "SUPERVISOR": Speaker.AGENT,
    "SYSTEM": Speaker.SYSTEM,
    "CUSTOM_BOT": Speaker.SYSTEM,
}
LOST: Final = {"Categories": "categories", "ConversationCharacteristics": "measurements"}
SAID_LOST: Final = {"Sentiment": "sentiments", "IssuesDetected": "issues", "Entities": "entities"}
FEED_LOST: Final = {"Utterance": "partial_results", "Categories": "categories", "PostContactSummary": "summaries"}


def recognise(document: object) -> bool:
    """A finished analysis, or segments of a running one: a Kinesis record or an answer of the real-time API."""
    top = as_record(document)
    transcript = top.get("Transcript")
    if isinstance(transcript, list):
        begun = any("Content" in entry for entry in as_records(transcript[:1]))
        return begun or (not transcript and ("Participants" in top or "ConversationCharacteristics" in top))
    segments = top.get("Segments")
    if not isinstance(segments, list):
        return "ContactId" in top and "EventType" in top
    return "ContactId" in top or any(_is_feed(entry) for entry in as_records(segments[:1]))


def _is_feed(segment: Record) -> bool:
    said = as_record(first(segment, "Transcript", "Utterance"))
    matched = as_record(segment.get("Categories"))
    return "ParticipantRole" in said or "ParticipantId" in said or "MatchedCategories" in matched


def read(document: object) -> Call:
    """What each participant said, with the role the service gives."""
    top = as_record(document)
    feed = as_records(top.get("Segments"))
    said = as_records(top.get("Transcript")) or [as_record(segment.get("Transcript")) for segment in feed]
    participants = as_records(top.get("Participants"))
    roles = {as_label(entry.get("ParticipantId")): _role(entry.get("ParticipantRole")) for entry in participants}
    contact = first(as_record(top.get("CustomerMetadata")), "ContactId") or top.get("ContactId")
    return Call(
        format=NAME,
        call_id=as_label(contact) or None,
        language=as_language(top.get("LanguageCode")),
        utterances=in_time(_utterance(entry, roles) for entry in said),
        lost=notes(_lost(top, said, feed)),
    )


def _role(value: object) -> Speaker | None:
    return ROLES.get(as_text(value).upper())


def _utterance(entry: Record, roles: Mapping[str, Speaker | None]) -> Utterance:
    named = as_label(entry.get("ParticipantId"))
    return utterance(
        _words(as_records(entry.get("Items"))),
        text=as_text(entry.get("Content")),
        speaker=named or as_label(entry.get("ParticipantRole")),
        role=_role(entry.get("ParticipantRole")) or roles.get(named) or _role(named),
        start=scaled(entry.get("BeginOffsetMillis"), MS),
        end=scaled(entry.get("EndOffsetMillis"), MS),
    )


def _words(items: Iterable[Record]) -> list[Spoken]:
    return [
        Spoken(
            text=as_text(item.get("Content")),
            start=scaled(item.get("BeginOffsetMillis"), MS),
            end=scaled(item.get("EndOffsetMillis"), MS),
            confidence=None if item.get("Type") == "punctuation" else as_share(item.get("Confidence")),
        )
        for item in items
    ]


def _lost(top: Record, said: Iterable[Record], feed: Iterable[Record]) -> dict[str, int]:
    counts = members_lost(top, LOST)
    for records, kinds in ((said, SAID_LOST), (feed, FEED_LOST)):
        for record in records:
            for kind, count in members_lost(record, kinds).items():
                counts[kind] = counts.get(kind, 0) + count
    return counts
