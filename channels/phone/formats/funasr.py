"""FunASR: what `AutoModel.generate` returns, the WebSocket servers' messages, the native binaries' JSON lines.

May not read the OpenAI-compatible server's answer: that is Whisper's format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.document import refused
from channels.phone.formats.losses import notes
from channels.phone.formats.members import (
    Record,
    as_label,
    as_list,
    as_record,
    as_records,
    as_share,
    as_text,
    first,
    scaled,
)
from channels.phone.formats.nested import as_json
from channels.phone.formats.words import in_time, join_words

NAME: Final = "funasr"
MS: Final = 1000
MODES: Final = frozenset({"offline", "online", "2pass", "2pass-online", "2pass-offline"})
PARTIAL: Final = "2pass-online"
CORRECTED: Final = "2pass-offline"
MESSAGE: Final = frozenset({"wav_name", "key", "is_final", "stamp_sents", "timestamp"})
# SenseVoice writes what it heard besides words into the text: <|zh|><|NEUTRAL|><|Speech|><|withitn|>.
_TAG: Final = re.compile(r"<\|[^<|>]{1,40}\|>")


def recognise(document: object) -> bool:
    """One result, or a list of nothing but results."""
    if isinstance(document, list):
        return bool(document) and all(_is_result(as_record(entry)) for entry in document)
    return _is_result(as_record(document))


def _is_result(record: Record) -> bool:
    if _all_have(record.get("sentence_info"), "text", "sentence") or _all_have(record.get("sentences"), "ts_list"):
        return True
    if not isinstance(record.get("text"), str):
        return False
    if as_text(record.get("mode")) in MODES:
        return not MESSAGE.isdisjoint(record)
    return isinstance(record.get("key"), str) and ("timestamp" in record or record.keys() == {"key", "text"})


def _all_have(sentences: object, *names: str) -> bool:
    held = as_json(sentences)
    return isinstance(held, list) and bool(held) and all(set(names) & as_record(entry).keys() for entry in held)


def read(document: object) -> Call:
    """One utterance for each sentence; without sentences one for each result.

    Raises:
        Rejected: `several_calls`: the list holds results of several recordings.
    """
    results = as_records(document) if isinstance(document, list) else [as_record(document)]
    names = {name for result in results if (name := _recording(result))}
    if len(names) > 1:
        raise refused("several_calls", "The list holds the results of several recordings; send each as its own call.")
    final, partial = _final(results)
    said = [one for result in final for one in _utterances(result)]
    if rest := join_words([_clean(result.get("text")) for result in partial]):
        said.append(Utterance(text=rest))
    tags = sum(len(_TAG.findall(text)) for result in results if isinstance(text := result.get("text"), str))
    return Call(
        format=NAME,
        recording=next(iter(names), None),
        utterances=in_time(said),
        lost=notes({"sound_tags": tags}),
    )


def _recording(result: Record) -> str:
    return as_text(first(result, "wav_name", "key"))


def _final(results: Sequence[Record]) -> tuple[Sequence[Record], Sequence[Record]]:
    """The results that stand, and the partial ones after the last of them: a correction replaces the partial results
    that came before it, and a call that broke off leaves some uncorrected."""
    if all(result.get("mode") != PARTIAL for result in results):
        return results, ()
    corrected = [place for place, result in enumerate(results) if result.get("mode") == CORRECTED]
    end = corrected[-1] + 1 if corrected else 0
    return [results[place] for place in corrected], [one for one in results[end:] if one.get("mode") == PARTIAL]


def _utterances(result: Record) -> list[Utterance]:
    for name in ("sentence_info", "sentences", "stamp_sents"):
        said = [_sentence(entry) for entry in as_records(as_json(result.get(name)))]
        if any(one.text for one in said):
            return said
    start, end = _span(first(result, "timestamp", "time_stamp"))
    return [Utterance(text=_clean(result.get("text")), speaker=as_label(result.get("spk")), start=start, end=end)]


def _sentence(sentence: Record) -> Utterance:
    start, end = _span(first(sentence, "timestamp", "ts_list"))
    given_start, given_end = scaled(sentence.get("start"), MS), scaled(sentence.get("end"), MS)
    # `stamp_sents` writes one blank after every token, also a Chinese one: "ni hao" character by character.
    tokens = as_text(sentence.get("text_seg")).split()
    return Utterance(
        text=_clean(first(sentence, "text", "sentence")) or join_words([*tokens, as_text(sentence.get("punc"))]),
        speaker=as_label(first(sentence, "spk", "speaker")),
        start=start if given_start is None else given_start,
        end=end if given_end is None else given_end,
        confidence=as_share(sentence.get("confidence")),
    )


def _span(stamps: object) -> tuple[float | None, float | None]:
    """The beginning of the first token and the end of the last; the servers write the list as a string."""
    pairs = [pair for pair in map(as_list, as_list(as_json(stamps))) if len(pair) > 1]
    return (scaled(pairs[0][0], MS), scaled(pairs[-1][1], MS)) if pairs else (None, None)


def _clean(text: object) -> str:
    return _TAG.sub("", as_text(text)).strip()
