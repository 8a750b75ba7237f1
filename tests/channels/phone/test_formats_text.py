"""The readers of text (SubRip, WebVTT, plain lines): voices, roles, times, and what is not a transcript at all."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.phone.call import Call
from channels.phone.formats import labels, plain, srt, tencent, webvtt
from normalizer.errors import Rejected
from normalizer.ticket import Speaker
from tests.effort import Effort

FIXTURES = Path(__file__).parent / "fixtures"
SAMPLES = Path(__file__).parents[3] / "../shared/data/phone"
READERS = {reader.NAME: reader for reader in (srt, webvtt, plain, tencent)}
AGENT, CITIZEN, SYSTEM = Speaker.AGENT, Speaker.CITIZEN, Speaker.SYSTEM


def call_of(path: str) -> Call:
    reader, text = READERS[path.partition("/")[0]], (FIXTURES / path).read_text("utf-8")
    assert reader.recognise(text)
    return reader.read(text)


def said(call: Call) -> list[tuple[str, str, float | None, float | None]]:
    return [(one.speaker, one.text, one.start, one.end) for one in call.utterances]


def roles(call: Call) -> list[Speaker | None]:
    return [one.role for one in call.utterances]


# SubRip ---------------------------------------------------------------------------------------------------------------


def test_srt_cues_have_times_names_before_a_colon_and_one_utterance_for_each_dash() -> None:
    call = call_of("srt/call.srt")
    assert said(call) == [
        ("坐席", "您好，请讲。", 0.2, 2.0),
        ("市民", "小区门口路灯不亮。", 2.5, 6.9),
        ("", "哪个小区？", 7.0, 9.0),
        ("", "马连道的。", 7.0, 9.0),
        ("", "12345", 10.0, 12.0),  # a number that was said is no number of a cue
    ]
    assert roles(call) == [AGENT, CITIZEN, None, None, None]


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_srt_lines_may_end_as_on_any_system(ending: str) -> None:
    text = "\ufeff" + (FIXTURES / "srt/call.srt").read_text("utf-8").replace("\n", ending)
    assert srt.recognise(text)
    assert said(srt.read(text)) == said(call_of("srt/call.srt"))


def test_srt_without_numbers_is_read() -> None:
    text = "00:01,5 --> 00:02,5\n路灯\n00:03,0 --> 00:04,0\n不亮\n"
    assert srt.recognise(text)
    assert said(srt.read(text)) == [("", "路灯", 1.5, 2.5), ("", "不亮", 3.0, 4.0)]


# WebVTT ---------------------------------------------------------------------------------------------------------------


def test_webvtt_voices_settings_notes_and_styles() -> None:
    call = call_of("webvtt/call.vtt")
    assert said(call) == [
        ("坐席", "您好，请讲。", 0.2, 2.0),
        ("市民 & 家属", "小区门口路灯不亮。", 2.5, 6.9),
        ("坐席", "在哪里？", 2.5, 6.9),  # a second voice in the same cue
        ("", "A <B> C", 7.0, 9.0),
    ]
    assert roles(call) == [AGENT, None, AGENT, None]
    assert call.language == "zh-CN"
    assert {note.code for note in call.lost} == {"remarks_lost"}


def test_webvtt_cues_need_no_empty_lines_between_them() -> None:
    text = "WEBVTT\n00:01.000 --> 00:02.000\n<v Citizen>one\n00:03.000 --> 00:04.000\ntwo"
    assert webvtt.recognise(text)
    assert said(webvtt.read(text)) == [("Citizen", "one", 1.0, 2.0), ("", "two", 3.0, 4.0)]


# Plain ----------------------------------------------------------------------------------------------------------------


def test_plain_words_for_agent_and_citizen_give_the_roles_and_other_colons_stay_talk() -> None:
    call = call_of("plain/roles.txt")
    assert said(call) == [
        ("坐席", "您好，12345热线，请讲。", None, None),
        ("市民", "我家楼下：一家饭馆油烟很大。", None, None),
        ("坐席", "在哪里？", None, None),
        ("市民", "马连道。", None, None),
    ]
    assert roles(call) == [AGENT, CITIZEN, AGENT, CITIZEN]


def test_plain_times_before_the_name_and_numbers_and_remarks_after_the_role() -> None:
    call = call_of("plain/times.txt")
    assert said(call) == [
        ("客服8001", "您好。", 1.0, None),
        ("来电人（女）", "小区停水了。", 62.5, 69.0),
        ("系统", "请评价。", 70.0, None),
    ]
    assert roles(call) == [AGENT, CITIZEN, SYSTEM]


def test_plain_header_lines_of_meeting_software() -> None:
    assert said(call_of("plain/header_lines.txt")) == [
        ("说话人 1", "您好，请讲。", 1.0, None),
        ("说话人 2", "路灯不亮，三天了。", 5.0, None),
        ("说话人 1", "好的。", 3610.0, None),
    ]


def test_plain_names_that_come_back_are_speakers_without_a_role() -> None:
    call = call_of("plain/names.txt")
    assert [one.speaker for one in call.utterances] == ["张三丰", "李四", "张三丰"]
    assert roles(call) == [None, None, None]


def test_plain_times_of_day_count_from_the_first_turn_over_midnight_and_call_data_stand_above() -> None:
    call = call_of("plain/times_of_day.txt")
    assert said(call) == [("坐席", "您好。", 0.0, None), ("市民", "路灯不亮。", 5.0, None)]
    assert (call.call_id, call.caller, call.agent) == ("C-20260101-7", "010-12345678", "8001")
    assert {note.code for note in call.lost} == {"times_of_day_lost"}


def test_plain_bare_time_of_day_after_midnight_goes_on() -> None:
    call = plain.read("[23:59:50] 坐席：您好。\n[00:00:10] 市民：路灯不亮。")
    assert [one.start for one in call.utterances] == [0.0, 20.0]


def test_plain_names_in_brackets_need_no_colon() -> None:
    assert said(call_of("plain/brackets.txt")) == [
        ("坐席", "您好，请讲。", None, None),
        ("市民", "井盖丢了。", None, None),
    ]


def test_plain_text_without_names_is_read_when_it_is_named_plain() -> None:
    text = "路灯不亮。\n三天了。"
    assert not plain.recognise(text)
    assert said(plain.read(text)) == [("", "路灯不亮。", None, None), ("", "三天了。", None, None)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "路灯不亮，三天了。",
        "姓名：张三\n电话：13800000000\n地址：马连道\n诉求内容：路灯不亮",  # a form
        "来电人：张三\n来电时间：上午\n地址：马连道\n内容：路灯不亮\n类别：投诉",
        "Received: from a\nReceived: from b\nSubject: lamp\n\nHello there",  # a mail
        "name: x\nhosts:\n  - a: 1\n  - b: 2\n",
        "a: 1\nb: 2\nc: 3",
        "(a) first\n(b) second",
        '{"bg":"180","ed":"2110","onebest":"您好',  # JSON that was cut off
        "<?xml version='1.0'?>\n<a>speaker 1: b</a>",
        "1\n00:00:01,000 --> 00:00:02,000\n坐席：您好",
        "WEBVTT\n\n00:01.000 --> 00:02.000\n坐席：您好",
        "[0:0.020,0:2.380,0]  您好。",
    ],
)
def test_plain_takes_no_form_letter_or_other_format_for_talk(text: str) -> None:
    assert not plain.recognise(text)


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("坐席", AGENT),
        ("1号坐席", AGENT),
        ("坐席 8001", AGENT),
        ("客服（张）", AGENT),
        ("市民热线", AGENT),  # begins with the word for a citizen
        ("12345", AGENT),
        ("ＡＧＥＮＴ", AGENT),
        ("市民A", CITIZEN),
        ("Caller", CITIZEN),
        ("IVR", SYSTEM),
        ("客户经理", None),
        ("说话人1", None),
        ("张三", None),
        ("", None),
    ],
)
def test_a_role_comes_from_a_word_that_names_it_and_from_nothing_like_it(label: str, role: Speaker | None) -> None:
    assert labels.role_of(label) is role


# All ------------------------------------------------------------------------------------------------------------------


def test_every_real_subtitle_gives_its_cues_with_times() -> None:
    paths = sorted(SAMPLES.glob("asr_videocaptioner/*/*.srt"))
    if not paths:
        pytest.skip("the shared samples are not on this machine")
    for path in paths:
        text = path.read_text("utf-8")
        call = srt.read(text)
        assert len(call.utterances) == text.count("-->"), path.name
        assert all(one.end > one.start and "-->" not in one.text for one in call.utterances), path.name


PIECES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            *(
                "\n",
                "\n\n",
                "\r",
                " ",
                "\u3000",
                "\ufeff",
                ":",
                "：",
                "-->",
                " --> ",
                "1",
                "[",
                "]",
                "【",
                "】",
                "{\\an8}",
            ),
            *(
                "00:00:01,000",
                "00:01.5",
                "9999:99:99",
                "2026-01-01 ",
                "2026-99-99 10:00:00",
                "[00:01:02]",
                "坐席",
                "市民：",
            ),
            *("<v A>", "<v", "</v>", "&lt;", "&#99999999999;", "WEBVTT", "NOTE", "说话人1", "[0:1.0,0:2.0,0]", "- "),
        ]
    ),
)
DOCUMENTS = st.lists(PIECES, max_size=40).map("".join)


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=200, deadline=None)
@given(text=DOCUMENTS)
@example(text="WEBVTT\n\n00:01.0 --> 00:02.0\n<v A>&#" + "9" * 5000 + ";")
@example(text="坐席：" + "\ud800")
def test_any_text_gives_a_call_or_a_refusal(name: str, text: str) -> None:
    reader = READERS[name]
    assert reader.recognise(text) in (True, False)
    try:
        call = reader.read(text)
    except Rejected:
        return
    assert call.format == name
    assert all(one.text for one in call.utterances)


@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize("document", [None, 7, True, [], {}, ["坐席：您好"], {"a": "坐席：您好"}])
def test_a_json_value_is_no_text(name: str, document: object) -> None:
    assert not READERS[name].recognise(document)
    assert READERS[name].read(document).utterances == ()


@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "\n",
        "<v ",
        "<v" + " " * 50,
        "{\\",
        "&#9",
        "[",
        "坐席",
        "坐席：",
        "1:1",
        "00:00:01,000 -->",
        "a:",
        "(",
        "-\n",
        "1\n\n",
    ],
    ids=repr,
)
def test_time_grows_with_the_size_only(name: str, unit: str) -> None:
    """A quadratic reader would need minutes for these 100,000 characters."""
    text = ("WEBVTT\n\n00:01.0 --> 00:02.0\n" if name == "webvtt" else "") + unit * (100_000 // len(unit))
    effort = Effort()
    READERS[name].recognise(text)
    READERS[name].read(text)
    assert effort.within(3.0)
