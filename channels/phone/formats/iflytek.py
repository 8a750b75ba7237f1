"""iFlytek long-form transcription (lfasr): sentences (`onebest`) and lattices (`json_1best`), JSON inside JSON strings.

May not read the streaming services' messages, which hold pieces of sentences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from channels.phone.call import Call, Utterance
from channels.phone.formats.losses import beyond_best, notes
from channels.phone.formats.members import Record, as_label, as_record, as_records, as_share, as_text, first, scaled
from channels.phone.formats.nested import as_json
from channels.phone.formats.words import Spoken, in_time, utterance

NAME: Final = "iflytek"
MS: Final = 1000
SPOKEN_KINDS: Final = frozenset({"", "n", "s"})
"""`wp`: n an ordinary word, s a word of hesitation; p is punctuation and g the end of a paragraph: not heard."""
UNSEPARATED: Final = "0"
"""What the service gives every sentence when it was not asked to tell voices apart."""
LOOKED_AT: Final = 4096


class Segment(NamedTuple):
    """A sentence of either generation of the service."""

    text: str
    speaker: str
    start: float | None
    end: float | None
    words: Sequence[Spoken]
    alternatives: int


def recognise(document: object) -> bool:
    """A list of sentences, a lattice, or the service's answer around one of them."""
    if isinstance(document, list):
        return bool(document) and all("onebest" in as_record(entry) for entry in document)
    top = as_record(document)
    content = as_record(top.get("content"))
    data = top.get("data")
    if "orderInfo" in content or "orderResult" in content:
        return True
    if isinstance(data, str):
        return {"ok", "err_no", "failed"} <= top.keys() or '"onebest"' in data[:LOOKED_AT]
    return (isinstance(data, list) and recognise(data)) or _is_lattice(top)


def _is_lattice(record: Record) -> bool:
    lattices = [as_json(record[name]) for name in ("lattice", "lattice2") if name in record]
    return bool(lattices) and all(map(_holds_bests, lattices))


def _holds_bests(lattice: object) -> bool:
    """Also when it is empty (silence) or when some entries are damaged."""
    return isinstance(lattice, list) and (not lattice or any("json_1best" in as_record(entry) for entry in lattice))


def read(document: object) -> Call:
    """One utterance for each sentence."""
    result = _unwrapped(document)
    segments = [_sentence(entry) for entry in as_records(result)]
    unsmoothed = 0
    if isinstance(result, dict):
        smoothed, plain = (list(_lattice(result.get(name))) for name in ("lattice", "lattice2"))
        segments = smoothed or plain
        unsmoothed = len(plain) if smoothed else 0
    separated = any(segment.speaker not in ("", UNSEPARATED) for segment in segments)
    # Without the option that gives them, the service writes a confidence of 0.0000 for every word.
    confident = any(word.confidence for segment in segments for word in segment.words)
    return Call(
        format=NAME,
        utterances=in_time(_utterance(segment, separated, confident) for segment in segments),
        lost=notes(
            {
                "alternatives": sum(segment.alternatives for segment in segments),
                "unsmoothed_sentences": unsmoothed,
            }
        ),
    )


def _unwrapped(document: object) -> object:
    """The list of sentences, or the object that holds the lattices, from whatever the service put around it."""
    top = as_record(document)
    content = as_record(as_json(top.get("content")))
    result = as_json(first(content, "orderResult"))
    if result is None:
        result = as_json(first(top, "orderResult", "data"))
    if result is None:
        return document
    inner = as_record(result)
    return result if "lattice" in inner or "lattice2" in inner or isinstance(result, list) else document


def _sentence(entry: Record) -> Segment:
    words = as_records(as_json(entry.get("wordsResultList")))
    return Segment(
        text=as_text(entry.get("onebest")),
        speaker=as_label(entry.get("speaker")),
        start=scaled(entry.get("bg"), MS),
        end=scaled(entry.get("ed"), MS),
        words=[_word(word, "wordsName") for word in words],
        alternatives=sum(len(as_records(word.get("alternativeList"))) for word in words),
    )


def _lattice(lattice: object) -> Iterator[Segment]:
    for entry in as_records(as_json(lattice)):
        sentence = as_record(as_record(as_json(entry.get("json_1best"))).get("st"))
        slots = [
            as_records(slot.get("cw")) for part in as_records(sentence.get("rt")) for slot in as_records(part.get("ws"))
        ]
        segment = Segment(
            text="",
            speaker=as_label(sentence.get("rl")),
            start=scaled(first(sentence, "bg") or entry.get("begin"), MS),
            end=scaled(first(sentence, "ed") or entry.get("end"), MS),
            words=[_word(slot[0], "w") for slot in slots if slot],
            alternatives=beyond_best(slots),
        )
        if any(word.text for word in segment.words):
            yield segment


def _word(word: Mapping[str, object], name: str) -> Spoken:
    heard = as_text(word.get("wp")) in SPOKEN_KINDS
    return Spoken(as_text(word.get(name)), confidence=as_share(word.get("wc")) if heard else None)


def _utterance(segment: Segment, separated: bool, confident: bool) -> Utterance:
    words = segment.words if confident else [word._replace(confidence=None) for word in segment.words]
    return utterance(
        words,
        text=segment.text,
        speaker=segment.speaker if separated else "",
        start=segment.start,
        end=segment.end,
    )
