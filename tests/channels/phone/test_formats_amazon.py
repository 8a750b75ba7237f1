"""Amazon's transcripts (Transcribe, Contact Lens, Bedrock Data Automation), and how words become utterances."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.formats import READERS as TABLE
from channels.phone.formats import amazon_bedrock, amazon_transcribe, contact_lens
from channels.phone.formats.words import Spoken, by_voice, join_words
from normalizer.ticket import Speaker
from tests.channels.phone.readers import (
    HOUR_BUDGET_S,
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

READERS = (amazon_transcribe, amazon_bedrock, contact_lens)


# Words ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["小区", "北门", "，", "车位", "。"], "小区北门，车位。"),
        (["the", "lamp", "is", "out", "."], "the lamp is out."),
        (["用", "iPhone", "拍", "的"], "用iPhone拍的"),
        (["一百", "21", "栋"], "一百21栋"),
        (["你好", ",", "OK", ",", "fine"], "你好, OK, fine"),
        (["it", "'s", "do", "n't", "I", "'ll"], "it's don't I'll"),
        (["he", "said", "(", "twice", ")", "$", "5", "!"], "he said (twice) $5!"),
        (["1", "3", "8", "0", "at", "12", "34"], "1380 at 12 34"),
        ([" Yes,", " sir", "", "  "], "Yes, sir"),
        (["가로등이", "고장"], "가로등이 고장"),
        (["ไฟ", "ดับ"], "ไฟดับ"),
        (["version", ".NET", "now"], "version .NET now"),
        ([], ""),
    ],
)
def test_words_are_joined_as_their_language_writes_them(words: list[str], text: str) -> None:
    assert join_words(words) == text


@given(st.lists(st.text(max_size=5), max_size=20))
def test_joining_loses_and_adds_nothing_but_blanks(words: list[str]) -> None:
    assert join_words(words).replace(" ", "") == "".join(word.strip() for word in words).replace(" ", "")


def test_an_utterance_ends_with_the_voice_or_with_a_pause_and_keeps_its_punctuation() -> None:
    spoken = [
        Spoken("Hello", 0.0, 0.5, 0.9, "a"),
        Spoken(","),
        Spoken("lamps", 0.6, 1.0, None, "a"),
        Spoken("yes", 1.1, 1.4, 0.8, "b"),
        Spoken("out", 9.0, 9.5, 0.8, "b"),
        Spoken("."),
    ]
    said = list(by_voice(spoken, pause=1.0))
    assert [(one.speaker, one.text, one.start, one.end) for one in said] == [
        ("a", "Hello, lamps", 0.0, 1.0),
        ("b", "yes", 1.1, 1.4),
        ("b", "out.", 9.0, 9.5),
    ]
    assert [word.text for word in said[0].words] == ["Hello"], "only words whose confidence the source gives"


# Transcribe -----------------------------------------------------------------------------------------------------------


def test_transcribe_words_go_to_the_speaker_in_whose_segment_they_begin() -> None:
    call = amazon_transcribe.read(fixture("amazon_transcribe/speakers_zh.json"))
    assert lines(call) == [("spk_0", "您好，请讲。"), ("spk_1", "我反映路灯不亮。")]
    assert times(call) == [(0.5, 1.3), (2.0, 3.6)], "a word that begins 1 ms before its segment is in it"
    assert call.language == "zh-CN"
    assert losses(call) == {"alternatives_lost"}


def test_transcribe_confidences_are_numbers_and_marks_have_none() -> None:
    words = amazon_transcribe.read(fixture("amazon_transcribe/speakers_zh.json")).utterances[1].words
    assert [(word.text, word.confidence) for word in words] == [
        ("我", 1.0),
        ("反映", 0.4312),
        ("路灯", 0.88),
        ("不亮", 0.97),
    ]


def test_transcribe_audio_segments_are_taken_as_they_are() -> None:
    call = amazon_transcribe.read(fixture("amazon_transcribe/audio_segments_zh.json"))
    assert lines(call) == [("spk_0", "您好，请讲。"), ("spk_1", "我反映路灯不亮。")]
    assert times(call) == [(0.4, 1.35), (1.99, 3.65)]
    assert [len(said.words) for said in call.utterances] == [2, 4]


def test_transcribe_channels_that_talk_at_once_are_not_shuffled() -> None:
    document = fixture("amazon_transcribe/channels.json")
    expected = [("ch_0", "Street lamps don't work."), ("ch_1", "Uh, huh"), ("ch_1", "Where?")]
    assert lines(amazon_transcribe.read(document)) == expected
    del document["results"]["channel_labels"]["channels"]
    assert lines(amazon_transcribe.read(document)) == expected, "the items' own labels say the same"


def test_transcribe_without_speakers_is_divided_by_pauses_only() -> None:
    document = fixture("amazon_transcribe/plain.json")
    assert lines(amazon_transcribe.read(document)) == [("", "One two."), ("", "Three.")]
    assert lines(amazon_transcribe.read(document["results"]["items"])) == [("", "One two."), ("", "Three.")]
    document["results"]["items"] = []
    assert lines(amazon_transcribe.read(document)) == [("", "One two. Three.")], "the text is all that is left"


def test_transcribe_survives_items_of_the_wrong_type() -> None:
    document = fixture("amazon_transcribe/speakers_zh.json")
    items = document["results"]["items"]
    items[0]["alternatives"] = {"content": "您好"}
    items[2]["start_time"] = None
    items[4]["alternatives"][0]["confidence"] = 7
    items[5]["start_time"] = "soon"
    items.append("。")
    said = amazon_transcribe.read(document).utterances
    assert "".join(one.text for one in said) == "，请讲。我反映路灯不亮。"
    assert "我" not in [word.text for one in said for word in one.words], "7 is no confidence"


# Contact Lens ---------------------------------------------------------------------------------------------------------


def test_contact_lens_gives_roles_by_participant() -> None:
    call = contact_lens.read(fixture("contact_lens/post_call.json"))
    assert [(said.speaker, said.role, said.text) for said in call.utterances] == [
        ("p1", Speaker.AGENT, "您好，请讲。"),
        ("p2", Speaker.CITIZEN, "路灯不亮。"),
    ]
    assert times(call) == [(0.5, 1.3), (2.0, 3.6)]
    assert [(word.text, word.confidence) for word in call.utterances[0].words] == [("您好", 0.99), ("请讲", 0.5)]
    assert (call.call_id, call.language) == ("c-0001", "zh-CN")
    assert losses(call) == {"categories_lost", "measurements_lost", "sentiments_lost", "issues_lost"}


def test_call_analytics_gives_roles_by_utterance_and_is_put_in_time() -> None:
    call = contact_lens.read(fixture("contact_lens/call_analytics.json"))
    assert [(said.role, said.text) for said in call.utterances] == [
        (Speaker.AGENT, "Hello."),
        (Speaker.CITIZEN, "The lamp is out."),
    ]
    assert call.call_id is None, "a job's name is not the call's"


def test_contact_lens_in_real_time_keeps_final_segments_only() -> None:
    call = contact_lens.read(fixture("contact_lens/real_time.json"))
    assert [(said.role, said.text) for said in call.utterances] == [(Speaker.CITIZEN, "The lamp is out.")]
    assert call.call_id == "c-0002"
    assert losses(call) == {"partial_results_lost", "categories_lost", "sentiments_lost"}


# Bedrock Data Automation ----------------------------------------------------------------------------------------------


def test_bedrock_segments_are_told_apart_by_channel_and_speaker() -> None:
    call = amazon_bedrock.read(fixture("amazon_bedrock/standard.json"))
    assert lines(call) == [("ch_1/spk_1", "Hello."), ("ch_0/spk_0", "A bus stop is gone.")]
    assert times(call) == [(1.62, 2.05), (2.5, 4.0)]
    assert (call.recording, call.language) == ("s3://calls/a/1.wav", "en")
    assert losses(call) == {"topics_lost", "word_times_lost", "summaries_lost", "moderation_scores_lost"}


# All of them ----------------------------------------------------------------------------------------------------------


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
    ("path", "reader", "voices", "at_least"),
    [
        ("asr_aws_zh/transcriptJSON.json", amazon_transcribe, {""}, 5),
        ("asr_bbc/stt-adapters/amazon-transcribe/sample/amazonTranscribe.sample.json", amazon_transcribe, {""}, 30),
        (
            "asr_bbc/stt-adapters/amazon-transcribe/sample/todayinfocus.sample.json",
            amazon_transcribe,
            {"spk_0", "spk_1"},
            20,
        ),
        (
            "asr_bbc/stt-adapters/amazon-transcribe/sample/todayinfocuswords.sample.json",
            amazon_transcribe,
            {"spk_0", "spk_1"},
            3,
        ),
        ("asr_aws/example-call.json", contact_lens, {"AGENT", "CUSTOMER"}, 37),
        ("asr_aws/bda-standard.json", amazon_bedrock, {"ch_0/spk_0", "ch_1/spk_1"}, 51),
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


def test_the_real_chinese_transcript_reads_as_the_service_wrote_it() -> None:
    document = sample("asr_aws_zh/transcriptJSON.json")
    text = "".join(said.text for said in amazon_transcribe.read(document).utterances)
    written: str = document["results"]["transcripts"][0]["transcript"]
    assert text.replace(" ", "") == written.replace(" ", "")


def test_the_real_english_transcript_reads_as_the_service_wrote_it() -> None:
    document = sample("asr_bbc/stt-adapters/amazon-transcribe/sample/amazonTranscribe.sample.json")
    text = " ".join(said.text for said in amazon_transcribe.read(document).utterances)
    assert text == document["results"]["transcripts"][0]["transcript"].strip()


def test_a_blueprints_answers_are_not_speech() -> None:
    document = sample("asr_aws/bda-custom.json")
    assert amazon_bedrock.recognise(document)
    assert amazon_bedrock.read(document).utterances == ()


def _items(hour: Hour) -> list[dict[str, object]]:
    return [
        {
            "id": place,
            "type": "pronunciation",
            "alternatives": [{"confidence": "0.93", "content": word}],
            "start_time": str(begin),
            "end_time": str(end),
            "speaker_label": f"spk_{hour.speaker(place)}",
        }
        for place, (word, (begin, end)) in enumerate(zip(hour.words, hour.times, strict=True))
    ]


def test_an_hours_call_with_audio_segments_is_read_at_once() -> None:
    hour = Hour()
    segments = [
        {"id": number, "transcript": hour.text(turn), "speaker_label": f"spk_{number % 2}", "items": list(turn)}
        for number, turn in enumerate(hour.turns)
    ]
    document = {"results": {"items": _items(hour), "audio_segments": segments}}
    assert seconds_to_read(amazon_transcribe, document) < HOUR_BUDGET_S


def test_an_hours_call_with_speakers_segments_is_read_at_once() -> None:
    hour = Hour()
    segments = [
        {"start_time": str(hour.times[turn[0]][0]), "speaker_label": f"spk_{number % 2}", "items": []}
        for number, turn in enumerate(hour.turns)
    ]
    document = {"results": {"items": _items(hour), "speaker_labels": {"segments": segments}}}
    assert seconds_to_read(amazon_transcribe, document) < HOUR_BUDGET_S


def test_an_hours_call_with_channels_is_read_at_once() -> None:
    hour = Hour()
    items = [item | {"channel_label": str(item.pop("speaker_label"))} for item in _items(hour)]
    assert seconds_to_read(amazon_transcribe, {"results": {"items": items}}) < HOUR_BUDGET_S


def test_an_hours_analysed_call_is_read_at_once() -> None:
    hour = Hour()
    said = [
        {
            "ParticipantRole": ("AGENT", "CUSTOMER")[number % 2],
            "Content": hour.text(turn),
            "BeginOffsetMillis": hour.times[turn[0]][0] * 1000,
            "Items": [{"Type": "pronunciation", "Confidence": 0.9, "Content": hour.words[place]} for place in turn],
        }
        for number, turn in enumerate(hour.turns)
    ]
    assert seconds_to_read(contact_lens, {"JobStatus": "COMPLETED", "Transcript": said}) < HOUR_BUDGET_S
