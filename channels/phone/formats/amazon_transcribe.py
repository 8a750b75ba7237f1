"""Amazon Transcribe: the result of a job (`results.items`, `audio_segments`, `speaker_labels`, `channel_labels`).

May not read Call Analytics (`contact_lens`) nor Bedrock Data Automation (`amazon_bedrock`): other documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.losses import beyond_best, members_lost, notes
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
    first_record,
)
from channels.phone.formats.words import Segments, Spoken, Voices, by_voice, in_time, utterance

NAME: Final = "amazon_transcribe"
ITEM_TYPES: Final = ("pronunciation", "punctuation")
LOST: Final = {"redactions": "redactions", "toxicity_detection": "toxicity_scores", "segments": "alternatives"}


def recognise(document: object) -> bool:
    """A job's result, or its bare list of items."""
    if isinstance(document, list):
        return bool(document) and _is_item(document[0])
    results = as_record(as_record(document).get("results"))
    items = as_list(results.get("items"))
    if items:
        return _is_item(items[0])
    return "audio_segments" in results or any("transcript" in entry for entry in as_records(results.get("transcripts")))


def _is_item(entry: object) -> bool:
    item = as_record(entry)
    return item.get("type") in ITEM_TYPES and isinstance(item.get("alternatives"), list)


def read(document: object) -> Call:
    """Utterances by the best division the job made: audio segments, channels, speakers' segments, or pauses."""
    results = as_record(as_record(document).get("results"))
    entries = as_records(document) or as_records(results.get("items"))
    divisions = (_by_audio_segments, _by_channels, _by_speakers)
    utterances = next((found for divide in divisions if (found := divide(results, entries))), ())
    lost = members_lost(results, LOST)
    lost["alternatives"] += beyond_best(entry.get("alternatives") for entry in entries)
    return Call(
        format=NAME,
        language=as_language(results.get("language_code")),
        utterances=utterances or _transcript_only(results),
        lost=notes(lost),
    )


def _spoken(entry: Record) -> Spoken:
    """A mark (punctuation) is not heard: the service gives each a confidence of 0.0. It goes with the word before."""
    best = first_record(entry.get("alternatives"))
    text = as_text(best.get("content"))
    if entry.get("type") == "punctuation":
        return Spoken(text)
    return Spoken(
        text,
        as_number(entry.get("start_time")),
        as_number(entry.get("end_time")),
        as_share(best.get("confidence")),
        as_label(entry.get("speaker_label")),
    )


def _by_audio_segments(results: Record, entries: Sequence[Record]) -> tuple[Utterance, ...]:
    """The service's own segments (since 2024): text, speaker, channel, and the ids of their items."""
    segments = as_records(results.get("audio_segments"))
    if not segments:
        return ()
    voices = Voices(as_label(segment.get("channel_label")) for segment in segments)
    by_id = {as_label(entry.get("id")) or str(place): _spoken(entry) for place, entry in enumerate(entries)}
    return in_time(_audio_segment(segment, by_id, voices) for segment in segments)


def _audio_segment(segment: Record, by_id: dict[str, Spoken], voices: Voices) -> Utterance:
    named = (by_id.get(as_label(identifier)) for identifier in as_list(segment.get("items")))
    return utterance(
        [spoken for spoken in named if spoken is not None],
        text=as_text(segment.get("transcript")),
        speaker=voices.label(as_label(segment.get("channel_label")), as_label(segment.get("speaker_label"))) or None,
        start=as_number(segment.get("start_time")),
        end=as_number(segment.get("end_time")),
    )


def _by_channels(results: Record, entries: Sequence[Record]) -> tuple[Utterance, ...]:
    """One channel after the other: in `items` the channels of people who talk at once are shuffled word by word."""
    channels = as_records(as_record(results.get("channel_labels")).get("channels"))
    listed = {as_label(channel.get("channel_label")): as_records(channel.get("items")) for channel in channels}
    by_channel = {label: own for label, own in listed.items() if own}
    if not by_channel:
        for entry in entries:
            if label := as_label(entry.get("channel_label")):
                by_channel.setdefault(label, []).append(entry)
    voices = Voices(by_channel)
    return in_time(said for label, own in by_channel.items() for said in by_voice(_of_channel(own, label, voices)))


def _of_channel(entries: Iterable[Record], channel: str, voices: Voices) -> Iterator[Spoken]:
    """The words of a channel with their voice; marks have none, and stay with the word before."""
    for spoken in map(_spoken, entries):
        unplaced = spoken.start is None and not spoken.speaker
        yield spoken if unplaced else spoken._replace(speaker=voices.label(channel, spoken.speaker))


def _by_speakers(results: Record, entries: Sequence[Record]) -> tuple[Utterance, ...]:
    """The speakers' segments, each with the words that begin in it; without segments, pauses."""
    segments = as_records(as_record(results.get("speaker_labels")).get("segments"))
    begins = [(as_number(segment.get("start_time")), as_label(segment.get("speaker_label"))) for segment in segments]
    # A segment without a speaker is what the service heard and did not take for speech.
    known = Segments((begin, speaker) for begin, speaker in begins if begin is not None and speaker)
    return in_time(known.divide(map(_spoken, entries)))


def _transcript_only(results: Record) -> tuple[Utterance, ...]:
    """A result from which the items were removed still holds the text."""
    transcripts = as_records(results.get("transcripts"))
    return in_time(Utterance(text=as_text(entry.get("transcript"))) for entry in transcripts)
