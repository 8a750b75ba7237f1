"""vCon, the IETF's container of conversations (draft-ietf-vcon-vcon-core), plain or signed, in all its versions.

May not fetch what a vCon only names, and may not believe one whose signature no configured key verifies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple

from channels.phone.call import Call, Direction, Outcome, SeatForm, Utterance
from channels.phone.formats import vcon_losses
from channels.phone.formats.members import as_record, as_text, without_query
from channels.phone.formats.vcon_model import Dialog, Vcon, indices, parse
from channels.phone.formats.vcon_parties import Cast, phone_of
from channels.phone.formats.vcon_sealed import is_encrypted, is_signed
from channels.phone.formats.vcon_transcript import Bodies, ReadDocument, Transcript, best_of, body_of, since
from normalizer.errors import Fault, Rejected
from normalizer.ticket import Note, Speaker, Verification

if TYPE_CHECKING:
    from channels.phone.formats.vcon_signed import Keys

NAME: Final = "vcon"
_LISTS: Final = frozenset({"parties", "dialog", "analysis"})
_DIRECTIONS: Final[Mapping[str, Direction]] = {
    "in": "in",
    "inbound": "in",
    "incoming": "in",
    "out": "out",
    "outbound": "out",
    "outgoing": "out",
}
_BY_CALLER: Final[Mapping[Speaker | None, Direction]] = {Speaker.CITIZEN: "in", Speaker.AGENT: "out"}
_CALLS: Final = frozenset({"recording", "incomplete"})
# vcon-core, Dialog Object: disposition; and what public writers put into `meta`.
_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "answered": "answered",
    "voicemail": "voicemail",
    "no-answer": "missed",
    "missed": "missed",
    "voicemail-no-message": "missed",
    "hung-up": "abandoned",
    "abandoned": "abandoned",
    "busy": "busy",
    "congestion": "failed",
    "failed": "failed",
}


def recognise(document: object) -> bool:
    """A vCon in plain, signed or encrypted form, whatever its faults."""
    record = as_record(document)
    plain = "vcon" in record or len(_LISTS & record.keys()) > 1 or ("uuid" in record and bool(_LISTS & record.keys()))
    return plain or is_signed(document) or is_encrypted(document)


def read(
    document: object, *, keys: Keys = (), read_document: ReadDocument = lambda _: None, zone: tzinfo | None = None
) -> Call:
    """The conversation that a vCon holds.

    Args:
        document: the JSON value.
        keys: public keys that may have signed it (`load_keys`).
        read_document: the other readers, for the transcript inside, whose form the vendor chose.
        zone: what times without a zone are in; without it they are dropped, with a note.

    Raises:
        Rejected: `vcon_invalid` (with a JSON pointer for each fault), `signature_unverified`, `encrypted`,
            `json_invalid` (in what was signed).
    """
    if is_encrypted(document):
        detail = "This vCon is encrypted, and none can be decrypted here; send it plain or signed."
        raise Rejected("encrypted", detail, [Fault("/ciphertext", "encrypted", detail)])
    if is_signed(document):
        # Here, not above: a site without signed vCons need not hold a cryptography library in every process.
        from channels.phone.formats.vcon_signed import verified_payload

        call = _call(parse(verified_payload(document, keys)), read_document, zone)
        return replace(call, verified=(Verification(method="jws", result="pass"),))
    return _call(parse(document), read_document, zone)


def _call(vcon: Vcon, read_document: ReadDocument, zone: tzinfo | None) -> Call:
    cast = Cast(vcon.parties)
    talk = _Talk(vcon, cast, Bodies(cast, read_document))
    begins, ends = _times(vcon, zone)
    agent, citizen = cast.first(Speaker.AGENT), cast.first(Speaker.CITIZEN)
    sides = _sides(vcon, cast)
    prior = vcon.amended or vcon.appended or vcon.redacted
    numbers = [phone_of(party) for party in vcon.parties]
    return Call(
        format=NAME,
        call_id=(prior.uuid if prior else None) or vcon.uuid,
        started_at=begins,
        ended_at=ends,
        caller=None if sides.caller is None else numbers[sides.caller],
        called=None if sides.called is None else numbers[sides.called],
        agent=None if agent is None else (vcon.parties[agent].name or vcon.parties[agent].mailto or None),
        recording=next((without_query(one.url) for one in vcon.dialog if one.type == "recording" and one.url), None),
        direction=sides.direction,
        language=talk.language,
        outcome=_outcome(vcon.dialog),
        utterances=talk.utterances,
        form=SeatForm(name=_name(vcon, citizen)),
        lost=(*talk.notes, *vcon_losses.of(vcon), *vcon_losses.zoneless(vcon, zone)),
    )


class _Talk:
    """Everything said in all dialogs, in order: messages from the dialogs, speech from the analyses."""

    def __init__(self, vcon: Vcon, cast: Cast, bodies: Bodies) -> None:
        self._cast = cast
        self.language: str | None = None
        self.notes: tuple[Note, ...] = ()
        self._offsets = _offsets(vcon.dialog)
        messages = {index: said for index, one in enumerate(vcon.dialog) if (said := self._message(index, one))}
        blocks: list[tuple[float, tuple[Utterance, ...]]] = [
            (self._offsets.get(index, 0.0), (said,)) for index, said in messages.items()
        ]
        found = _transcripts(vcon, bodies, set(messages))
        for index, transcript in found.by_dialog.items():
            blocks.append((self._offsets.get(index, 0.0), self._shifted(index, transcript)))
            self.language = self.language or transcript.language
            self.notes += transcript.notes
        self.notes += tuple(
            vcon_losses.listed("transcript_not_read", "Transcripts that no reader understands", found.unread)
        )
        blocks.sort(key=lambda block: block[0])
        self.utterances = tuple(said for _, block in blocks for said in block)

    def _message(self, index: int, dialog: Dialog) -> Utterance | None:
        """A message as an utterance of its sender: the originator, else the first party."""
        body = body_of(dialog) if dialog.type == "text" and dialog.media_type in vcon_losses.PLAIN else None
        text = body if isinstance(body, str) else as_text(as_record(body).get("text"))
        if not text.strip():
            return None
        sender = _originator(dialog)
        start = self._offsets.get(index)
        return Utterance(
            text=text.strip(),
            speaker="" if sender is None else str(sender),
            role=self._cast.role(sender),
            start=start,
            end=start + dialog.duration if start is not None and dialog.duration else None,
        )

    def _shifted(self, index: int, found: Transcript) -> tuple[Utterance, ...]:
        offset = self._offsets.get(index)
        if not offset:
            return found.utterances
        return tuple(
            replace(
                said,
                start=None if said.start is None else said.start + offset,
                end=None if said.end is None else said.end + offset,
            )
            for said in found.utterances
        )


def _offsets(dialogs: Sequence[Dialog]) -> Mapping[int, float]:
    """Seconds from the earliest beginning to each; without those that cannot be compared with the first (no zone)."""
    seconds = {index: since(dialogs[0].start, one.start) for index, one in enumerate(dialogs)}
    known = {index: offset for index, offset in seconds.items() if offset is not None}
    earliest = min(known.values(), default=0.0)
    return {index: offset - earliest for index, offset in known.items()}


class _Found(NamedTuple):
    """The transcript taken of each dialog, and the vendors of those that nobody could read."""

    by_dialog: Mapping[int, Transcript]
    unread: Sequence[str]


def _transcripts(vcon: Vcon, bodies: Bodies, messages: set[int]) -> _Found:
    """One transcript for every dialog that has any, and none for messages, which speak for themselves."""
    found: dict[int, dict[str, Transcript]] = {}
    unread = []
    kinds = {kind: [one for one in vcon.analysis if one.type.lower() == kind] for kind in vcon_losses.TRANSCRIPTS}
    for kind, item in ((kind, item) for kind, items in kinds.items() for item in items):
        about = [index for index in indices(item.dialog) if index not in messages]
        if item.body is None or (not about and messages):
            continue
        index = about[0] if about else 0
        dialog = vcon.dialog[index] if index < len(vcon.dialog) else None
        begins = dialog.start if dialog else datetime.fromtimestamp(0, UTC)
        read = bodies.read(body_of(item), begins, indices(dialog.parties) if dialog else ())
        if read:
            found.setdefault(index, {}).setdefault(kind, read)
        else:
            unread.append(f"{kind} of {item.vendor or 'an unnamed vendor'}")
    return _Found({index: best_of(kinds) for index, kinds in found.items()}, unread)


def _originator(dialog: Dialog) -> int | None:
    """vcon-core: the originator, when it is not the first of the parties."""
    return next(iter((*indices(dialog.originator), *indices(dialog.parties))), None)


class _Sides(NamedTuple):
    """Indices of the parties, and which way the call went."""

    caller: int | None
    called: int | None
    direction: Direction | None


def _sides(vcon: Vcon, cast: Cast) -> _Sides:
    """Who called whom. The direction that public writers put into `meta` wins over the order of the parties, which
    few of them keep. Messages have senders and no caller: there it is the citizen who came to us."""
    citizen, agent = cast.first(Speaker.CITIZEN), cast.first(Speaker.AGENT)
    metas = (*(one.meta for one in vcon.dialog), vcon.meta)
    words = (as_text(as_record(meta).get("direction")).lower() for meta in metas)
    direction = next((_DIRECTIONS[word] for word in words if word in _DIRECTIONS), None)
    call = next((one for one in vcon.dialog if one.type in _CALLS), None)
    if citizen is not None and agent is not None and (direction or call is None):
        return _Sides(agent, citizen, direction) if direction == "out" else _Sides(citizen, agent, direction)
    if call is None:
        return _Sides(citizen, agent, direction)
    caller = _originator(call)
    called = next((index for index in indices(call.parties) if index != caller), None)
    by_role: Direction | None = _BY_CALLER.get(cast.role(caller))
    return _Sides(caller, called, direction or by_role)


def _times(vcon: Vcon, zone: tzinfo | None) -> tuple[datetime | None, datetime | None]:
    starts = [(_aware(one.start, zone), one.duration) for one in vcon.dialog]
    known = [(start, duration) for start, duration in starts if start is not None]
    ends = [end for start, duration in known if duration and (end := _later(start, duration))]
    return min((start for start, _ in known), default=None), max(ends, default=None)


def _aware(moment: datetime, zone: tzinfo | None) -> datetime | None:
    if moment.utcoffset() is not None:
        return moment
    return moment.replace(tzinfo=zone) if zone else None


def _later(start: datetime, seconds: float) -> datetime | None:
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _outcome(dialogs: Sequence[Dialog]) -> Outcome | None:
    """What the dialogs say; a conversation of nothing but incomplete ones failed in the way of the last."""
    if dialogs and all(one.type == "incomplete" for one in dialogs):
        return _disposition(dialogs[-1]) or "failed"
    told = [_disposition(one) for one in dialogs if one.type != "incomplete"]
    return next(filter(None, told), None)


def _disposition(dialog: Dialog) -> Outcome | None:
    word = dialog.disposition or as_text(as_record(dialog.meta).get("disposition"))
    return _OUTCOMES.get(word.strip().lower().replace("_", "-").replace(" ", "-"))


def _name(vcon: Vcon, citizen: int | None) -> str | None:
    """The citizen's name; some writers put the number there."""
    name = "" if citizen is None else (vcon.parties[citizen].name or "").strip()
    return name if any(character.isalpha() for character in name) else None
