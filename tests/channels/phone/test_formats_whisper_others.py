"""Whisper and its children, Deepgram, AssemblyAI, IBM and Kaldi; and that no two readers claim one document."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.formats import READERS as TABLE
from channels.phone.formats import assemblyai, deepgram, ibm, kaldi, whisper
from normalizer.ticket import Speaker
from tests.channels.phone.readers import (
    HOUR_BUDGET_S,
    HOUR_WORDS,
    SAMPLES,
    Hour,
    Reader,
    assert_call_or_rejected,
    fixture,
    fixtures_of,
    hostile,
    lines,
    losses,
    real_samples,
    sample,
    seconds_to_read,
    times,
)

READERS = (whisper, deepgram, assemblyai, ibm, kaldi)


# Whisper --------------------------------------------------------------------------------------------------------------


def test_whisper_gives_an_utterance_for_each_segment() -> None:
    call = whisper.read(fixture("whisper/openai.json"))
    assert lines(call) == [("", "您好。"), ("", "路灯不亮。")]
    assert times(call) == [(0.5, 1.3), (2.0, 3.6)]
    assert [said.confidence for said in call.utterances] == [math.exp(-0.1), 1.0], "of the mean log probability"
    assert [(word.text, word.confidence) for word in call.utterances[0].words] == [("您好", 0.41), ("。", 0.99)]
    assert call.language == "zh"
    assert losses(call) == {"silence_scores_lost"}


def test_whisper_timestamped_gives_its_own_confidences() -> None:
    said = whisper.read(fixture("whisper/timestamped.json")).utterances[0]
    assert (said.text, said.confidence) == ("The lamp is out.", 0.8)
    assert [(word.text, word.confidence) for word in said.words] == [("The", 0.9), ("lamp", 0.4)]


def test_whisperx_segment_in_which_the_speaker_changes_is_divided() -> None:
    call = whisper.read(fixture("whisper/whisperx.json"))
    assert lines(call) == [("SPEAKER_00", "Hello."), ("SPEAKER_01", "Lamp 12 isn't lit.")]
    assert times(call) == [(0.5, 0.9), (2.0, 4.0)], "a word without a time stays with the speaker before it"


def test_whisper_bare_list_silence_and_whisper_cpp_are_read() -> None:
    assert lines(whisper.read(fixture("whisper/faster_list.json"))) == [("", "您好。"), ("", "路灯不亮。")]
    assert whisper.read(fixture("whisper/silent.json")).utterances == ()
    cpp = whisper.read(fixture("whisper/cpp.json"))
    assert (lines(cpp), times(cpp), cpp.language) == ([("", "您好。")], [(0.5, 1.3)], "zh")


def test_whisper_speaker_whose_name_is_a_role_bears_it() -> None:
    said = whisper.read(fixture("whisper/diarized.json")).utterances
    assert [(one.speaker, one.role) for one in said] == [("agent", Speaker.AGENT), ("A", None)]


def test_whisper_survives_members_of_the_wrong_type() -> None:
    document = fixture("whisper/openai.json")
    document["segments"][0] |= {"start": None, "avg_logprob": "low", "words": [None, {"word": 3, "probability": True}]}
    document["segments"] += [None, {"text": ["x"]}]
    said = whisper.read(document).utterances
    assert [(one.text, one.start, one.confidence, one.words) for one in said] == [
        ("您好。", None, None, ()),
        ("路灯不亮。", 2.0, 1.0, ()),
    ]


@pytest.mark.parametrize("document", [{"text": "hello"}, [], [{}], {"segments": []}, [{"start": "1", "text": "x"}]])
def test_whisper_does_not_claim_what_could_be_anything(document: object) -> None:
    assert not whisper.recognise(document)


# Deepgram -------------------------------------------------------------------------------------------------------------


def test_deepgram_words_go_to_their_speakers() -> None:
    call = deepgram.read(fixture("deepgram/words.json"))
    assert lines(call) == [("0", "Hello."), ("1", "The lamp")]
    assert times(call) == [(0.5, 0.9), (2.0, 2.5)]
    assert [(word.text, word.confidence) for word in call.utterances[1].words] == [("The", 0.8), ("lamp", 0.4)]
    assert call.language == "en"
    assert losses(call) == {"summaries_lost", "alternatives_lost"}


def test_deepgram_utterances_of_two_channels_are_put_in_time() -> None:
    call = deepgram.read(fixture("deepgram/utterances.json"))
    assert lines(call) == [("0/0", "Hello."), ("1/0", "The lamp")]
    assert [said.confidence for said in call.utterances] == [0.9, 0.6]


def test_deepgram_transcript_alone_is_enough() -> None:
    assert lines(deepgram.read(fixture("deepgram/transcript_only.json"))) == [("", "路灯不亮")]


# AssemblyAI -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["words", "utterances"])
def test_assemblyai_gives_speakers_in_seconds(name: str) -> None:
    call = assemblyai.read(fixture(f"assemblyai/{name}.json"))
    assert lines(call) == [("A", "Hello."), ("B", "The lamp")]
    assert times(call) == [(0.5, 0.9), (2.0, 2.5)]
    assert [(word.text, word.confidence) for word in call.utterances[1].words] == [("The", 0.8), ("lamp", 0.4)]
    assert (call.recording, call.language) == ("https://store.example/a.mp3", "en-us")


def test_assemblyai_text_alone_is_enough() -> None:
    assert lines(assemblyai.read(fixture("assemblyai/text_only.json"))) == [("", "Hello. The lamp")]


# IBM ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["result", "job"])
def test_ibm_final_results_bear_speakers_and_no_hesitation(name: str) -> None:
    call = ibm.read(fixture(f"ibm/{name}.json"))
    assert lines(call) == [("0", "hello"), ("1", "the lamp")]
    assert times(call) == [(0.5, 0.9), (2.0, 2.5)]
    assert [said.confidence for said in call.utterances] == [0.9, 0.7]
    assert [(word.text, word.confidence) for word in call.utterances[0].words] == [("hello", 0.8)]
    assert losses(call) == {"partial_results_lost", "alternatives_lost"}


def test_ibm_lists_of_the_wrong_shape_lose_only_themselves() -> None:
    document = fixture("ibm/result.json")
    best = document["results"][1]["alternatives"][0]
    best |= {"timestamps": [["the"], ["lamp", "x", None], "out", [], [None, 1, 2]], "word_confidence": [[], ["lamp"]]}
    said = ibm.read(document).utterances
    assert [(one.text, one.start, one.words) for one in said[1:]] == [("the lamp", None, ())]


# Kaldi ----------------------------------------------------------------------------------------------------------------


def test_kaldi_words_go_to_the_speaker_of_the_segment() -> None:
    call = kaldi.read(fixture("kaldi/bbc.json"))
    assert lines(call) == [("S0", "Hello."), ("S1", "The lamp.")]
    assert times(call) == [(0.5, 0.9), (1.995, 2.5)]


def test_kaldi_segmentation_alone_is_no_speech() -> None:
    document = fixture("kaldi/bbc_no_words.json")
    assert kaldi.recognise(document)
    assert kaldi.read(document).utterances == ()


def test_vosk_chinese_is_joined_without_blanks() -> None:
    call = kaldi.read(fixture("kaldi/vosk.json"))
    assert (lines(call), times(call)) == ([("", "您好")], [(0.5, 0.9)])
    assert [word.confidence for word in call.utterances[0].words] == [0.9, 0.4]


# All of them ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.NAME)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_json_gives_a_call_or_a_rejection(reader: Reader, data: st.DataObject) -> None:
    assert_call_or_rejected(reader, data.draw(hostile(reader)))


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.NAME)
def test_a_fixture_is_recognised_by_its_own_reader_only(reader: Reader) -> None:
    for document in fixtures_of(reader):
        assert [name for name, other in TABLE.items() if other.recognise(document)] == [reader.NAME]


def test_no_two_readers_claim_one_real_transcript() -> None:
    paths = real_samples()
    if not paths:
        pytest.skip("the real transcripts are not on this machine")
    for path in paths:
        document = json.loads(path.read_text("utf-8"))
        claims = [name for name, reader in TABLE.items() if reader.recognise(document)]
        assert len(claims) <= 1, path.relative_to(SAMPLES)


@pytest.mark.parametrize(
    ("path", "reader", "voices", "at_least"),
    [
        ("asr_deepgram/whisper_timestamped.json", whisper, {""}, 4),
        ("asr_bbc/export-adapters/subtitles-generator/sample/test.sample.json", whisper, {""}, 200),
        ("asr_deepgram/dg_speakers.json", deepgram, {"0", "1", "2"}, 22),
        ("asr_deepgram/dg_speakers_no_utterances.json", deepgram, {"0", "1", "2"}, 11),
        ("asr_deepgram/dg_transcription.json", deepgram, {""}, 1),
        ("asr_deepgram/dg_utterances.json", deepgram, {""}, 6),
        ("asr_deepgram/dg_whisper_transcription.json", deepgram, {""}, 1),
        ("asr_deepgram/assemblyai_transcription.json", assemblyai, {"A"}, 1),
        ("asr_deepgram/assemblyai_utterances.json", assemblyai, {"A"}, 1),
        ("asr_bbc/stt-adapters/ibm/sample/ibmTedTalkTranscript.sample.json", ibm, {"1"}, 87),
        ("asr_bbc/stt-adapters/bbc-kaldi/sample/kaldiTedTalkTranscript.sample.json", kaldi, {""}, 20),
        (
            "asr_bbc/stt-adapters/bbc-kaldi/sample/bbcKaldiTranscriptWithSpeakerSegments.sample.json",
            kaldi,
            {"S10", "S12"},
            60,
        ),
    ],
)
def test_real_transcripts_give_utterances_with_times(
    path: str, reader: Reader, voices: set[str], at_least: int
) -> None:
    document = sample(path)
    assert reader.recognise(document)
    call = reader.read(document)
    assert len(call.utterances) >= at_least
    assert {said.speaker for said in call.utterances} == voices
    assert all(said.start is not None and said.end is not None for said in call.utterances)


def _hours() -> list[tuple[Reader, Any]]:
    hour = Hour()
    words = [
        {"word": word, "text": word, "start": begin, "end": end, "confidence": 0.9, "speaker": str(hour.speaker(place))}
        for place, (word, (begin, end)) in enumerate(zip(hour.words, hour.times, strict=True))
    ]
    segments = [
        {"start": 0.0, "end": 1.0, "text": hour.text(turn), "tokens": [1] * 60, "words": [words[at] for at in turn]}
        for turn in hour.turns
    ]
    labels = [{"from": word["start"], "to": word["end"], "speaker": int(str(word["speaker"]))} for word in words]
    results = [
        {
            "final": True,
            "alternatives": [
                {
                    "transcript": hour.text(turn),
                    "timestamps": [[hour.words[at], *hour.times[at]] for at in turn],
                    "word_confidence": [[hour.words[at], 0.9] for at in turn],
                }
            ],
        }
        for turn in hour.turns
    ]
    spans = [
        {"start": hour.times[turn[0]][0], "speaker": {"@id": f"S{place % 2}"}} for place, turn in enumerate(hour.turns)
    ]
    return [
        (whisper, {"segments": segments}),
        (deepgram, {"results": {"channels": [{"alternatives": [{"words": words}]}]}}),
        (assemblyai, {"status": "completed", "words": words}),
        (ibm, {"results": results, "speaker_labels": labels}),
        (kaldi, {"retval": {"words": words, "segmentation": {"segments": spans}}}),
    ]


def test_an_hours_call_is_read_at_once() -> None:
    for reader, document in _hours():
        assert seconds_to_read(reader, document) < HOUR_BUDGET_S, f"{reader.NAME}: {HOUR_WORDS} words"
