"""What is understood of single turns of talk: who speaks, where, when, what, and what became of the call."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from channels.phone.call import Call, Outcome, Utterance
from channels.phone.inbound import inbound_of
from channels.phone.roles import cast
from normalizer import Flag, Inbound, Speaker, alarms

CALLED = datetime(2026, 11, 23, 10, 0, tzinfo=timezone(timedelta(hours=8)))  # a Monday morning
LABELS = {"A": "坐席", "C": "市民"}
LETTERS = {Speaker.AGENT: "A", Speaker.CITIZEN: "C", Speaker.SYSTEM: "S"}


def inbound(dialogue: str, outcome: Outcome | None = None, started_at: datetime | None = CALLED) -> Inbound:
    """A dialogue: lines that begin with `A` are the agent's, with `C` the citizen's."""
    said = tuple(Utterance(text=line[2:], speaker=LABELS[line[0]]) for line in dialogue.splitlines() if line)
    call = Call(format="call", utterances=said, caller="13800138000", outcome=outcome, started_at=started_at)
    return inbound_of(call, digest="0" * 64, threads=(), senders=())


def roles(*lines: str) -> str:
    """`label|words` or words alone."""
    said = []
    for line in lines:
        label, bar, words = line.partition("|")
        said.append(Utterance(text=words, speaker=label) if bar else Utterance(text=line))
    return "".join(LETTERS[line.role] for line in cast(Call(format="call", utterances=tuple(said))).lines)


def test_labels_that_name_a_role_are_believed() -> None:
    assert roles("客服01|没事", "市民甲|有什么可以帮您？", "agent_2|ok", "CALLER|hello", "IVR|欢迎致电") == "ACACS"


def test_a_voice_is_the_agents_by_what_it_says() -> None:
    assert roles("1|喂", "2|您好，市民热线，请讲", "1|路灯坏了", "2|我给您登记", "1|谢谢") == "CACAC"


def test_without_set_phrases_the_one_who_asks_is_the_agent() -> None:
    assert roles("x|灯是什么时候坏的？", "y|上周", "x|几盏呢？", "y|三盏", "x|还有吗？", "y|没了") == "ACACAC"


def test_two_citizens_and_an_expert_who_takes_over() -> None:
    lines = (
        "0|您好，请问有什么可以帮您？",
        "1|公积金能取吗？",
        "2|我们想买房",
        "0|我为您转接专席",
        "3|您好，公积金专席，请讲",
        "1|能取吗？",
    )
    assert roles(*lines) == "ACCAAC"


def test_one_voice_is_the_citizens_even_when_it_sounds_like_a_seat() -> None:
    assert roles("1|您好", "1|有什么办法吗", "1|路灯坏了") == "CCC"


def test_without_labels_the_words_and_the_turns_tell() -> None:
    assert (
        roles(
            "您好，请问您要咨询什么？",
            "老年卡在哪儿办？",
            "在街道办事大厅，带身份证就可以。",
            "好的谢谢",
            "不客气，再见",
        )
        == "ACACA"
    )


def test_an_announcement_is_the_machines() -> None:
    assert roles("0|欢迎致电12345，人工服务请按1", "1|路灯坏了", "0|您好，工号101为您服务") == "SCA"


def test_a_guess_is_noted_with_its_confidence() -> None:
    guessed = cast(Call(format="call", utterances=(Utterance(text="a", speaker="1"), Utterance(text="b", speaker="2"))))
    assert [line.role for line in guessed.lines] == [Speaker.CITIZEN, Speaker.CITIZEN]
    assert guessed.confidence < 0.5
    assert [note.code for note in guessed.notes] == ["roles_inferred"]


@pytest.mark.parametrize(
    ("dialogue", "place"),
    [
        ("C 我们小区没水了", None),
        ("C 我想问孩子上小学要什么材料", None),
        ("C 我不知道怎么走路过去", None),
        ("C 江汉区民意四路的下水道反水", "江汉区民意四路"),
        ("C 我在望京这边，路太黑", "望京"),
        ("C 中山南路和解放街交叉口的红绿灯坏了", "中山南路和解放街交叉口"),
        ("A 请问是在哪个位置？\nC 国贸桥底下", "国贸桥底下"),
        ("A 您在哪儿？\nC 观澜国际", "观澜国际"),
        ("A 您在哪个区？\nC 我不想说", None),
        ("C 红旗街道新华里十二栋\nA 几单元？\nC 三单元", "红旗街道新华里十二栋三单元"),
        ("C 我家住在昌平区天通苑，在朝阳区北苑路被撞了", "朝阳区北苑路"),
        ("C 龙泉街三十二号有棵树倒了\nC 不对不对，是龙泉路三十二号", "龙泉路三十二号"),
        ("C 不是天府三街，是天府四街", "天府四街"),
        ("C the lamp at 25 Maple Street is broken", "25 Maple Street"),
    ],
)  # fmt: skip
def test_a_place_is_what_was_said_of_it(dialogue: str, place: str | None) -> None:
    found = inbound(dialogue).place
    assert (found.text if found else None) == place


def test_what_is_sure_of_a_place_stands_in_its_fields() -> None:
    place = inbound("C 湖北省武汉市武昌区水果湖街道东湖路十五号院一百二十一栋二单元幺零一").place
    assert place is not None
    assert (place.province, place.city, place.district, place.street) == ("湖北省", "武汉市", "武昌区", "水果湖街道")
    assert place.detail == "东湖路15号院121栋2单元101"


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("昨天晚上十点半还在施工", "2026-11-22T22:30", None),
        ("今天早上八点二十被撞了", "2026-11-23T08:20", None),
        ("前天下午三点一刻停的电", "2026-11-21T15:15", None),
        ("昨晚吵了一夜", "2026-11-22T18:00", "2026-11-23T00:00"),
        ("今天上午没水了", "2026-11-23T06:00", "2026-11-23T10:00"),
        ("三天前丢的", "2026-11-20T00:00", "2026-11-21T00:00"),
        ("半个小时前有人打架", "2026-11-23T09:30", None),
        ("刚才路灯倒了", "2026-11-23T10:00", None),
        ("yesterday at 9:15 pm they broke it", "2026-11-22T21:15", None),
    ],
)  # fmt: skip
def test_a_moment_is_counted_from_the_call(words: str, start: str, end: str | None) -> None:
    span = inbound(f"C {words}").occurred_at
    assert span is not None
    assert span.start.isoformat()[:16] == start
    assert (span.end.isoformat()[:16] if span.end else None) == end


@pytest.mark.parametrize(
    "words",
    ["每天晚上十点施工", "从昨天开始停水", "明天上午给我回电", "今天下午三点给我打电话", "今天晚上八点有活动", "25点"],
)
def test_what_is_no_moment_of_the_past_is_none(words: str) -> None:
    assert inbound(f"C {words}").occurred_at is None


def test_without_the_calls_time_there_is_no_moment() -> None:
    assert inbound("C 昨天晚上十点半还在施工", started_at=None).occurred_at is None


def test_the_clock_is_that_of_the_site() -> None:
    call = Call(
        format="call",
        started_at=datetime.fromisoformat("2026-11-22T20:00:00+00:00"),
        utterances=(Utterance(text="昨天晚上十点半还在施工", speaker="市民"),),
    )
    span = inbound_of(call, digest="", threads=(), senders=(), zone=ZoneInfo("Asia/Shanghai")).occurred_at
    assert span is not None
    assert span.start.isoformat() == "2026-11-22T22:30:00+08:00"


@pytest.mark.parametrize(
    ("dialogue", "kind"),
    [
        ("C 我要举报有人非法行医", "report"),
        ("C 我不是投诉，就是提个建议，站牌字太小了", "suggestion"),
        ("C 隔壁工地半夜打桩，吵得没法睡", "complaint"),
        ("C 路灯坏了，麻烦来修一下", "help"),
        ("C 我想问一下居住证怎么办理", "consultation"),
        ("C 我要表扬三号窗口的小李，特别热心", "praise"),
        ("C 请问这个路灯坏了谁管？我要投诉，报了三次都没人来", "complaint"),
        ("C I would like to complain about the noise", "complaint"),
        ("C 着火了，快来", "help"),
    ],
)  # fmt: skip
def test_the_kind_is_what_the_citizen_wants(dialogue: str, kind: str) -> None:
    assert inbound(dialogue).kind == kind


@pytest.mark.parametrize(
    ("dialogue", "decision"),
    [
        ("A 您好\nC 师傅送两桶水\nA 这里是12345\nC 哎呀拨错了，对不住", "none"),
        ("A 您好\nC 我就试一下这个电话能不能打通", "none"),
        ("A 您好\nC 没事。\nA 再见", "none"),
        ("A 您好\nA 能听到吗", "none"),
        ("A 您好\nC 这是个骗子公司，我要投诉\nA 请不要占用公共资源", None),
        ("A 您好\nC 我交水费打错账户了，怎么办", None),
        ("A 您好\nC 算了，活着没意思，死了算了，再见", None),
        ("A 您好\nC 我们小区三号楼的水管爆了，水都\nA 喂？您还在吗？", "call_back"),
        ("A 您好\nC 请问社保卡在哪补办？\nA 在任意社保网点都可以补办。\nC 好的，谢谢", "answered"),
        ("A 您好\nC 请问社保卡在哪补办？\nA 我帮您登记，工作人员会联系您。\nC 好的，谢谢", None),
        ("A 您好\nC 请问社保卡在哪补办？\nA 在任意社保网点都可以补办。\nC 我去了说办不了，我要投诉", None),
        ("A 您好\nC 请问社保卡在哪补办？\nA 在任意社保网点都可以补办。", None),
    ],
)  # fmt: skip
def test_what_became_of_the_call(dialogue: str, decision: str | None) -> None:
    disposition = inbound(dialogue).disposition
    assert (disposition.decision.value if disposition else None) == decision


@pytest.mark.parametrize("outcome", ["missed", "abandoned", "busy", "failed"])
def test_a_call_that_nobody_took_is_called_back(outcome: Outcome) -> None:
    found = inbound("", outcome)
    assert found.disposition is not None
    assert found.disposition.decision == "call_back"
    assert found.disposition.reason
    assert found.requester.phone == "13800138000"


def test_a_call_without_request_is_flagged() -> None:
    assert Flag.NO_REQUEST in inbound("A 您好\nA 能听到吗").flags


@pytest.mark.parametrize(
    ("dialogue", "flags"),
    [
        ("C 隔壁屋往外冒黑烟，里头还有个老太太没出来", {"emergency"}),
        ("C 厨房一股臭鸡蛋味，头有点晕", {"emergency"}),
        ("C 我活够了，你们来给我收尸吧", {"emergency", "self_harm"}),
        ("C 他喝了酒往死里打我妈", {"emergency", "violence"}),
        ("C 我想订个餐\nA 您是不方便说话吗？\nC 对。", {"emergency"}),
        ("C 我爸摔了\nA 需要叫救护车吗？\nC 需要", {"emergency"}),
        ("C 有人倒在路边\nA 我马上为您转接120", {"emergency"}),
        ("C 我爸去年摔了\nA 需要叫救护车吗？\nC 不需要", set()),
        ("C 路灯坏了\nA 遇到紧急情况可以拨打110", set()),
    ],
)  # fmt: skip
def test_a_danger_is_told_at_once_also_in_indirect_words(dialogue: str, flags: set[str]) -> None:
    assert {flag.value for flag in alarms(inbound(dialogue))} == flags


def test_who_only_says_yes_is_flagged_with_what_was_asked() -> None:
    found = inbound("C 我想订个餐\nA 有人伤害您吗？\nC 是的")
    assert set(found.flags) == {Flag.EMERGENCY, Flag.VIOLENCE}


@pytest.mark.parametrize(
    ("dialogue", "name", "anonymous", "confidential"),
    [
        ("C 我叫王建国，住三号楼", "王建国", False, False),
        ("C 我姓欧阳\nA 好的欧阳女士", "欧阳女士", False, False),
        ("C 还帮我叫了救护车", None, False, False),
        ("C 我姓王，我要匿名", None, True, False),
        ("A 您需要保密吗？\nC 需要", None, False, True),
        ("A 您需要匿名吗？\nC 不用", None, False, False),
        ("C 实名，不需要保密", None, False, False),
        ("C 别让领导知道是我说的", None, False, True),
        ("C 物业泄露我的信息", None, False, False),
    ],
)  # fmt: skip
def test_who_calls(dialogue: str, name: str | None, anonymous: bool, confidential: bool) -> None:
    requester = inbound(dialogue).requester
    assert (requester.name, requester.anonymous, requester.confidential) == (name, anonymous, confidential)


@pytest.mark.parametrize(
    ("dialogue", "text"),
    [
        ("C 嗯，那个，我们楼，呃，漏水了", "我们楼，漏水了"),
        ("C 搞到我哋都唔敢开窗", "搞到我哋都唔敢开窗"),
        ("C 金额不对", "金额不对"),
        ("C 那个楼漏水", "那个楼漏水"),
        ("C Um, the, uh, lamp is broken", "the, lamp is broken"),
        ("C 漏水了\nA 好的，我登记一下\nC 好的，登记一下", "漏水了"),
        ("A 是停水还是停电？\nC 停电", "停电"),
        ("A 您好，市民热线\nC 您好，市民热线\nC 漏水了", "漏水了"),
        ("C 漏水的地方在，\nA 嗯，您说\nC 三号楼\nA 好", "漏水的地方在，三号楼"),
        ("A 您的电话？\nC 幺三八幺幺二二三三四四。\nA 幺三八幺幺二二，三三四四？\nC 对", "幺三八幺幺二二三三四四。"),
        ("A 您的地址是三号楼\nC 对，三号楼", "对，三号楼"),
    ],
)  # fmt: skip
def test_the_text_leaves_out_sounds_and_echoes_only(dialogue: str, text: str) -> None:
    assert inbound(dialogue).text == text


def test_a_call_that_was_taken_and_holds_no_word_wants_nothing() -> None:
    for outcome in ("answered", None):
        disposition = inbound("", outcome).disposition
        assert disposition is not None
        assert disposition.decision == "none"
