"""What a vCon holds and a Call does not: contents elsewhere, files, other analyses, transfers, the subject.

May not fetch anything, and may not repeat more of a content than its name and its hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Final

from channels.phone.formats.losses import STEP
from channels.phone.formats.members import without_query
from channels.phone.formats.vcon_model import Content, Vcon
from normalizer.ticket import Note

NAMED_MAX: Final = 20
"""How many things one note names."""

# Kinds of analysis that hold what was said, the best first. "diarized" is a transcript sorted by voices afterwards.
TRANSCRIPTS: Final = ("transcript", "transcription", "wtf_transcription", "diarized", "transcript-redacted")
PLAIN: Final = frozenset({"", "text/plain", "text/markdown"})
"""Media types of messages that can be read."""


def zoneless(vcon: Vcon, zone: tzinfo | None) -> Iterator[Note]:
    if any(one.start.utcoffset() is None for one in vcon.dialog):
        what = "they were read as local time" if zone else "they were dropped"
        yield Note(step=STEP, code="zone_missing", detail=f"Times of the vCon have no time zone; {what}.")


def of(vcon: Vcon) -> Iterator[Note]:
    """What has no place in a Call: what lies elsewhere, files, other analyses, transfers, the subject."""
    contents: list[tuple[str, Content]] = [
        *((f"/dialog/{index}", one) for index, one in enumerate(vcon.dialog)),
        *((f"/analysis/{index}", one) for index, one in enumerate(vcon.analysis)),
        *((f"/attachments/{index}", one) for index, one in enumerate(vcon.attachments)),
    ]
    yield from listed(
        "external_not_fetched",
        "Named and not fetched",
        [f"{pointer} {without_query(one.url)} {one.hash}".strip() for pointer, one in contents if one.url],
    )
    dialogs = [one for one in vcon.dialog if one.body is not None]
    yield from listed(
        "recording_not_kept",
        "Recordings carried inline and not kept",
        [_described(one) for one in dialogs if one.type != "text"],
    )
    yield from listed(
        "message_not_read",
        "Messages in a form that is not plain text",
        [_described(one) for one in dialogs if one.type == "text" and one.media_type not in PLAIN],
    )
    attachments = [(one, one.purpose or one.type or "") for one in vcon.attachments if one.body is not None]
    yield from listed(
        "attachment_not_kept",
        "Attachments carried inline and not kept",
        [" ".join(filter(None, (one.filename, purpose, one.media_type))) or "unnamed" for one, purpose in attachments],
    )
    kinds = Counter(one.type for one in vcon.analysis if one.type.lower() not in TRANSCRIPTS)
    yield from listed("analysis_not_read", "Analyses not read", [f"{kind} ({count})" for kind, count in kinds.items()])
    kinds = Counter(one.type for one in vcon.dialog if one.type not in {"recording", "text", "incomplete"})
    yield from listed("dialog_not_read", "Dialogs not read", [f"{kind} ({count})" for kind, count in kinds.items()])
    if vcon.subject:
        yield Note(step=STEP, code="subject_not_used", detail=vcon.subject)


def _described(content: Content) -> str:
    size = f"{len(content.body)} characters" if isinstance(content.body, str) else ""
    return " ".join(filter(None, (content.filename, content.media_type, size))) or "unnamed"


def listed(code: str, title: str, things: Sequence[str]) -> Iterator[Note]:
    if things:
        more = f"; and {len(things) - NAMED_MAX} more" if len(things) > NAMED_MAX else ""
        yield Note(step=STEP, code=code, detail=f"{title}: {'; '.join(things[:NAMED_MAX])}{more}")
