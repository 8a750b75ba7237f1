"""The transcript inside a vCon: its body is whatever a vendor wrote, so other readers are asked before our own.

May not raise: a body that nobody understands gives no utterances, and a note.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.members import (
    Record,
    as_label,
    as_language,
    as_list,
    as_number,
    as_record,
    as_records,
    as_share,
    as_text,
    first,
)
from channels.phone.formats.nested import as_json
from channels.phone.formats.vcon_model import Content, indices
from channels.phone.formats.vcon_parties import Cast
from channels.phone.formats.words import join_words
from normalizer.errors import Rejected
from normalizer.ticket import Note, Speaker

ReadDocument = Callable[[object], Call | None]
"""Read a JSON value or a text in any other format of the table; None when no reader knows it."""

STEP: Final = "phone"
DEPTH_MAX: Final = 4
_TEXT: Final = ("text", "message", "utterance", "sentence", "transcript", "content", "body")
_INDEX: Final = ("party", "parties")
_VOICE: Final = ("speaker", "role", "participant", "speaker_label", "speaker_id", "speakerId", "name", "channel")
_START: Final = ("start", "start_time", "startTime", "begin", "start_offset", "offset", "time")
_END: Final = ("end", "end_time", "endTime", "end_offset")
_LISTS: Final = (
    *("segments", "utterances", "turns", "messages", "conversation", "paragraphs", "sentences", "monologues"),
    *("phrases", "entries", "dialog", "results", "transcript", "body"),
)
_LABELLED: Final = re.compile(r"\*{0,2}([^:：*]{1,80})\*{0,2}\s{0,4}[:：]\*{0,2}(.*)")


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a body says; times in seconds from the beginning of its dialog."""

    utterances: tuple[Utterance, ...]
    language: str | None = None
    notes: tuple[Note, ...] = ()

    @property
    def tells_voices_apart(self) -> bool:
        """Whether it holds more than one voice."""
        return len({(one.speaker, one.role) for one in self.utterances}) > 1


def body_of(content: Content) -> object:
    """The inline value: decoded as `encoding` says, and parsed when it holds JSON, which writers put there as text
    whatever they call the encoding. None when it is not there or damaged."""
    value = content.body
    if not isinstance(value, str):
        return value
    if (content.encoding or "").lower() in ("base64url", "base64"):
        try:
            padded = value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)
            value = base64.b64decode(padded.translate(_TO_URLSAFE), altchars=b"-_").decode("utf-8")
        except (ValueError, binascii.Error):
            return None
    if value.lstrip()[:1] in ("{", "["):
        held = as_json(value)
        return value if held is None else held
    return value


_TO_URLSAFE: Final = str.maketrans("+/", "-_")


class Bodies:
    """Reads bodies of transcripts for one vCon."""

    def __init__(self, cast: Cast, read_document: ReadDocument) -> None:
        self._cast = cast
        self._read_document = read_document

    def read(self, body: object, begins: datetime, order: Sequence[int]) -> Transcript | None:
        """`begins`: when the dialog of the transcript begins; `order`: that dialog's parties as it lists them."""
        if isinstance(body, str):
            return self._text(body, order)
        return self._elsewhere(body) or self._turns(body, begins) or self._text(_plain(body), order, _language(body))

    def _elsewhere(self, body: object) -> Transcript | None:
        """What a sibling reader makes of it. Deepgram's inner object, which some writers cut out, is wrapped again."""
        record = as_record(body)
        wrapped = {"results": {"channels": [{"alternatives": [body]}]}}
        for candidate in (body, wrapped) if "words" in record and "transcript" in record else (body,):
            try:
                call = self._read_document(candidate)
            except Rejected:
                continue
            if call is not None and any(one.text for one in call.utterances):
                utterances = tuple(self._with_role(one) for one in call.utterances)
                return Transcript(utterances, call.language or _language(body), call.lost)
        return None

    def _with_role(self, one: Utterance) -> Utterance:
        role = one.role or self._cast.role_of_label(one.speaker)
        return one if role is one.role else replace(one, role=role)

    def _turns(self, body: object, begins: datetime) -> Transcript | None:
        """Lists of turns as most vendors and all language models write them: a text, perhaps a voice, perhaps times."""
        turns = tuple(
            self._turn(turn, text, inherited, begins) for turn, text, inherited in _flat(_list_of_turns(body, 0), 0, {})
        )
        return Transcript(turns, _language(body)) if turns else None

    def _turn(self, turn: Record, text: str, inherited: Record, begins: datetime) -> Utterance:
        party = next(iter(indices(first(turn, *_INDEX))), None)
        label = as_label(first(turn, *_VOICE)) or as_label(first(inherited, *_VOICE))
        start = _seconds(first(turn, *_START), begins)
        end = _seconds(first(turn, *_END), begins)
        duration = as_number(turn.get("duration"))
        if end is None and start is not None and duration is not None:
            end = start + duration
        return Utterance(
            text=text,
            speaker=str(party) if party is not None else label,
            role=self._cast.role(party) or (self._cast.role_of_label(label) if label else None),
            start=start,
            end=end,
            confidence=as_share(turn.get("confidence")),
        )

    def _text(self, text: str, order: Sequence[int], language: str | None = None) -> Transcript | None:
        if not text.strip():
            return None
        labelled = self._labelled(text)
        if labelled:
            return Transcript(labelled, language)
        found = self._elsewhere(text)
        if found and any(one.speaker or one.role or one.start is not None for one in found.utterances):
            return found
        return self._paragraphs(text, order, language)

    def _labelled(self, text: str) -> tuple[Utterance, ...]:
        """Lines such as `**Agent(May)**: …`, when at least two of them begin with a party of this vCon or a role."""
        turns: list[tuple[str, Speaker, list[str]]] = []
        for line in text.splitlines():
            match = _LABELLED.fullmatch(line.strip())
            role = self._cast.role_of_label(match[1]) if match else None
            if match and role:
                turns.append((match[1].strip(), role, [match[2].strip()]))
            elif turns:
                turns[-1][2].append(line.strip())
            elif line.strip():
                return ()
        if len(turns) < 2:
            return ()
        return tuple(
            Utterance(text=" ".join(filter(None, lines)), speaker=label, role=role)
            for label, role, lines in turns
            if any(lines)
        )

    def _paragraphs(self, text: str, order: Sequence[int], language: str | None) -> Transcript:
        """One utterance a paragraph. Writers of bare text make a paragraph of every turn; between two parties, one of
        each side, these alternate in the order in which the dialog lists the parties."""
        paragraphs = tuple(_paragraphs(text))
        roles = {self._cast.role(index) for index in order}
        if len(paragraphs) < 2 or len(order) != 2 or roles != {Speaker.AGENT, Speaker.CITIZEN}:
            return Transcript(tuple(Utterance(text=paragraph) for paragraph in paragraphs), language)
        detail = "The transcript names no speakers; its paragraphs were given to the two parties in turn."
        utterances = tuple(
            Utterance(text=paragraph, speaker=str(order[number % 2]), role=self._cast.role(order[number % 2]))
            for number, paragraph in enumerate(paragraphs)
        )
        return Transcript(utterances, language, (Note(step=STEP, code="speakers_alternate", detail=detail),))


def _list_of_turns(body: object, depth: int) -> list[Record]:
    if isinstance(body, list):
        return as_records(body)
    record = as_record(body)
    for name in _LISTS:
        value = record.get(name)
        if as_records(value):
            return as_records(value)
        if isinstance(value, dict) and depth < DEPTH_MAX:
            found = _list_of_turns(value, depth + 1)
            if found:
                return found
    return []


def _flat(turns: Sequence[Record], depth: int, inherited: Record) -> Iterator[tuple[Record, str, Record]]:
    """Turns with text; a turn that has none but holds sentences gives those, spoken by its voice."""
    for turn in turns:
        text = next((text for text in (as_text(turn.get(name)) for name in _TEXT) if text), "")
        if text:
            yield turn, text, inherited
        elif depth < DEPTH_MAX:
            yield from _flat(_list_of_turns(turn, 0), depth + 1, turn)


def _plain(body: object) -> str:
    """A body that is nothing but a text in an object."""
    record = as_record(body)
    for name in _TEXT:
        value = record.get(name)
        text = as_text(value) or as_text(as_record(value).get("text"))
        if text:
            return text
    return join_words([as_text(word) for word in as_list(body)])


def _language(body: object) -> str | None:
    record = as_record(body)
    return as_language(first(record, "detected_language", "language", "language_code"))


def _seconds(value: object, begins: datetime) -> float | None:
    """A number of seconds, or a moment."""
    number = as_number(value)
    if number is not None or not isinstance(value, str):
        return number
    try:
        moment = datetime.fromisoformat(value.strip().upper())
    except ValueError:
        return None
    return since(begins, moment)


def since(begins: datetime, moment: datetime) -> float | None:
    """Seconds from one to the other; None when only one of them has a zone."""
    if (begins.utcoffset() is None) != (moment.utcoffset() is None):
        return None
    return round((moment - begins).total_seconds(), 6)


def _paragraphs(text: str) -> Iterator[str]:
    lines: list[str] = []
    for line in (*text.splitlines(), ""):
        if line.strip():
            lines.append(line.strip())
        elif lines:
            yield " ".join(lines)
            lines = []


def best_of(kinds: Mapping[str, Transcript]) -> Transcript:
    """Of several kinds of transcript of one dialog: the first that tells voices apart, else the first."""
    return next((one for one in kinds.values() if one.tells_voices_apart), next(iter(kinds.values())))
