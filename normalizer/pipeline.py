"""From what the source said to what we conclude: the ordered list of normalizer steps.

Pure: no I/O, no clock, the same arguments give the same ticket; raises for no Inbound that its model accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from normalizer import identity, models
from normalizer.config import NormalizerConfig
from normalizer.places import gazetteer
from normalizer.steps.category import find_category
from normalizer.steps.cleaning import clean_line, clean_text
from normalizer.steps.contact import understand_contact
from normalizer.steps.flags import find_flags
from normalizer.steps.form import take_form
from normalizer.steps.kind import find_kind
from normalizer.steps.language import find_language
from normalizer.steps.masking import mask_people
from normalizer.steps.place import find_place
from normalizer.steps.title import give_title
from normalizer.steps.urgency import judge_urgency
from normalizer.steps.when import find_when
from normalizer.ticket import AttachmentRef, BlobRef, Disposition, Inbound, Raw, Source, Ticket, Verification

Step = Callable[[Inbound, Ticket], Ticket]

# Order matters: masking needs clean digits, and comes when it is known whom to call back; titles are cut after masking,
# a neutral title needs the language; a place is read before a title is made of the text, so that nothing is read twice.
STEPS: Final[tuple[tuple[str, Callable[[NormalizerConfig], Step]], ...]] = (
    ("text", lambda config: clean_text),
    ("contact", lambda config: partial(understand_contact, region=config.region)),
    ("masking", lambda config: partial(mask_people, kinds=frozenset(config.mask))),
    ("form", lambda config: take_form),
    ("place", lambda config: partial(find_place, scope=gazetteer.site(config.city) if config.city else "")),
    ("when", lambda config: partial(find_when, zone=ZoneInfo(config.timezone))),
    ("kind", lambda config: partial(find_kind, model=config.models.kind or models.shipped("kind"))),
    ("category", lambda config: partial(find_category, **_category(config))),
    ("language", lambda config: find_language),
    ("title", lambda config: give_title),
    ("urgency", lambda config: judge_urgency),
    ("flags", lambda config: find_flags),
)
DEFAULT: Final = NormalizerConfig()


def normalize(
    raw: Raw,
    inbound: Inbound,
    *,
    number: str,
    attachments: tuple[AttachmentRef, ...] = (),
    raw_ref: BlobRef | None = None,
    config: NormalizerConfig = DEFAULT,
) -> Ticket:
    """The ticket that the submission opens.

    Args:
        raw: the submission as it arrived; its channel and source id make the ticket id.
        inbound: what the channel's `parse` read in it.
        number: the number the spool gave (`identity.number`).
        attachments: references to the inbound attachments, stored as blobs by the caller.
        raw_ref: reference to the original bytes, when they are kept as a blob.

    Raises:
        pydantic.ValidationError: `number` or `raw.received_at` (no offset) is malformed: the caller's bug.
    """
    draft = Ticket(
        ticket_id=identity.ticket_id(raw.channel, raw.source_id),
        number=number,
        channel=raw.channel,
        source=_source(raw, inbound, raw_ref),
        received_at=raw.received_at,
        occurred_at=inbound.occurred_at,
        requester=inbound.requester,
        title="",
        text=inbound.text,
        conversation=inbound.conversation,
        place=inbound.place,
        flags=tuple(dict.fromkeys(inbound.flags)),
        disposition=_disposition(inbound),
        attachments=tuple(ref.model_copy(update={"name": clean_line(ref.name)}) for ref in attachments),
        notes=tuple(note.model_copy(update={"detail": clean_line(note.detail)}) for note in inbound.notes),
    )
    # Not validated here: the title is cut to its length by its own step, after masking.
    draft = draft.model_copy(update={"title": inbound.title or ""})
    for step in _bound(config):
        draft = step(inbound, draft)
    return draft


def warm(config: NormalizerConfig = DEFAULT) -> None:
    """Load what the first submission would wait for: models, the names of places. Expressions of rules are compiled by
    the first texts that ask for them, in a millisecond or few."""
    raw = Raw(channel="warm", source_id="", received_at=datetime.fromtimestamp(0, UTC), body=b"")
    said = Inbound(text="\u4e00", digest="")  # one Han character: the model of marks reads Chinese only
    normalize(raw, said, number=identity.number(raw.received_at.date(), 0, 0), config=config)


def _category(config: NormalizerConfig) -> dict[str, Any]:
    return {"model": config.models.category or models.shipped("category"), "taxonomy": config.taxonomy}


@lru_cache(maxsize=8)
def _bound(config: NormalizerConfig) -> tuple[Step, ...]:
    return tuple(bind(config) for name, bind in STEPS if name not in config.off)


def _source(raw: Raw, inbound: Inbound, raw_ref: BlobRef | None) -> Source:
    return Source(
        id=clean_line(raw.source_id),
        url=clean_line(inbound.source_url) if inbound.source_url else None,
        received_at=raw.received_at,
        verified=tuple(
            Verification(method=clean_line(check.method), result=clean_line(check.result)) for check in inbound.verified
        ),
        raw=raw_ref,
    )


def _disposition(inbound: Inbound) -> Disposition:
    given = inbound.disposition or Disposition()
    return given.model_copy(update={"reason": clean_line(given.reason)}) if given.reason else given
