"""What holds for every call, however odd: nothing invented, nothing lost, the same again, never an error."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.call import Call, SeatForm, Utterance, Word
from channels.phone.inbound import inbound_of
from channels.phone.matter import TITLE
from channels.phone.roles import cast
from normalizer import Decision, Inbound, Kind, Raw, Speaker, normalize
from tests.effort import Effort

_PIECES: Final = (
    "您好，请问有什么可以帮您？", "您好", "嗯", "呃，", "那个，", "我要投诉",
    "我们小区北门停满了车", "没人管", "幺三八零零", "13900139000", "不对，是", "尾号八零零零",
    "就打这个号", "西城区马连道街道", "十二号院三号楼", "马连道", "路", "街道", "小区", "区",
    "说错了", "昨天晚上十点半", "着火了", "打错了", "测试一下电话", "没事了", "谢谢", "好的",
    "明白了", "感谢您的来电", "请按1", "我姓张", "匿名", "保密吗", "hello", "my number is",
    "double oh", "at 5th avenue", "，", "。", "？", " ", "\n", "\u200b", "一百", "百", "万万",
    "个个", "点", "25点", "年", "零", "路路路", "号号",
)  # fmt: skip
_TEXT: Final = st.one_of(
    st.lists(st.sampled_from(_PIECES), max_size=8).map("".join),
    st.text(max_size=60),
    st.text("一二三四十百千万个点零幺0123 路区号", max_size=60),
)
_SECONDS: Final = st.one_of(st.none(), st.floats(), st.floats(0, 7200))
_CONFIDENCE: Final = st.one_of(st.none(), st.floats(), st.floats(0, 1))
_UTTERANCE: Final = st.builds(
    Utterance,
    text=_TEXT,
    speaker=st.sampled_from(["", "0", "1", "2", "坐席", "市民", "spk_0", "客服01", "x" * 50]),
    role=st.sampled_from([None, None, None, *Speaker]),
    start=_SECONDS,
    end=_SECONDS,
    confidence=_CONFIDENCE,
    words=st.lists(st.builds(Word, _TEXT, st.floats(0, 1)), max_size=3).map(tuple),
)
_MOMENTS: Final = st.one_of(
    st.none(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-12))])),
    st.datetimes(),
)
_CALL: Final = st.builds(
    Call,
    format=st.just("call"),
    started_at=_MOMENTS,
    caller=st.sampled_from([None, "13800138000", "tel:+86 10 6555 8888", "anonymous", "", "sip:x@y", "1" * 90]),
    outcome=st.sampled_from([None, "answered", "missed", "abandoned", "busy", "failed", "voicemail"]),
    language=st.sampled_from([None, "zh-CN", "?"]),
    utterances=st.lists(_UTTERANCE, max_size=8).map(tuple),
    form=st.one_of(
        st.just(SeatForm()),
        st.builds(
            SeatForm,
            kind=st.sampled_from([None, *Kind]),
            title=st.one_of(st.none(), _TEXT),
            text=st.one_of(st.none(), _TEXT),
            phone=st.one_of(st.none(), _TEXT),
            place=st.one_of(st.none(), _TEXT),
            decision=st.sampled_from([None, *Decision]),
            answer=st.one_of(st.none(), _TEXT),
        ),
    ),
)  # fmt: skip


def heard(call: Call) -> Inbound:
    return inbound_of(call, digest="0" * 64, threads=("phone:call:1",), senders=("phone:call:1",))


@settings(max_examples=400, deadline=None)
@given(_CALL)
def test_every_call_becomes_a_ticket_and_the_same_again(call: Call) -> None:
    inbound = heard(call)
    assert heard(call) == inbound
    raw = Raw(channel="phone", source_id="1", received_at=datetime(2026, 11, 23, tzinfo=UTC), body=b"")
    ticket = normalize(raw, inbound, number="2026112301000017")
    assert ticket.title


@settings(max_examples=400, deadline=None)
@given(_CALL)
def test_the_conversation_keeps_every_utterance_with_text(call: Call) -> None:
    kept = [turn.text for turn in heard(call).conversation]
    assert kept == [one.text for one in call.utterances if one.text.strip()]


@settings(max_examples=400, deadline=None)
@given(_CALL)
def test_text_title_and_place_hold_only_what_the_citizens_said(call: Call) -> None:
    inbound = heard(call)
    said = "".join(line.text for line in cast(call).lines if line.role is Speaker.CITIZEN)
    letters = Counter(said)
    if not call.form.text:
        invented = Counter(inbound.text.replace("\n", "").replace(" ", "")) - letters
        assert not invented
    written = (
        set(said) | {*"：: ，,…"} | set(call.form.place or "") | set(call.form.title or "") | set(call.form.text or "")
    )
    assert set(inbound.title or "") <= written
    if inbound.place and inbound.place.text:
        assert set(inbound.place.text) <= written


@settings(max_examples=300, deadline=None)
@given(_CALL)
def test_a_title_that_the_seat_did_not_write_is_short(call: Call) -> None:
    if not (call.form.title or "").strip():
        assert len(heard(call).title or "") <= TITLE


@settings(max_examples=300, deadline=None)
@given(_CALL)
def test_a_role_that_the_source_names_is_kept(call: Call) -> None:
    said = [one for one in call.utterances if one.text.strip()]
    named = (Speaker.CITIZEN, Speaker.AGENT, Speaker.SYSTEM)
    for one, turn in zip(said, heard(call).conversation, strict=True):
        if one.role in named:
            assert turn.speaker is one.role


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["着火了，快来人", "我不想活了", "他拿刀砍人"]), min_size=1, max_size=3),
    st.lists(_TEXT, max_size=3),
)
def test_a_danger_is_never_set_aside(dangers: list[str], others: list[str]) -> None:
    """Whatever else is said before: wrong number, a test, never mind."""
    texts = [*others, *dangers, "没事了，打错了，我测试一下电话，算了，谢谢，再见"]
    call = Call(format="call", utterances=tuple(Utterance(text=text, speaker="市民") for text in texts))
    disposition = heard(call).disposition
    assert disposition is None or disposition.decision is Decision.CALL_BACK


HOSTILE: Final = {
    "digits": "幺" * 200_000,
    "groups": "一三八，" * 60_000,
    "numbers": "十百千万" * 50_000,
    "roads": "路" * 200_000,
    "districts": "东城区" * 60_000,
    "commas": "，" * 200_000,
    "sounds": "嗯" * 200_000,
    "acknowledgements": "好的，" * 60_000 + "x",
    "corrections": "不对，是八零零零，" * 20_000,
    "latin": "one two " * 25_000,
    "names": "a b " * 50_000,
    "blanks": " " * 200_000 + "x",
    "padding": "那个，" * 60_000,
    "lead-ins": "我们" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_long_hostile_turn_takes_no_long_time(name: str) -> None:
    text = HOSTILE[name]
    call = Call(format="call", utterances=tuple(Utterance(text=text, speaker=label) for label in ("1", "2", "1")))
    effort = Effort()
    heard(call)
    assert effort.within(2)


@pytest.mark.parametrize("label", ["1", ""])
def test_very_many_turns_take_their_time_each(label: str) -> None:
    """Twice the turns take about twice the time: no turn looks at all others."""

    def seconds(turns: int) -> float:
        texts = ("您是要停水%d还是停电", "停水%d", "嗯", "幺三%d，")
        said = tuple(
            Utterance(text=texts[at % 4].replace("%d", str(at)), speaker=f"{at % 2}" if label else "")
            for at in range(turns)
        )
        begun = time.process_time()
        heard(Call(format="call", utterances=said))
        return time.process_time() - begun

    seconds(100)

    def in_proportion() -> bool:
        return seconds(8_000) < 8 * seconds(2_000) + 0.2

    assert any(in_proportion() for _ in range(3)), "the machine's pace may change in between, but not thrice"


def test_an_hour_of_talk_is_understood_in_a_moment() -> None:
    turns = (
        "请问具体位置是哪里？",
        "西城区马连道街道十二号院三号楼",
        "我帮您登记",
        "晚上还施工，吵得睡不着，没人管",
        "幺三八零零幺三八零零零",
    )
    words = [tuple(Word(text[at : at + 2], 0.9) for at in range(0, len(text), 2)) for text in turns]
    said = tuple(
        Utterance(text=turns[at % 5], speaker=str(at % 2), start=at * 2.5, end=at * 2.5 + 2, words=words[at % 5])
        for at in range(1500)
    )
    assert sum(len(one.words) for one in said) >= 8_000
    call = Call(format="call", started_at=datetime(2026, 11, 23, tzinfo=UTC), utterances=said)

    def quick() -> bool:
        effort = Effort()
        inbound = heard(call)
        in_time = effort.within(0.25)
        assert len(inbound.conversation) == 1500
        return in_time

    assert any(quick() for _ in range(3))  # the benchmark says what it is on an idle machine
