"""Amazon Bedrock Data Automation: what it makes of an audio file (`audio_segments`, `audio_items`).

May not read the answers of a blueprint (`inference_result`) as speech: a model wrote them, nobody said them.
"""

from __future__ import annotations

from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.losses import members_lost, notes
from channels.phone.formats.members import Record, as_label, as_language, as_record, as_records, as_text, scaled
from channels.phone.formats.words import Voices, in_time

NAME: Final = "amazon_bedrock"
MS: Final = 1000
LOST: Final = {"topics": "topics", "inference_result": "conclusions", "audio_items": "word_times"}
AUDIO_LOST: Final = {"summary": "summaries", "content_moderation": "moderation_scores"}


def recognise(document: object) -> bool:
    """The standard output for audio, or the output of a blueprint."""
    top = as_record(document)
    if not isinstance(top.get("metadata"), dict):
        return False
    return isinstance(top.get("audio_segments"), list) or ("matched_blueprint" in top and "inference_result" in top)


def read(document: object) -> Call:
    """The segments as they are; their words bear times only, so that none is doubtful."""
    top = as_record(document)
    metadata = as_record(top.get("metadata"))
    segments = as_records(top.get("audio_segments"))
    voices = Voices(_channel(segment) for segment in segments)
    bucket, key = as_text(metadata.get("s3_bucket")), as_text(metadata.get("s3_key"))
    return Call(
        format=NAME,
        recording=f"s3://{bucket}/{key}" if bucket and key else None,
        language=as_language(as_text(metadata.get("dominant_asset_language")).lower()),
        utterances=in_time(_utterance(segment, voices) for segment in segments),
        lost=notes(members_lost(top, LOST) | members_lost(as_record(top.get("audio")), AUDIO_LOST)),
    )


def _channel(segment: Record) -> str:
    return as_label(as_record(segment.get("channel")).get("channel_label"))


def _utterance(segment: Record, voices: Voices) -> Utterance:
    speaker = as_label(as_record(segment.get("speaker")).get("speaker_label"))
    return Utterance(
        text=as_text(segment.get("text")),
        speaker=voices.label(_channel(segment), speaker),
        start=scaled(segment.get("start_timestamp_millis"), MS),
        end=scaled(segment.get("end_timestamp_millis"), MS),
    )
