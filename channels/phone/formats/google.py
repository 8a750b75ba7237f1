"""Google Cloud Speech-to-Text v1, v1p1beta1 and v2: a response, an operation that holds one, a batch result.

May not count words twice: with speakers, the last result repeats every word of the ones before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.document import refused
from channels.phone.formats.losses import beyond_best, notes
from channels.phone.formats.members import (
    NUMBER_MAX_CHARACTERS,
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
from channels.phone.formats.words import Segments, Spoken, Voices, by_voice, in_time, utterance

NAME: Final = "google"
# What other services' results of the same outline hold, and these never.
FOREIGN: Final = ("final", "result_index", "word_alternatives")
FOREIGN_ALTERNATIVES: Final = ("timestamps", "word_confidence")
_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?s?")


def recognise(document: object) -> bool:
    """Results whose alternatives hold a transcript or words, at the top or where an operation or a batch keeps them."""
    top = as_record(document)
    if "result_index" in top:
        return False
    results = _results(top)
    if not results:
        return str(as_record(top.get("response")).get("@type")).startswith("type.googleapis.com/google.cloud.speech.")
    return all(map(_is_result, results[:1]))


def _is_result(result: Record) -> bool:
    alternatives = result.get("alternatives")
    if not isinstance(alternatives, list) or any(name in result for name in FOREIGN):
        return False
    best = next(iter(as_records(alternatives)), None)
    if best is None:
        return "languageCode" in result or "language_code" in result
    return ("transcript" in best or "words" in best) and not any(name in best for name in FOREIGN_ALTERNATIVES)


def _results(top: Record) -> list[Record]:
    """The results of a response; of a batch (one entry for each file), those of its files."""
    held = (as_record(top.get("response")) or top).get("results")
    return as_records(held) or [result for file in _files(held) for result in file]


def _files(held: object) -> list[list[Record]]:
    """A batch's results by file, those that hold any."""
    inline = ((file, as_record(first(file, "inlineResult", "inline_result"))) for file in _values(held))
    transcripts = (as_record(first(within, "transcript") or file.get("transcript")) for file, within in inline)
    return [results for transcript in transcripts if (results := as_records(transcript.get("results")))]


def _values(held: object) -> list[Record]:
    return as_records(list(as_record(held).values()))


def read(document: object) -> Call:
    """One utterance for each result, divided further where the speaker changes.

    Raises:
        Rejected: `several_calls`: a batch's result for several recordings.
    """
    top = as_record(document)
    if len(_files((as_record(top.get("response")) or top).get("results"))) > 1:
        raise refused("several_calls", "The batch holds several recordings; send each as its own call.")
    results = [result for result in _results(top) if first(result, "isFinal", "is_final") is not False]
    by_channel: dict[str, list[Record]] = {}
    for result in results:
        by_channel.setdefault(_channel(result), []).append(result)
    voices = Voices(by_channel)
    said = [spoken for channel, own in by_channel.items() for spoken in _channel_said(own, channel, voices)]
    lost = {
        "alternatives": beyond_best(result.get("alternatives") for result in results),
        "partial_results": len(_results(top)) - len(results),
    }
    languages = (as_language(first(result, "languageCode", "language_code")) for result in results)
    return Call(format=NAME, language=next(filter(None, languages), None), utterances=in_time(said), lost=notes(lost))


def _channel(result: Record) -> str:
    return as_label(first(result, "channelTag", "channel_tag"))


def _best(result: Record) -> Record:
    return first_record(result.get("alternatives"))


def _channel_said(results: Sequence[Record], channel: str, voices: Voices) -> Iterator[Utterance]:
    """Of one channel: the last result with speakers instead of all results, when it repeats them."""
    tagged = [place for place, result in enumerate(results) if _is_tagged(result)]
    if tagged and _repeats(results, tagged[-1]):
        single = (result for result in results if not _is_tagged(result))
        yield from _divided(_words(results[tagged[-1]], channel, voices), single)
        return
    for result in results:
        yield from _result_said(result, channel, voices)


def _is_tagged(result: Record) -> bool:
    return bool(_speaker(first_record(_best(result).get("words"))))


def _speaker(word: Record) -> str:
    """Speaker 0 is the service's word for nobody in particular."""
    label = as_label(first(word, "speakerTag", "speakerLabel", "speaker_tag", "speaker_label"))
    return "" if label == "0" else label


def _repeats(results: Sequence[Record], last: int) -> bool:
    """Whether the result at `last` goes back to the beginning: by its times, else by words its transcript lacks."""
    if last == 0:
        return False
    words = as_records(_best(results[last]).get("words"))
    opening = first_record(_best(results[0]).get("words"))
    begin, opened, ended = _start(words[0]), _start(opening), _result_end(results[0])
    if begin is not None and (opened is not None or ended is not None):
        return begin == opened if opened is not None else begin < (ended or 0.0)
    spoken = sum(len(as_text(word.get("word"))) for word in words)
    return spoken > len("".join(as_text(_best(results[last]).get("transcript")).split()))


def _divided(words: Sequence[Spoken], results: Iterable[Record]) -> Iterator[Utterance]:
    """The repeated words, divided where the single results begin and where the speaker changes."""
    sure: dict[float, float | None] = {}
    for result in results:
        if (begin := _start(first_record(_best(result).get("words")))) is not None:
            sure[begin] = _confidence(_best(result))
    for said in Segments((begin, "") for begin in sure).divide(words):
        # Where a result was divided, its confidence stays with the part that begins it.
        yield said if said.start is None else replace(said, confidence=sure.get(said.start))


def _result_said(result: Record, channel: str, voices: Voices) -> Iterator[Utterance]:
    best = _best(result)
    words = _words(result, channel, voices)
    if len({word.speaker for word in words}) > 1:
        yield from by_voice(words, math.inf)
        return
    ends = [word.end for word in words if word.end is not None]
    yield utterance(
        words,
        text=as_text(best.get("transcript")),
        speaker=words[0].speaker if words else voices.label(channel, ""),
        end=ends[-1] if ends else _result_end(result),
        confidence=_confidence(best),
    )


def _confidence(record: Record) -> float | None:
    """0.0 means that the service did not set it (API reference: SpeechRecognitionAlternative, WordInfo)."""
    return as_share(record.get("confidence")) or None


def _words(result: Record, channel: str, voices: Voices) -> list[Spoken]:
    return [
        Spoken(
            # Japanese and Chinese words may bring their reading along: `word|reading`.
            text=as_text(word.get("word")).partition("|")[0],
            start=_start(word),
            end=_seconds(first(word, "endTime", "endOffset", "end_time", "end_offset")),
            confidence=_confidence(word),
            speaker=voices.label(channel, _speaker(word)),
        )
        for word in as_records(_best(result).get("words"))
    ]


def _start(word: Record) -> float | None:
    return _seconds(first(word, "startTime", "startOffset", "start_time", "start_offset"))


def _result_end(result: Record) -> float | None:
    return _seconds(first(result, "resultEndTime", "resultEndOffset", "result_end_time", "result_end_offset"))


def _seconds(value: object) -> float | None:
    """A protobuf Duration: `"1.200s"`, or `{seconds, nanos}` of which the zero ones are left out."""
    if isinstance(value, dict):
        seconds, nanos = as_number(value.get("seconds", 0)), as_number(value.get("nanos", 0))
        return None if seconds is None or nanos is None else seconds + nanos / 1e9
    if isinstance(value, str):
        fits = len(value) <= NUMBER_MAX_CHARACTERS and _SECONDS.fullmatch(value)
        return as_number(value.removesuffix("s")) if fits else None
    return as_number(value)
