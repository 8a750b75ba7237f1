"""Azure Speech: batch (v2, v3) and fast transcription, real-time results, and conversations for analysis.

May not read what a language model concluded (`conversationAnalyticsResults`, `tasks`) as speech.
"""

from __future__ import annotations

from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.document import refused
from channels.phone.formats.labels import role_of
from channels.phone.formats.losses import beyond_best, members_lost, notes
from channels.phone.formats.members import (
    Record,
    as_duration,
    as_label,
    as_language,
    as_list,
    as_number,
    as_record,
    as_records,
    as_share,
    as_text,
    first,
    scaled,
    without_query,
)
from channels.phone.formats.words import Spoken, Voices, in_time, utterance

NAME: Final = "azure"
TICKS: Final = 10_000_000
MS: Final = 1000
LOST: Final = {"conversationAnalyticsResults": "conclusions", "tasks": "tasks"}


def recognise(document: object) -> bool:
    """Any of the shapes that hold phrases or conversation items."""
    if isinstance(document, list):
        return bool(document) and _is_result(document[0])
    top = as_record(document)
    listed = ("recognizedPhrases", "combinedRecognizedPhrases", "AudioFileResults", "combinedPhrases")
    return _is_result(top) or any(isinstance(top.get(name), list) for name in listed) or bool(_conversations(top))


def _is_result(entry: object) -> bool:
    return isinstance(as_record(entry).get("RecognitionStatus"), str)


def read(document: object) -> Call:
    """The best of each phrase's readings; a conversation's items with the roles of their participants.

    Raises:
        Rejected: `several_calls`: more than one conversation, or results of several recordings.
    """
    top = as_record(document)
    conversations = _conversations(top)
    files = as_records(top.get("AudioFileResults"))
    if len(conversations) > 1 or len(files) > 1:
        raise refused("several_calls", "The document holds several recordings; send each as its own call.")
    if conversations:
        return _conversation(top, conversations[0])
    file = files[0] if files else top
    phrases = as_records(document) or _phrases(file)
    voices = Voices(_channel(phrase) for phrase in phrases)
    utterances = in_time(_utterance(phrase, voices) for phrase in phrases)
    lost = members_lost(top, LOST)
    lost["alternatives"] = beyond_best(first(phrase, "nBest", "NBest") for phrase in phrases)
    return Call(
        format=NAME,
        recording=without_query(as_text(first(file, "source", "AudioFileUrl"))) or None,
        language=next(filter(None, (as_language(phrase.get("locale")) for phrase in phrases)), None),
        utterances=utterances or _combined(file),
        lost=notes(lost),
    )


def _phrases(file: Record) -> list[Record]:
    found = as_records(first(file, "recognizedPhrases", "phrases", "SegmentResults"))
    return found or ([file] if _is_result(file) else [])


def _channel(phrase: Record) -> str:
    return as_label(first(phrase, "channel", "Channel", "ChannelNumber"))


def _utterance(phrase: Record, voices: Voices) -> Utterance:
    best = next(iter(as_records(first(phrase, "nBest", "NBest"))), phrase)
    start, end = _times(phrase)
    return utterance(
        [_word(word) for word in as_records(first(best, "words", "Words"))],
        text=_text(best),
        speaker=voices.label(_channel(phrase), as_label(first(phrase, "speaker", "SpeakerId", "speakerId"))),
        start=start,
        end=end,
        confidence=as_share(first(best, "confidence", "Confidence")),
    )


def _text(best: Record) -> str:
    """As it is to be shown; the other forms lack punctuation, and numerals, or mask words."""
    for name in ("display", "Display", "text", "DisplayText", "itn", "ITN", "lexical", "Lexical"):
        if text := as_text(best.get(name)):
            return text
    return ""


def _word(word: Record) -> Spoken:
    start, end = _times(word)
    text = as_text(first(word, "word", "Word", "text"))
    return Spoken(text, start, end, as_share(first(word, "confidence", "Confidence")))


def _times(entry: Record) -> tuple[float | None, float | None]:
    start, lasted = _seconds(entry, "offset"), _seconds(entry, "duration")
    return start, _end(start, lasted)


def _end(start: float | None, lasted: float | None) -> float | None:
    return None if start is None or lasted is None else round(start + lasted, 7)


def _seconds(entry: Record, name: str) -> float | None:
    """Ticks of 100 ns, ISO 8601 or milliseconds: batch v3 gives the first two, fast transcription the third, and the
    older services ticks under a capital letter."""
    for member, unit in ((f"{name}InTicks", TICKS), (f"{name}Milliseconds", MS), (name.capitalize(), TICKS)):
        if (found := scaled(entry.get(member), unit)) is not None:
            return found
    plain = entry.get(name)
    if (found := as_duration(plain)) is not None:
        return found
    return scaled(plain, MS) if isinstance(plain, int) else as_number(entry.get(f"{name.capitalize()}InSeconds"))


def _combined(file: Record) -> tuple[Utterance, ...]:
    """A result whose phrases were removed still holds the text of each channel."""
    combined = as_records(first(file, "combinedRecognizedPhrases", "combinedPhrases", "CombinedResults"))
    voices = Voices(_channel(entry) for entry in combined)
    return in_time(Utterance(text=_text(entry), speaker=voices.label(_channel(entry), "")) for entry in combined)


def _conversations(top: Record) -> list[Record]:
    held = first(as_record(top.get("analysisInput")), "conversations") or top.get("conversations")
    return [entry for entry in as_records(held) if isinstance(entry.get("conversationItems"), list)]


def _conversation(top: Record, held: Record) -> Call:
    return Call(
        format=NAME,
        call_id=as_label(held.get("id")) or None,
        language=as_language(held.get("language")),
        utterances=in_time(_item(item) for item in as_records(as_list(held.get("conversationItems")))),
        lost=notes(members_lost(top, LOST)),
    )


def _item(item: Record) -> Utterance:
    timing = as_record(item.get("conversationItemLevelTiming"))
    start, lasted = (scaled(timing.get(name), TICKS) for name in ("offset", "duration"))
    participant = as_label(item.get("participantId"))
    return Utterance(
        text=_text(item),
        speaker=participant,
        role=role_of(as_text(item.get("role"))) or role_of(participant),
        start=start,
        end=_end(start, lasted),
    )
