"""Kaldi: BBC's transcripts with their speaker segmentation, and Vosk's results.

May not take a segmentation without words for speech.
"""

from __future__ import annotations

from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.losses import beyond_best, notes
from channels.phone.formats.members import Record, as_label, as_number, as_record, as_records, as_share, as_text, first
from channels.phone.formats.words import Segments, Spoken, by_voice, in_time, utterance

NAME: Final = "kaldi"


def recognise(document: object) -> bool:
    """BBC: words that have `punct`, or an audio file's segmentation. Vosk: one result or a list of them."""
    if isinstance(document, list):
        return bool(document) and _is_vosk(as_record(document[0]))
    top = as_record(document)
    held = as_record(top.get("retval")) or top
    words = as_records(held.get("words"))[:1]
    segmented = as_record(held.get("segmentation")).get("@type") == "AudioFile"
    return segmented or any("punct" in word and "word" in word for word in words) or _is_vosk(top)


def _is_vosk(result: Record) -> bool:
    best = next(iter(as_records(result.get("alternatives"))), result)
    words = as_records(best.get("result"))[:1]
    return isinstance(best.get("text"), str) and any({"word", "start", "end"} <= word.keys() for word in words)


def read(document: object) -> Call:
    """BBC: the words that begin in a speaker's segment. Vosk: one utterance for each result."""
    top = as_record(document)
    held = as_record(top.get("retval")) or top
    segments = as_records(as_record(held.get("segmentation")).get("segments"))
    begins = ((as_number(segment.get("start")), _speaker(segment)) for segment in segments)
    known = Segments((begin, speaker) for begin, speaker in begins if begin is not None)
    words = [_word(word) for word in as_records(held.get("words"))]
    said = known.divide(words) if segments else by_voice(words)
    results = as_records(document) or [top]
    lost = {"alternatives": beyond_best(result.get("alternatives") for result in results)}
    return Call(format=NAME, utterances=in_time(said) or in_time(map(_vosk, results)), lost=notes(lost))


def _speaker(segment: Record) -> str:
    return as_label(as_record(segment.get("speaker")).get("@id"))


def _word(word: Record) -> Spoken:
    return Spoken(
        text=as_text(first(word, "punct", "word")),
        start=as_number(word.get("start")),
        end=as_number(word.get("end")),
        confidence=as_share(first(word, "confidence", "conf")),
    )


def _vosk(result: Record) -> Utterance:
    """Vosk separates Chinese words by blanks, which its text keeps; the words alone are joined as they are written."""
    best = next(iter(as_records(result.get("alternatives"))), result)
    words = [_word(word) for word in as_records(best.get("result"))]
    return utterance(words, text="" if words else as_text(best.get("text")))
