"""Azure's and Google's transcripts: units of time, readings, channels and speakers, and words that come twice."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.formats import READERS as TABLE
from channels.phone.formats import azure, google
from normalizer.errors import Rejected
from normalizer.ticket import Speaker
from tests.channels.phone.readers import (
    HOUR_BUDGET_S,
    HOUR_WORDS,
    Hour,
    Reader,
    assert_call_or_rejected,
    fixture,
    fixtures_of,
    hostile,
    lines,
    losses,
    sample,
    seconds_to_read,
    times,
)
from tests.effort import Effort

READERS = (azure, google)
AZURE = "asr_azure/samples/ingestion/ingestion-client/Tests/TestFiles/"
GOOGLE = "asr_bbc/stt-adapters/google-stt/sample/"


# Azure ----------------------------------------------------------------------------------------------------------------


def test_azure_batch_puts_channels_in_time_whatever_the_unit() -> None:
    call = azure.read(fixture("azure/batch_v3.json"))
    assert lines(call) == [("0/1", "您好。"), ("1/1", "路灯不亮。")], "each channel counts its own speakers"
    assert times(call) == [(0.5, 1.5), (62.5, 64.0)], "ticks of 100 ns; ISO 8601 where there are none"
    assert [said.confidence for said in call.utterances] == [0.95, 0.81]
    assert [(word.text, word.confidence) for word in call.utterances[1].words] == [("路灯", 0.9), ("不亮", 0.41)]
    assert call.language == "zh-CN"
    assert losses(call) == {"alternatives_lost"}


def test_azure_recording_is_kept_without_the_key_that_opens_it() -> None:
    assert azure.read(fixture("azure/batch_v3.json")).recording == "https://store.example/1.wav"


def test_azure_batch_v2_is_read_as_well() -> None:
    call = azure.read(fixture("azure/batch_v2.json"))
    assert (lines(call), times(call)) == ([("2", "Hello.")], [(0.5, 1.5)])
    assert [word.confidence for word in call.utterances[0].words] == [0.77]
    assert call.recording == "https://store.example/a.wav"


def test_azure_fast_transcription_counts_milliseconds() -> None:
    call = azure.read(fixture("azure/fast.json"))
    assert lines(call) == [("1", "您好。"), ("2", "路灯不亮。")]
    assert times(call) == [(0.5, 1.4), (2.0, 3.6)], "`offset` was the preview's name of `offsetMilliseconds`"
    assert [said.confidence for said in call.utterances] == [0.93, 0.9]


def test_azure_real_time_results_that_heard_nothing_are_left_out() -> None:
    call = azure.read(fixture("azure/real_time.json"))
    assert lines(call) == [("Guest-1", "Hello."), ("", "A lamp is out.")]
    assert times(call) == [(0.5, 1.5), (2.0, 3.0)]


def test_azure_single_result_and_combined_text_are_read_when_there_is_nothing_better() -> None:
    single = fixture("azure/real_time.json")[2]
    assert azure.recognise(single)
    assert lines(azure.read(single)) == [("", "A lamp is out.")]
    assert lines(azure.read(fixture("azure/combined_only.json"))) == [("0", "您好。"), ("1", "路灯不亮。")]


def test_azure_conversation_gives_roles_where_the_participant_bears_one() -> None:
    call = azure.read(fixture("azure/conversation.json"))
    assert [(said.speaker, said.role, said.text) for said in call.utterances] == [
        ("agent_1", Speaker.AGENT, "您好。"),
        ("Customer", Speaker.CITIZEN, "路灯不亮。"),
        ("3", None, "嗯。"),
    ]
    assert times(call) == [(0.5, 1.5), (2.0, 3.6), (4.0, None)]
    assert (call.call_id, call.language) == ("conv-1", "zh")
    assert losses(call) == {"tasks_lost"}


def test_azure_document_with_several_calls_is_refused_not_cut() -> None:
    talks = fixture("azure/conversation.json")
    talks["analysisInput"]["conversations"] *= 2
    files = fixture("azure/batch_v2.json")
    files["AudioFileResults"] *= 2
    for document in (talks, files):
        assert azure.recognise(document)
        with pytest.raises(Rejected) as caught:
            azure.read(document)
        assert caught.value.code == "several_calls"


def test_azure_survives_members_of_the_wrong_type() -> None:
    document = fixture("azure/batch_v3.json")
    first, second, third = document["recognizedPhrases"]
    first |= {"offset": 3, "duration": {"PT": 1}, "channel": [1]}
    first["nBest"][0] |= {"confidence": "0.5", "words": "路灯"}
    second["nBest"] = second["nBest"][0]
    document["recognizedPhrases"] = [None, first, second, third, 7]
    said = azure.read(document).utterances
    assert [(one.text, one.start, one.end, one.confidence) for one in said] == [("路灯不亮。", 0.003, None, 0.5)]


# Google ---------------------------------------------------------------------------------------------------------------


def test_google_gives_an_utterance_for_each_result() -> None:
    call = google.read(fixture("google/v1.json"))
    assert lines(call) == [("", "您好请讲"), ("", "路灯不亮")]
    assert times(call) == [(0.5, 1.3), (None, 3.6)]
    assert [said.confidence for said in call.utterances] == [0.95, None], "0.0 means that it was not set"
    assert [(word.text, word.confidence) for word in call.utterances[0].words] == [("您好", 0.9), ("请讲", 0.41)]
    assert call.language == "cmn-hans-cn"
    assert losses(call) == {"alternatives_lost"}


def test_google_words_that_the_last_result_repeats_are_taken_once_with_their_speakers() -> None:
    call = google.read(fixture("google/speakers_repeated.json"))
    assert lines(call) == [("2", "您好请讲"), ("1", "路灯"), ("2", "不亮")]
    assert times(call) == [(0.5, 1.3), (2.0, 2.4), (2.4, 3.6)]
    assert [said.confidence for said in call.utterances] == [0.95, 0.9, None]


def test_google_repeated_words_without_times_are_taken_once_too() -> None:
    call = google.read(fixture("google/speakers_repeated_without_times.json"))
    assert lines(call) == [("1", "Hello there"), ("2", "lamp out")]


def test_google_results_that_repeat_nothing_are_all_kept() -> None:
    document = fixture("google/v2_speakers.json")
    expected = [("1", "hello"), ("2", "lamp out")]
    call = google.read(document)
    assert lines(call) == expected
    assert times(call) == [(0.5, 1.0), (2.0, 3.0)]
    for result in document["results"]:
        del result["resultEndOffset"]
        for word in result["alternatives"][0]["words"]:
            del word["startOffset"], word["endOffset"]
    assert lines(google.read(document)) == expected, "also where only the words themselves can tell"


def test_google_channels_of_a_batch_are_put_in_time() -> None:
    call = google.read(fixture("google/v2_batch_channels.json"))
    assert lines(call) == [("1", "您好"), ("2", "路灯不亮")]
    assert times(call) == [(0.5, 1.0), (2.0, 2.5)], "protobuf leaves a zero part of a duration out"


def test_google_batch_of_several_recordings_is_refused_not_cut() -> None:
    document = fixture("google/v2_batch_channels.json")
    results = document["results"]
    results["gs://bucket/b.wav"] = results["gs://bucket/a.wav"]
    assert google.recognise(document)
    with pytest.raises(Rejected) as caught:
        google.read(document)
    assert caught.value.code == "several_calls"


def test_google_interim_results_are_left_out_and_said() -> None:
    document = fixture("google/v1.json")
    document["results"][0]["isFinal"] = False
    call = google.read(document)
    assert lines(call) == [("", "路灯不亮")]
    assert losses(call) == {"partial_results_lost"}


def test_google_survives_members_of_the_wrong_type() -> None:
    document = fixture("google/v1.json")
    first, second = document["results"]
    words = first["alternatives"][0]["words"]
    words[0] |= {"startTime": {"seconds": [], "nanos": "x"}, "confidence": "much"}
    words[1] |= {"endTime": "later"}
    second["alternatives"] = {"transcript": "路灯不亮"}
    said = google.read(document).utterances
    assert [(one.text, one.start, one.end) for one in said] == [("您好请讲", 0.9, 0.9)]


# Both -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.NAME)
def test_only_the_own_reader_recognises_a_fixture(reader: Reader) -> None:
    for document in fixtures_of(reader):
        assert [name for name, other in TABLE.items() if other.recognise(document)] == [reader.NAME]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.NAME)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_json_gives_a_call_or_a_rejection(reader: Reader, data: st.DataObject) -> None:
    assert_call_or_rejected(reader, data.draw(hostile(reader)))


@pytest.mark.parametrize(
    ("path", "reader", "voices", "count"),
    [
        (AZURE + "realtimeresult.json", azure, {"0", "1"}, 2),
        (AZURE + "summarizationInputSample.json", azure, {"1", "2"}, 4),
        (AZURE + "transcriptSample.json", azure, {"1", "2"}, 3),
        (GOOGLE + "gcpStt.sample.json", google, {""}, 57),
        (GOOGLE + "gcpSttPunctuation.sample.json", google, {""}, 57),
        (GOOGLE + "gcpSttSpeakerDiarization.sample.json", google, {"1", "2"}, 57),
    ],
)
def test_real_transcripts_give_utterances_with_times(path: str, reader: Reader, voices: set[str], count: int) -> None:
    document = sample(path)
    assert reader.recognise(document)
    call = reader.read(document)
    assert len(call.utterances) == count
    assert {said.speaker for said in call.utterances} == voices
    assert all(said.start is not None and said.end is not None for said in call.utterances)


def test_the_real_call_center_conversation_bears_roles() -> None:
    call = azure.read(sample("asr_azure/scenarios/call-center/sampledata/Json_input_customer_support.json"))
    assert len(call.utterances) == 17
    assert {said.role for said in call.utterances} == {Speaker.AGENT, Speaker.CITIZEN}


def test_the_real_transcript_with_speakers_says_each_word_once() -> None:
    document = sample(GOOGLE + "gcpSttSpeakerDiarization.sample.json")
    written = "".join(result["alternatives"][0]["transcript"] for result in document["results"])
    said = "".join(one.text for one in google.read(document).utterances)
    assert said.replace(" ", "") == written.replace(" ", "")


def _google_words(hour: Hour, places: range, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "word": hour.words[place],
            "startTime": f"{hour.times[place][0]:.2f}s",
            "endTime": f"{hour.times[place][1]:.2f}s",
            "confidence": 0.9,
            **more,
        }
        for place in places
    ]


def test_an_hours_call_from_azure_is_read_at_once() -> None:
    hour = Hour()
    phrases = [
        {
            "recognitionStatus": "Success",
            "channel": 0,
            "speaker": 1 + number % 2,
            "offsetInTicks": hour.times[turn[0]][0] * 1e7,
            "durationInTicks": 6e7,
            "nBest": [
                {
                    "confidence": 0.9,
                    "display": hour.text(turn),
                    "words": [
                        {"word": hour.words[place], "offset": f"PT{hour.times[place][0]}S", "duration": "PT0.25S"}
                        | {"offsetInTicks": hour.times[place][0] * 1e7, "durationInTicks": 2.5e6, "confidence": 0.9}
                        for place in turn
                    ],
                }
            ],
        }
        for number, turn in enumerate(hour.turns)
    ]
    assert seconds_to_read(azure, {"recognizedPhrases": phrases}) < HOUR_BUDGET_S


def test_an_hours_call_from_google_with_every_word_twice_is_read_at_once() -> None:
    hour = Hour()
    results = [
        {"alternatives": [{"transcript": hour.text(turn), "words": _google_words(hour, turn)}]} for turn in hour.turns
    ]
    tagged = _google_words(hour, range(HOUR_WORDS))
    for place, word in enumerate(tagged):
        word["speakerTag"] = 1 + hour.speaker(place)
    assert seconds_to_read(google, {"results": [*results, {"alternatives": [{"words": tagged}]}]}) < HOUR_BUDGET_S


def test_very_many_results_that_all_bear_speakers_take_linear_time() -> None:
    word = {"word": "灯", "speakerTag": 1, "startTime": "1s", "endTime": "2s"}
    results = [{"channelTag": 1, "alternatives": [{"transcript": "灯", "words": [word]}]}] * 40_000
    effort = Effort()
    google.read({"results": results})
    assert effort.within(2), "comparing each with each takes a hundred times as long"
