"""Whisper and its children: openai-whisper, whisper-timestamped, WhisperX, faster-whisper, whisper.cpp, and servers
that answer in OpenAI's form (`verbose_json`, `diarized_json`). May not read a bare `{"text": …}`: it could be anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.labels import role_of
from channels.phone.formats.losses import notes
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
    scaled,
)
from channels.phone.formats.words import Spoken, by_voice, in_time, utterance

NAME: Final = "whisper"
MS: Final = 1000
# Other recognisers' sentences look alike, and count milliseconds.
FOREIGN: Final = ("timestamp", "spk", "bg", "begin_time", "BeginTime")


def recognise(document: object) -> bool:
    """Segments with seconds and text; an empty list of them only beside the text and language of a silent recording."""
    top = as_record(document)
    held = document if isinstance(document, list) else top.get("segments")
    if isinstance(held, list) and held:
        return _is_segment(as_record(held[0]))
    if isinstance(held, list):
        return isinstance(top.get("text"), str) and isinstance(top.get("language"), str)
    pieces = as_records(top.get("transcription"))
    return bool(pieces) and isinstance(pieces[0].get("offsets"), dict) and isinstance(pieces[0].get("text"), str)


def _is_segment(segment: Record) -> bool:
    seconds = all(isinstance(segment.get(name), int | float) for name in ("start", "end"))
    return seconds and isinstance(segment.get("text"), str) and not any(name in segment for name in FOREIGN)


def read(document: object) -> Call:
    """One utterance for each segment, divided further where WhisperX heard the speaker change."""
    top = as_record(document)
    segments = as_records(document) or as_records(top.get("segments"))
    said = [spoken for segment in segments for spoken in _segment(segment)]
    said += [_piece(piece) for piece in as_records(top.get("transcription"))]
    if not any(spoken.text for spoken in said):
        said = [Utterance(text=as_text(top.get("text")))]
    language = first(top, "language") or as_record(top.get("result")).get("language")
    silences = sum(segment.get("no_speech_prob") is not None for segment in segments)
    return Call(
        format=NAME,
        language=as_language(language),
        utterances=in_time(said),
        lost=notes({"silence_scores": silences}),
    )


def _segment(segment: Record) -> Iterator[Utterance]:
    words = _words(segment)
    if len({word.speaker for word in words}) > 1:
        for said in by_voice(words, math.inf):
            yield replace(said, role=role_of(said.speaker))
        return
    speaker = words[0].speaker if words else as_label(segment.get("speaker"))
    yield utterance(
        words,
        text=as_text(segment.get("text")),
        speaker=speaker,
        role=role_of(speaker),
        start=as_number(segment.get("start")),
        end=as_number(segment.get("end")),
        confidence=_confidence(segment),
    )


def _words(segment: Record) -> list[Spoken]:
    """A word that WhisperX could not align has neither time nor speaker: the speaker before it goes on."""
    speaker = as_label(segment.get("speaker"))
    words: list[Spoken] = []
    for word in as_records(segment.get("words")):
        speaker = as_label(word.get("speaker")) or speaker
        sure = as_share(first(word, "probability", "confidence", "score"))
        text = as_text(first(word, "word", "text"))
        words.append(Spoken(text, as_number(word.get("start")), as_number(word.get("end")), sure, speaker))
    return words


def _confidence(segment: Record) -> float | None:
    """What the source gives; of openai-whisper's mean log probability of the tokens, the probability."""
    if (given := as_share(segment.get("confidence"))) is not None:
        return given
    mean = as_number(segment.get("avg_logprob"))
    return None if mean is None else math.exp(min(mean, 0.0))


def _piece(piece: Record) -> Utterance:
    """whisper.cpp: offsets in milliseconds."""
    offsets = as_record(piece.get("offsets"))
    return Utterance(
        text=as_text(piece.get("text")),
        speaker=as_label(piece.get("speaker")),
        start=scaled(offsets.get("from"), MS),
        end=scaled(offsets.get("to"), MS),
    )
