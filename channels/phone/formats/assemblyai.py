"""AssemblyAI: a finished transcript, with its utterances or its words. Times are milliseconds.

May not read what a language model made of it (summary, chapters, sentiment).
"""

from __future__ import annotations

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
    scaled,
    without_query,
)
from channels.phone.formats.words import Spoken, Voices, by_voice, in_time, utterance

NAME: Final = "assemblyai"
MS: Final = 1000
LOST: Final = {
    "summary": "summaries",
    "chapters": "chapters",
    "entities": "entities",
    "sentiment_analysis_results": "sentiments",
}


def recognise(document: object) -> bool:
    """A transcript object: its status beside the text, the words and the address of the audio."""
    top = as_record(document)
    return isinstance(top.get("status"), str) and all(name in top for name in ("id", "text", "words", "audio_url"))


def read(document: object) -> Call:
    """The service's utterances; without them, words up to another speaker or a pause; without words, the text."""
    top = as_record(document)
    utterances = as_records(top.get("utterances"))
    words = as_records(top.get("words"))
    voices = Voices(as_label(entry.get("channel")) for entry in utterances or words)
    said = in_time(_utterance(entry, voices) for entry in utterances)
    said = said or in_time(by_voice(_word(word, voices) for word in words))
    return Call(
        format=NAME,
        recording=without_query(as_text(top.get("audio_url"))) or None,
        language=as_language(as_text(top.get("language_code")).replace("_", "-")),
        utterances=said or in_time([Utterance(text=as_text(top.get("text")))]),
        lost=notes(members_lost(top, LOST)),
    )


def _utterance(entry: Record, voices: Voices) -> Utterance:
    return utterance(
        [_word(word, voices) for word in as_records(entry.get("words"))],
        text=as_text(entry.get("text")),
        speaker=voices.label(as_label(entry.get("channel")), as_label(entry.get("speaker"))),
        start=scaled(entry.get("start"), MS),
        end=scaled(entry.get("end"), MS),
        confidence=as_share(entry.get("confidence")),
    )


def _word(word: Record, voices: Voices) -> Spoken:
    return Spoken(
        text=as_text(word.get("text")),
        start=scaled(word.get("start"), MS),
        end=scaled(word.get("end"), MS),
        confidence=as_share(word.get("confidence")),
        speaker=voices.label(as_label(word.get("channel")), as_label(word.get("speaker"))),
    )
