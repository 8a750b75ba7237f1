"""Tencent Cloud: the result of a recording task (`ResultDetail`, or only the `Result` string), wrapped or bare.

May not read the streaming service's slices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.clock import CLOCK, seconds
from channels.phone.formats.labels import role_of
from channels.phone.formats.losses import notes
from channels.phone.formats.members import (
    Record,
    as_label,
    as_record,
    as_records,
    as_text,
    first,
    scaled,
    without_query,
)
from channels.phone.formats.nested import as_json
from channels.phone.formats.words import in_time, join_words

NAME: Final = "tencent"
MS: Final = 1000
HEAD: Final = 512
TASK: Final = frozenset({"TaskId", "StatusStr", "AudioDuration"})
CALLBACK: Final = frozenset({"requestId", "text", "resultDetail"})
# `[0:1.020,0:2.380,0]  text`: minutes:seconds of the beginning and the end, and the channel or the voice.
_STAMP: Final = rf"\[({CLOCK}),({CLOCK})(?:,\s?([^\],\s]{{1,20}}))?\]"
_LINE: Final = re.compile(rf"\s*{_STAMP}(.*)", re.ASCII)


def recognise(document: object) -> bool:
    """A task's status, the service's answer around it, the call-back as JSON, or the text of `Result`."""
    if isinstance(document, str):
        return _LINE.match(document[:HEAD].lstrip("\ufeff \t\r\n")) is not None
    task = _task(as_record(document))
    if isinstance(task.get("Result"), str) or isinstance(task.get("ResultDetail"), list):
        return not TASK.isdisjoint(task.keys())
    return task.keys() >= CALLBACK


def read(document: object) -> Call:
    """One utterance for each sentence, or for each line of `Result` when the task gave no details."""
    if isinstance(document, str):
        return Call(format=NAME, utterances=in_time(_lines(document)))
    task = _task(as_record(document))
    sentences = as_records(as_json(first(task, "ResultDetail", "resultDetail")))
    detailed = in_time(_utterance(sentence) for sentence in sentences)
    written = sum(bool(as_text(sentence.get("WrittenText"))) for sentence in sentences)
    emotions = sum(bool(sentence.get("EmotionType")) for sentence in sentences)
    return Call(
        format=NAME,
        recording=without_query(as_text(first(task, "AudioUrl", "audioUrl"))) or None,
        utterances=detailed or in_time(_lines(as_text(first(task, "Result", "text")))),
        lost=notes({"written_style_texts": written, "emotions": emotions}),
    )


def _task(top: Record) -> Record:
    for name in ("Response", "Data"):
        top = as_record(top[name]) if isinstance(top.get(name), dict) else top
    return top


def _utterance(sentence: Record) -> Utterance:
    named = as_text(sentence.get("SpeakerRoleName"))
    return Utterance(
        text=as_text(sentence.get("FinalSentence")) or _pieces(sentence),
        speaker=named or as_label(sentence.get("SpeakerId")),
        role=role_of(named),
        start=scaled(sentence.get("StartMs"), MS),
        end=scaled(sentence.get("EndMs"), MS),
    )


def _pieces(sentence: Record) -> str:
    words = [as_text(word.get("Word")) for word in as_records(sentence.get("Words"))]
    return join_words(as_text(sentence.get("SliceSentence")).split() or words)


def _lines(result: str) -> Iterator[Utterance]:
    for line in result.splitlines():
        match = _LINE.fullmatch(line)
        start, end, speaker, text = match.groups() if match else ("", "", "", line)
        yield Utterance(text=text.strip(), speaker=speaker or "", start=seconds(start), end=seconds(end))
