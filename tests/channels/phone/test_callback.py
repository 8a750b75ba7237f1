"""The number to call back: the caller's, another one that was said, and what is no such number."""

from __future__ import annotations

import pytest

from channels.phone.call import Call, Utterance
from channels.phone.callback import Callback, callback_of, caller_number
from channels.phone.digits import runs
from channels.phone.numerals import numeral, understood
from channels.phone.roles import cast

CALLER = "13800138000"


def heard(dialogue: str, caller: str | None = CALLER) -> Callback:
    """A dialogue: lines that begin with `A` are the agent's, with `C` the citizen's."""
    labels = {"A": "坐席", "C": "市民"}
    lines = [line.strip() for line in dialogue.strip().splitlines()]
    said = tuple(Utterance(text=line[1:].strip(), speaker=labels[line[0]]) for line in lines)
    return callback_of(cast(Call(format="call", utterances=said)).lines, caller)


def codes(found: Callback) -> set[str]:
    return {note.code for note in found.notes}


@pytest.mark.parametrize(
    ("dialogue", "number"),
    [
        ("A 请问您的联系电话是多少？\nC 幺三九零零幺三九零零零", "13900139000"),
        ("A 您的联系方式？\nC 139-0013-9000", "13900139000"),
        ("A 电话号码您报一下\nC 一三九，零零一三，九千", "13900139000"),
        ("A 您的手机号？\nC 一三九两个零一三九三个零", "13900139000"),
        ("A 您留个电话\nC １３９００１３９０００", "13900139000"),
        ("A 您留个电话\nC 座机吧，零一零六五五五八八八八", "01065558888"),
        ("A 您留个电话\nC 零二七 八七六五 四三二一", "02787654321"),
        ("A 您留个电话\nC 打我们店里的，四零零八二零八八二零", "4008208820"),
        ("A 您留个电话\nC 六五五五八八八八", "65558888"),
        ("A 您留个电话\nC 零一零六五五五八八八八转八零一", "01065558888转801"),
        ("C 路灯坏了，你们打我爱人电话吧，13700137000", "13700137000"),
        ("C 我换号了，现在我的号是一三七零零一三七零零零", "13700137000"),
        ("A May I have your phone number?\nC one three seven, double oh one three, seven triple zero", "13700137000"),
        ("C please call me back at plus 44 20 7946 0018", "+442079460018"),
        ("A 您说\nC 我电话13700137000，他们物业电话13611112222，没人接", "13700137000"),
        ("A 您的电话？\nC 幺三七\nA 嗯\nC 零零幺三\nA 您继续\nC 七零零零", "13700137000"),
        ("A 您的电话？\nC 幺三七零零\nA 幺三七零零\nC 幺三七\nA 幺三七\nC 零零零\nA 好的", "13700137000"),
    ],
)
def test_another_number_is_preferred_when_it_is_given(dialogue: str, number: str) -> None:
    found = heard(dialogue)
    assert found.number == number
    assert "callback_spoken" in codes(found)


@pytest.mark.parametrize(
    ("dialogue", "number"),
    [
        ("A 您的电话？\nC 13700137001，不对，是13700137002", "13700137002"),
        ("A 您的电话？\nC 幺三七零零幺三，说错了，幺三六零零幺三六零零零", "13600136000"),
        (
            "A 您的电话？\nC 幺三七，零零幺三，七零零幺\nA 13700137001，对吗？\nC 不对，最后四位是七零零二",
            "13700137002",
        ),
        ("A 您的电话？\nC 幺三七，零零幺三，七零零幺\nA 是吧\nC 不是七零零幺，是七零零二", "13700137002"),
        ("A 您的电话？\nC 13700137001\nA 好的\nC 等一下，前三位是136", "13600137001"),
        ("A 您的电话？\nC 幺三七\nA 幺三七\nC 不对，幺三六\nA 幺三六\nC 零零幺三\nA 好\nC 六零零零", "13600136000"),
        ("A 您的电话？\nC 幺三七零零幺三七零零零\nA 13700137009对吗？\nC 不是，是13700137000", "13700137000"),
        ("A 您的电话？\nC 幺三七零零幺三七零零酒\nA 是13700137009吗？\nC 对", "13700137009"),
        (
            "A Your number, please? What is the best number to reach you?\nC 13700137001, no wait, 13700137002",
            "13700137002",
        ),
    ],
)
def test_a_correction_is_followed(dialogue: str, number: str) -> None:
    assert heard(dialogue).number == number


def test_a_correction_is_noted() -> None:
    found = heard("A 您的电话？\nC 13700137001，不对，是13700137002")
    assert codes(found) == {"callback_spoken", "callback_corrected"}


@pytest.mark.parametrize(
    "dialogue",
    [
        "C 我身份证号是110101199003074514",
        "A 请提供一下您的身份证号\nC 一一零一零一一九九零零三零七四五一四",
        "C 我的工单编号是20261118010",
        "A 您的工单号是多少？\nC 13900139000",
        "C 快递单号13900139000，一直没到",
        "C 骗子用13900139000给我打的电话",
        "C 那个商家的电话是13900139000，打不通",
        "C 我收到一条短信，号码13900139000，说我中奖了",
        "C 有个13900139000的号码天天骚扰我",
        "A 物业的电话您知道吗？\nC 知道，13900139000",
        "C 我银行卡号六二二二零二零二零零一二三四五六七八九",
        "C 车牌号京A12345，一直占着消防通道",
        "A 用您的来电号码联系您可以吗？\nC 可以的",
        "A 是尾号8000这个电话联系您吗\nC 对",
        "A 您的联系方式？\nC 就这个号码",
        "A 您的联系方式？\nC 就打尾号八零零零那个",
        "A 您的电话是？\nC 打我爱人的吧，13900139000，哎算了，还是打这个号吧",
        "C 我在12345反映过三次了，每次都说15天",
        "C my order number is 13900139000 and it never came",
    ],
)
def test_other_numbers_are_not_called_back(dialogue: str) -> None:
    found = heard(dialogue)
    assert found.number == CALLER
    assert "callback_spoken" not in codes(found)


def test_an_unfinished_number_is_noted_and_the_callers_holds() -> None:
    found = heard("A 您的电话？\nC 幺三九零零幺三\nA 喂？")
    assert found.number == CALLER
    assert codes(found) == {"callback_incomplete"}


def test_a_tail_of_another_number_is_noted() -> None:
    found = heard("A 打哪个电话？\nC 打我尾号一二三四的那个")
    assert found.number == CALLER
    assert codes(found) == {"callback_tail_differs"}


def test_the_callers_number_said_aloud_is_no_difference() -> None:
    assert heard("A 您的电话？\nC 幺三八零零幺三八零零零").notes == ()


def test_no_note_repeats_a_whole_number() -> None:
    found = heard("A 您的电话？\nC 13700137001，不对，是13700137002")
    assert not any("1370013700" in note.detail or CALLER in note.detail for note in found.notes)


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("tel:+8613800138000", "+8613800138000"),
        ("sip:13800138000@10.0.0.1", "13800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("anonymous", None),
        ("", None),
        (None, None),
    ],
)
def test_the_telephone_systems_writing_is_understood(given: str | None, number: str | None) -> None:
    assert caller_number(given) == number


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("一百二十一", "121"), ("幺零一", "101"), ("一百二", "120"), ("十五", "15"), ("二十", "20"),
        ("两千零五", "2005"), ("一万二", "12000"),
        ("一百零二", "102"), ("三", "3"), ("零零七", "007"), ("三千五百", "3500"), ("12", "12"),
    ],
)  # fmt: skip
def test_spoken_numbers_become_digits(words: str, digits: str) -> None:
    assert numeral(words) == digits


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("一百二十一栋", "121栋"), ("三号楼二单元幺零一", "3号楼2单元101"), ("上午九点半", "上午9点半"),
        ("三里屯五道口", "三里屯五道口"), ("一下", "一下"), ("第一", "第一"), ("二〇二六年三月五日", "2026年3月5日"),
    ],
)  # fmt: skip
def test_numbers_are_understood_where_a_unit_follows(text: str, digits: str) -> None:
    assert understood(text) == digits


def test_groups_are_those_of_the_speaker() -> None:
    assert [run.groups for run in runs("幺三八，零零幺三 八零零零")] == [("138", "0013", "8000")]
