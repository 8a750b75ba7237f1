"""The readers of the Chinese services (DashScope, FunASR, iFlytek, Tencent): what each copies; none guesses."""

import json
import random
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.call import Call, Utterance, Word
from channels.phone.formats import dashscope, funasr, iflytek, tencent
from normalizer.errors import Rejected
from normalizer.ticket import Speaker
from tests.effort import Effort

FIXTURES = Path(__file__).parent / "fixtures"
SAMPLES = Path(__file__).parents[3] / "../shared/data/phone/zh_snippets"
READERS = {reader.NAME: reader for reader in (dashscope, funasr, iflytek, tencent)}


def document(path: str) -> object:
    return json.loads((FIXTURES / path).read_text("utf-8"))


def call_of(path: str) -> Call:
    reader = READERS[path.partition("/")[0]]
    assert reader.recognise(document(path))
    return reader.read(document(path))


def said(call: Call) -> list[tuple[str, str, float | None, float | None]]:
    return [(one.speaker, one.text, one.start, one.end) for one in call.utterances]


def losses(call: Call) -> set[str]:
    return {note.code for note in call.lost}


# DashScope ------------------------------------------------------------------------------------------------------------


def test_dashscope_channels_are_put_together_by_time_and_tell_the_voices_apart() -> None:
    call = call_of("dashscope/two_channels.json")
    assert said(call) == [
        ("0/0", "您好，请讲。", 0.2, 1.9),
        ("1/0", "楼道里的灯坏了三天。", 2.1, 8.7),  # from the words: the sentence has no text
        ("0/0", "好的，马上登记。", 9.0, 10.5),  # milliseconds written as strings
    ]
    assert call.recording == "https://bucket.example/rec/8001.wav", "the signature that opens it is not kept"
    assert losses(call) == {"emotions_lost"}
    assert all(one.role is None for one in call.utterances), "a channel's number is no role"


def test_dashscope_speakers_of_one_channel_keep_their_numbers() -> None:
    assert said(call_of("dashscope/speakers.json")) == [
        ("0", "您好。", 0.0, 1.0),
        ("1", "我反映路灯不亮。", 1.2, 4.0),
    ]


def test_dashscope_task_is_read_when_it_holds_the_text_even_as_a_string() -> None:
    wrapped, bare = call_of("dashscope/task_with_text.json"), call_of("dashscope/speakers.json")
    assert wrapped.utterances == bare.utterances
    assert wrapped.recording == "https://bucket.example/rec/8002.wav"


def test_dashscope_task_that_only_points_to_its_text_says_so() -> None:
    call = call_of("dashscope/task.json")
    assert call.utterances == ()
    assert losses(call) == {"transcripts_by_url_lost"}


def test_dashscope_task_of_two_recordings_is_refused_rather_than_made_one_call() -> None:
    with pytest.raises(Rejected) as refusal:
        call_of("dashscope/task_of_two_recordings.json")
    assert refusal.value.code == "several_calls"


def test_dashscope_synchronous_result_is_read() -> None:
    assert said(call_of("dashscope/recognition.json")) == [("", "井盖丢了。", 0.17, 3.2)]


# FunASR ---------------------------------------------------------------------------------------------------------------


def test_funasr_sentences_have_their_speakers_and_their_times_or_those_of_their_tokens() -> None:
    call = call_of("funasr/speakers.json")
    assert said(call) == [
        ("0", "您好，请讲。", 0.1, 1.4),
        ("1", "我家停水了。", 1.8, 3.6),
        ("1", "从早上", 4.0, 4.9),
    ]
    assert call.recording == "rec_0101"


def test_funasr_server_message_has_blanks_between_characters_and_stamps_in_a_string() -> None:
    assert said(call_of("funasr/offline_message.json")) == [
        ("", "正是因为下雨，", 0.43, 1.9),
        ("", "路面积水。", 2.0, 3.0),
    ]


def test_funasr_corrections_replace_partial_results_and_the_uncorrected_end_is_kept() -> None:
    assert said(call_of("funasr/two_pass_messages.json")) == [("", "路灯不亮。", 0.0, 1.8), ("", "三天了", None, None)]


def test_funasr_partial_results_alone_are_one_utterance() -> None:
    messages = [{"mode": "2pass-online", "wav_name": "w", "text": word} for word in ("路灯", "不亮")]
    assert funasr.recognise(messages)
    assert said(funasr.read(messages)) == [("", "路灯不亮", None, None)]


def test_funasr_without_sentences_the_tokens_give_the_times() -> None:
    assert said(call_of("funasr/binary_line.json")) == [("", "hello world", 0.0, 0.92)]


def test_funasr_sense_voice_tags_are_no_text() -> None:
    call = call_of("funasr/sensevoice.json")
    assert said(call) == [("", "楼上漏水。", None, None)]
    assert losses(call) == {"sound_tags_lost"}


def test_funasr_results_of_two_recordings_are_refused_rather_than_made_one_call() -> None:
    with pytest.raises(Rejected) as refusal:
        call_of("funasr/two_recordings.json")
    assert refusal.value.code == "several_calls"


# iFlytek --------------------------------------------------------------------------------------------------------------


def test_iflytek_sentences_have_numbers_in_strings_and_confidences_of_what_was_heard() -> None:
    call = call_of("iflytek/sentences.json")
    assert call.utterances == (
        Utterance(text="您好，12345热线。", speaker="1", start=0.18, end=2.11),
        Utterance(
            text="垃圾没人清运。",
            speaker="2",
            start=2.3,
            end=6.89,
            words=(Word("垃圾", 0.41), Word("没人", 0.91), Word("清运", 1.0)),  # no marks: nobody heard them
        ),
    )
    assert losses(call) == {"alternatives_lost"}


def test_iflytek_speaker_0_everywhere_means_that_voices_were_not_told_apart() -> None:
    call = call_of("iflytek/answer_of_generation_1.json")
    assert [one.speaker for one in call.utterances] == ["", ""]
    assert [one.text for one in call.utterances] == ["您好，12345热线。", "垃圾没人清运。"]


def test_iflytek_lattices_are_read_out_of_strings_within_strings() -> None:
    call = call_of("iflytek/answer_of_generation_2.json")
    assert said(call) == [("1", "您好，请讲。", 0.39, 1.53), ("2", "嗯我投诉噪音。", 1.8, 5.2)]
    assert [word.confidence for word in call.utterances[1].words] == [0.5] * 4
    assert losses(call) == {"alternatives_lost", "unsmoothed_sentences_lost"}


def test_iflytek_unsmoothed_lattice_alone_is_read_and_damaged_entries_cost_only_themselves() -> None:
    call = iflytek.read(document("iflytek/unsmoothed_lattice.json"))
    assert said(call) == [("", "hello world.", 0.1, 0.9)]
    assert call.utterances[0].words == (), "0.0000 for every word is no confidence"


def test_iflytek_order_without_result_holds_nothing() -> None:
    assert call_of("iflytek/order_without_result.json").utterances == ()


# Tencent --------------------------------------------------------------------------------------------------------------


def test_tencent_details_have_text_speaker_and_times_whatever_is_missing() -> None:
    call = call_of("tencent/task.json")
    assert said(call) == [
        ("0", "您好，请讲。", 0.02, 2.38),
        ("1", "我要投诉", 2.9, 64.1),
        ("1", "停车乱", None, None),
    ]
    assert losses(call) == {"written_style_texts_lost", "emotions_lost"}


@pytest.mark.parametrize("path", ["tencent/answer.json", "tencent/callback.json"])
def test_tencent_wrapped_results_are_the_same_call(path: str) -> None:
    assert said(call_of(path))[0] == ("0", "您好，请讲。", 0.02, 2.38)


def test_tencent_result_text_has_voices_and_times() -> None:
    text = (FIXTURES / "tencent/result.txt").read_text("utf-8")
    assert tencent.recognise(text)
    assert said(tencent.read(text)) == [("0", "您好，请讲。", 0.02, 2.38), ("1", "我要投诉。", 2.9, 64.1)]


def test_tencent_role_given_by_name_is_a_role() -> None:
    task = {"TaskId": 1, "ResultDetail": [{"FinalSentence": "您好。", "SpeakerId": 0, "SpeakerRoleName": "坐席"}]}
    assert tencent.recognise(task)
    assert tencent.read(task).utterances[0].role is Speaker.AGENT


# All ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "reader", "utterances"),
    [
        ("dashscope_paraformer_v2_result.json", dashscope, 1),
        ("dashscope_task_succeeded.json", dashscope, 0),
        ("iflytek_lfasr_plain.json", iflytek, 4),
        ("iflytek_lfasr_words_last_sentence.json", iflytek, 1),
        ("tencent_asr_rec_task.json", tencent, 1),
    ],
)
def test_real_results_give_their_sentences_with_times(sample: str, reader: ModuleType, utterances: int) -> None:
    path = SAMPLES / sample
    if not path.exists():
        pytest.skip("the shared samples are not on this machine")
    result = json.loads(path.read_text("utf-8"))
    assert [name for name, one in READERS.items() if one.recognise(result)] == [reader.NAME]
    call = reader.read(result)
    assert len(call.utterances) == utterances
    assert all(one.text and one.start is not None and one.end > one.start for one in call.utterances)


def test_the_documented_funasr_messages_are_recognised_as_printed() -> None:
    docs = SAMPLES.parent / "asr_funasr_docs/runtime/docs/onnxruntime_binary_output_zh.md"
    if not docs.exists():
        pytest.skip("the shared samples are not on this machine")
    lines = [json.loads(line) for line in docs.read_text("utf-8").splitlines() if line.startswith("{")]
    assert [said(funasr.read(line)) for line in lines if funasr.recognise(line)] == [[("", "你好世界", 0.0, 0.92)]]


NAMES = [
    *("transcripts", "sentences", "words", "text", "punctuation", "channel_id", "speaker_id", "begin_time", "end_time"),
    *("output", "results", "result", "sentence", "transcription", "file_url", "task_id", "task_status", "emotion"),
    *("mode", "wav_name", "key", "timestamp", "stamp_sents", "sentence_info", "text_seg", "punc", "ts_list", "spk"),
    *("start", "end", "confidence", "onebest", "bg", "ed", "speaker", "wordsResultList", "wordsName", "wc", "wp"),
    *("content", "orderResult", "data", "lattice", "lattice2", "json_1best", "st", "rt", "ws", "cw", "w", "rl"),
    *("alternativeList", "Response", "Data", "Result", "ResultDetail", "FinalSentence", "SliceSentence", "Words"),
    *("Word", "StartMs", "EndMs", "SpeakerId", "SpeakerRoleName", "TaskId", "resultDetail", "requestId", "AudioUrl"),
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["2pass-online", "2pass-offline", "offline", "0", "1e999", "[0:1.0,0:2.0] a", "[[1,2]]", '{"st":1}']
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=24,
)


def harmless(reader: ModuleType, value: object) -> None:
    assert reader.recognise(value) in (True, False)
    try:
        call = reader.read(value)
    except Rejected:
        return
    assert call.format == reader.NAME
    assert all(isinstance(one.text, str) and isinstance(one.speaker, str) for one in call.utterances)


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=150, deadline=None)
@given(value=VALUES)
def test_any_json_value_gives_a_call_or_a_refusal(name: str, value: object) -> None:
    harmless(READERS[name], value)


@pytest.mark.parametrize(
    "path", sorted(p.relative_to(FIXTURES).as_posix() for n in READERS for p in FIXTURES.glob(f"{n}/*.json"))
)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), wrong=LEAVES)
def test_a_wrong_type_anywhere_gives_a_call_or_a_refusal(path: str, seed: int, wrong: object) -> None:
    value = json.loads((FIXTURES / path).read_text("utf-8"))
    chance = random.Random(seed)
    holder, place = chance.choice(list(places(value)))
    holder[place] = wrong
    harmless(READERS[path.partition("/")[0]], value)


def places(value: object) -> list[tuple[object, object]]:
    found: list[tuple[object, object]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            found.append((one, key))
            waiting.append(one[key])
    return found


def test_nesting_beyond_any_stack_is_as_good_as_absent() -> None:
    deep = "[" * 200_000
    assert iflytek.read({"data": deep}).utterances == ()
    assert tencent.read({"TaskId": 1, "ResultDetail": deep}).utterances == ()
    assert funasr.read({"key": "k", "text": "好", "timestamp": deep}).utterances[0].start is None


def test_an_hour_of_words_is_read_in_a_fraction_of_a_second() -> None:
    word = {"wc": "0.9", "wordBg": "1", "wordEd": "2", "wordsName": "路灯", "wp": "n", "alternativeList": []}
    hour = [
        {
            "bg": str(n * 3000),
            "ed": str(n * 3000 + 2900),
            "onebest": "路灯" * 10,
            "speaker": "1",
            "wordsResultList": [word] * 10,
        }
        for n in range(1200)
    ]
    effort = Effort()
    assert len(iflytek.read(hour).utterances) == 1200
    assert effort.within(1.0)
