"""Alibaba DashScope (Paraformer, Fun-ASR, SenseVoice): the result file, the task that wraps it, the synchronous result.

May not fetch the result that a finished task only points to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.document import refused
from channels.phone.formats.losses import members_lost, notes
from channels.phone.formats.members import (
    Record,
    as_label,
    as_record,
    as_records,
    as_text,
    scaled,
    without_query,
)
from channels.phone.formats.nested import as_json
from channels.phone.formats.words import Voices, in_time, join_words

NAME: Final = "dashscope"
MS: Final = 1000
HELD_AS: Final = ("transcription", "transcription_result")
"""Members of a task's result under which clients put the file they fetched from `transcription_url`."""
LOST: Final = {"emotion": "emotions", "emo_tag": "emotions"}


def recognise(document: object) -> bool:
    """A result file, or a task's answer around one."""
    top = as_record(document)
    output = as_record(top.get("output"))
    if "transcripts" in top:
        return _is_file(top)
    return ("task_id" in output and "task_status" in output) or _is_file(output) or bool(_sentences(output))


def _is_file(record: Record) -> bool:
    transcripts = record.get("transcripts")
    if not isinstance(transcripts, list):
        return False
    if not transcripts:
        return "file_url" in record or "properties" in record
    return all("sentences" in entry or {"channel_id", "text"} <= entry.keys() for entry in map(as_record, transcripts))


def _sentences(output: Record) -> list[Record]:
    """What `Recognition.call` returns: the sentences of one channel, a single one without a list around it."""
    found = output.get("sentence")
    sentences = [found] if isinstance(found, dict) else as_records(found)
    return [sentence for sentence in sentences if "begin_time" in sentence and "text" in sentence]


def read(document: object) -> Call:
    """One utterance for each sentence, the channels put together by time.

    Raises:
        Rejected: `several_calls`: the task transcribed several recordings, and each is a call of its own.
    """
    files = [record for record in _files(as_record(document)) if as_records(record.get("transcripts"))]
    if len(files) > 1:
        raise refused(
            "several_calls", "The task holds the transcripts of several recordings; send each as its own call."
        )
    file = files[0] if files else {}
    transcripts = as_records(file.get("transcripts"))
    voices = Voices(as_label(transcript.get("channel_id")) for transcript in transcripts)
    lost: dict[str, int] = {} if files else {"transcripts_by_url": _pointed_to(as_record(document))}
    for transcript in transcripts:
        for sentence in as_records(transcript.get("sentences")):
            for kind, count in members_lost(sentence, LOST).items():
                lost[kind] = lost.get(kind, 0) + count
    return Call(
        format=NAME,
        recording=_recording(as_text(file.get("file_url"))),
        utterances=in_time(said for transcript in transcripts for said in _utterances(transcript, voices)),
        lost=notes(lost),
    )


def _files(top: Record) -> Iterator[Record]:
    output = as_record(top.get("output"))
    yield top
    yield output
    if sentences := _sentences(output):
        yield {"transcripts": [{"sentences": sentences}]}
    for result in _results(output):
        yield result
        for name in HELD_AS:
            held = as_record(as_json(result.get(name)))
            yield {"file_url": result.get("file_url"), **held}


def _results(output: Record) -> Sequence[Record]:
    return [*as_records(output.get("results")), as_record(output.get("result"))]


def _pointed_to(top: Record) -> int:
    return sum("transcription_url" in result for result in _results(as_record(top.get("output"))))


def _utterances(transcript: Record, voices: Voices) -> Iterator[Utterance]:
    channel = as_label(transcript.get("channel_id"))
    sentences = as_records(transcript.get("sentences"))
    for sentence in sentences:
        yield Utterance(
            text=as_text(sentence.get("text")) or _text_of_words(sentence),
            speaker=voices.label(channel, as_label(sentence.get("speaker_id"))),
            start=scaled(sentence.get("begin_time"), MS),
            end=scaled(sentence.get("end_time"), MS),
        )
    if not sentences:
        yield Utterance(text=as_text(transcript.get("text")), speaker=voices.label(channel, ""))


def _text_of_words(sentence: Record) -> str:
    words = as_records(sentence.get("words"))
    return join_words([as_text(word.get(part)) for word in words for part in ("text", "punctuation")])


def _recording(url: str) -> str | None:
    """Without the query: it holds the signature that opens the recording to whoever has it."""
    return without_query(url) or None
