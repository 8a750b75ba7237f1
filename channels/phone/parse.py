"""A transcript's bytes into what the citizen said: read by its format, checked, understood as talk.

Pure: the same Raw gives the same Inbound. Raises Rejected only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from channels.phone.call import Call, Utterance
from channels.phone.document import refused
from channels.phone.formats import read
from channels.phone.formats.call import NAME as SEAT
from channels.phone.inbound import inbound_of
from normalizer.identity import content_digest
from normalizer.ticket import Inbound, Note, Raw

if TYPE_CHECKING:
    from channels.phone.formats.vcon_signed import Keys

CHANNEL: Final = "phone"
ZERO: Final = timedelta(0)
A_DAY: Final = timedelta(days=1)
DAY: Final = A_DAY.total_seconds()


@dataclass(frozen=True, slots=True)
class Site:
    """What reading needs to know of the place: keys that may have signed a vCon, where a clock without a zone
    stands, and the confidence below which a word is doubtful."""

    keys: Keys
    zone: ZoneInfo
    doubtful_below: float


@dataclass(frozen=True, slots=True)
class Understood:
    """A transcript as a call, and what the citizen said in it."""

    call: Call
    inbound: Inbound

    def raw(self, body: bytes, named: str | None, otherwise: str, received_at: datetime) -> Raw:
        """The submission. Its id is the call's id with the content, so that another recognition of the same call is
        another submission that grows the ticket; `otherwise` names a call that has no id of its own."""
        call_id = self.call.call_id
        meta = {"digest": self.inbound.digest} | ({"format": named} if named else {})
        source_id = f"call:{call_id}:{self.inbound.digest}" if call_id else f"transcript:{otherwise}"
        return Raw(channel=CHANNEL, source_id=source_id, received_at=received_at, body=body, meta=meta)


def understand(body: bytes, named: str | None, site: Site) -> Understood:
    """Read, check and understand a transcript; `named`: its format, when the sender says so.

    Raises:
        Rejected: the bytes are no transcript that we know, are damaged, or hold neither speech nor anything else that
            a person wrote down or the telephone system reported.
    """
    call = _plausible(read(body, named=named, keys=site.keys, zone=site.zone))
    if not _says_something(call):
        raise refused("no_speech", "Nobody says anything in this transcript.")
    threads = threads_of(call)
    inbound = inbound_of(
        call,
        digest=digest_of(call),
        threads=threads,
        senders=threads,
        zone=site.zone,
        doubtful_below=site.doubtful_below,
    )
    return Understood(call, inbound)


def parse(raw: Raw, site: Site) -> Inbound:
    """What was said in the call; raises as `understand`. `raw.meta["format"]` is the format the sender named."""
    return understand(raw.body, raw.meta.get("format"), site).inbound


def digest_of(call: Call) -> str:
    """Of what was said and written, not of how the file was laid out."""
    facts = (call.call_id, call.started_at, call.ended_at, call.caller, call.called, call.outcome, call.form)
    said = ((one.speaker, one.role, one.text, one.start, one.end) for one in call.utterances)
    return content_digest(*(repr(part).encode() for part in chain(facts, said)))


def threads_of(call: Call) -> tuple[str, ...]:
    """Transcripts of one call belong together: whoever may submit calls vouches for the call's id."""
    return (f"phone:call:{call.call_id}",) if call.call_id else ()


def _says_something(call: Call) -> bool:
    form = call.form
    return bool(
        call.format == SEAT  # a call that the seat's software reports is a call, silent or not
        or call.outcome not in (None, "answered")
        or any(one.text.strip() for one in call.utterances)
        or form.text
        or form.title
        or form.answer
    )


def _plausible(call: Call) -> Call:
    """Times that cannot be (negative, beyond a day, running backwards) are dropped with a note: they are the machine's
    mistake, the words are the citizen's."""
    strange = [_strange(one) for one in call.utterances]
    backwards = call.started_at and call.ended_at and not ZERO <= call.ended_at - call.started_at <= A_DAY
    if not (any(strange) or backwards):
        return call
    kept = tuple(
        replace(one, start=None, end=None) if odd else one for one, odd in zip(call.utterances, strange, strict=True)
    )
    what = f"Dropped: times of {sum(strange)} of {len(strange)} utterances"
    note = Note(
        step=CHANNEL,
        code="times_implausible",
        detail=f"{what}{' and the end of the call' if backwards else ''}; they cannot be.",
    )
    return replace(call, utterances=kept, ended_at=None if backwards else call.ended_at, lost=(*call.lost, note))


def _strange(one: Utterance) -> bool:
    times = [time for time in (one.start, one.end) if time is not None]
    inside = all(0 <= time <= DAY for time in times)  # false for NaN too
    return not inside or (len(times) == 2 and times[1] < times[0])
