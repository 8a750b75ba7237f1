"""Deepgram: the result for a recording, with its utterances or with the words of its channels.

May not read a live stream's single messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.losses import beyond_best, members_lost, notes
from channels.phone.formats.members import (
    Record,
    as_label,
    as_language,
    as_number,
    as_record,
    as_records,
    as_share,
    as_text,
    first,
    first_record,
)
from channels.phone.formats.words import Spoken, Voices, by_voice, in_time, utterance

NAME: Final = "deepgram"
LOST: Final = {"summary": "summaries", "topics": "topics", "intents": "intents", "sentiments": "sentiments"}


def recognise(document: object) -> bool:
    """Channels with alternatives below `results`."""
    channels = as_record(as_record(document).get("results")).get("channels")
    return isinstance(channels, list) and all("alternatives" in channel for channel in as_records(channels[:1]))


def read(document: object) -> Call:
    """The service's utterances; without them, words up to another speaker or a pause."""
    results = as_record(as_record(document).get("results"))
    channels = as_records(results.get("channels"))
    utterances = as_records(results.get("utterances"))
    by_channel = Voices(str(place) for place in range(len(channels)))
    said = in_time(_utterance(entry, by_channel) for entry in utterances)
    lost = members_lost(results, LOST)
    lost["alternatives"] = beyond_best(channel.get("alternatives") for channel in channels)
    languages = (as_language(channel.get("detected_language")) for channel in channels)
    return Call(
        format=NAME,
        language=next(filter(None, languages), None),
        utterances=said or in_time(_channels(channels, by_channel)),
        lost=notes(lost),
    )


def _utterance(entry: Record, voices: Voices) -> Utterance:
    return utterance(
        _words(as_records(entry.get("words")), "", voices),
        text=as_text(entry.get("transcript")),
        speaker=voices.label(as_label(entry.get("channel")), as_label(entry.get("speaker"))),
        start=as_number(entry.get("start")),
        end=as_number(entry.get("end")),
        confidence=as_share(entry.get("confidence")),
    )


def _channels(channels: list[Record], voices: Voices) -> Iterator[Utterance]:
    for place, channel in enumerate(channels):
        best = first_record(channel.get("alternatives"))
        words = _words(as_records(best.get("words")), str(place), voices)
        if words:
            yield from by_voice(words)
        else:
            yield Utterance(text=as_text(best.get("transcript")), speaker=voices.label(str(place), ""))


def _words(words: list[Record], channel: str, voices: Voices) -> list[Spoken]:
    return [
        Spoken(
            text=as_text(first(word, "punctuated_word", "word")),
            start=as_number(word.get("start")),
            end=as_number(word.get("end")),
            confidence=as_share(word.get("confidence")),
            speaker=voices.label(channel, as_label(word.get("speaker"))),
        )
        for word in words
    ]
