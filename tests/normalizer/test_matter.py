"""Two texts as matters: what is read in them, what rules out that they are one, and that nothing breaks the reading."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.matter.keys import ASKED, hashed, of_runs
from normalizer.matter.likeness import CONTRADICTED, contradict, quoted, score, shipped
from normalizer.matter.reading import read
from tests.effort import Effort

NOISE = (
    "柳荫家园3期东门外的幸福里工地连续半个月夜间施工，打桩机和渣土车的噪音特别大，每天吵到凌晨两点，"
    "老人和孩子根本无法入睡，多次打电话都没有人来管，请尽快处理。"
)
ALIKE = (
    "柳荫家园3期东门外幸福里工地天天夜间施工，打桩机和渣土车噪音扰民到凌晨，孩子要中考了，一家人无法入睡，"
    "请有关部门管一管这个工地。"
)


def sure(one: str, other: str, *, days: float = 1, same_citizen: bool = False) -> float:
    return score(read("", one), read("", other), days=days, same_citizen=same_citizen)


def test_one_matter_in_other_words_is_above_the_threshold():
    assert sure(NOISE, ALIKE) >= shipped().threshold


def test_the_same_both_ways_and_surer_of_one_citizen():
    assert sure(NOISE, ALIKE) == pytest.approx(sure(ALIKE, NOISE))
    assert sure(NOISE, ALIKE, same_citizen=True) > sure(NOISE, ALIKE)


def test_traditional_characters_and_capitals_are_the_same_words():
    assert sure("望京街道KTV噪音擾民，請處理" * 3, "望京街道ktv噪音扰民，请处理" * 3) == pytest.approx(
        sure("望京街道ktv噪音扰民，请处理" * 3, "望京街道ktv噪音扰民，请处理" * 3)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("柳荫路88号", "柳荫路66号"),
        ("柳荫路八号", "柳荫路9号"),
        ("柳荫家园一期", "柳荫家园二期"),
        ("A3区柳荫家园", "A5区柳荫家园"),
        ("京A12345停在柳荫路", "京B67890停在柳荫路"),
    ],
)
def test_another_number_phase_area_or_plate_rules_it_out(one, other):
    mine, yours = read("", NOISE.replace("3期", "") + one), read("", NOISE.replace("3期", "") + other)
    assert contradict(mine, yours)
    assert score(mine, yours, days=0, same_citizen=True) <= CONTRADICTED
    assert not contradict(mine, mine)


@pytest.mark.parametrize(
    ("one", "other"), [("柳荫路8号", "柳荫路八号"), ("二期", "2期"), ("5月1号", "5月3号"), ("1号线", "2号线")]
)
def test_written_otherwise_or_no_address_rules_out_nothing(one, other):
    assert not contradict(read("", NOISE.replace("3期", "") + one), read("", NOISE.replace("3期", "") + other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("解放街15号院半夜有人唱歌", "解放街51号院半夜有人唱歌", id="another yard"),
        pytest.param("桂园小区3栋的电梯坏了", "桂园小区5号楼电梯停了三天", id="another building"),
        pytest.param("Block 3 has no hot water, the lift 电梯 is broken", "Block 5 电梯 broken", id="in English too"),
        pytest.param("锦园B区的路灯不亮", "锦园D区路灯坏了", id="another part of an estate"),
        pytest.param("36路公交车半小时不来一辆", "63路公交等了半小时", id="another bus line"),
        pytest.param("地铁2号线太挤", "地铁6号线太挤了，请加车", id="another metro line"),
        pytest.param("明德小学门口很堵", "崇文小学门口很堵，请交警来管", id="another school"),
        pytest.param("宏达电子厂拖欠工资三个月", "永兴服装厂拖欠工资两个月", id="another firm"),
        pytest.param("上塘村路口垃圾没人清", "下塘村路口的垃圾堆没人清", id="a side makes it another"),
        pytest.param("湖滨北路没有路灯", "湖滨南路晚上没有路灯", id="another road"),
        pytest.param("5月2日城西一带停水", "6月18日城西一带停水了", id="another day of an outage"),
        pytest.param("沪B·12345堵住车库", "沪B54321堵住车库出口", id="another plate, however it is written"),
    ],
)
def test_brief_texts_that_name_another_are_two(one, other):
    assert contradict(read("", one), read("", other))
    assert contradict(read("", other), read("", one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("解放街15号院半夜有人唱歌", "解放街十五号院里夜里唱歌", id="numerals"),
        pytest.param("桂园小区3栋旁边的工地夜里施工", "我住桂园小区5栋，工地打桩太吵", id="neighbours of one site"),
        pytest.param("桂园小区的电梯坏了，我住3栋", "桂园电梯坏了", id="without its ending"),
        pytest.param("明德小学的学生坐36路", "明德小学门口堵车", id="named by one only"),
        pytest.param("桂园小区门口36路不停", "桂园小区门口63路不停", id="two lines at one estate"),
        pytest.param("5月2日开始桂园小区旁边施工", "6月18日桂园小区旁边还在施工", id="what lasts has many days"),
        pytest.param("沪B·12345堵住车库", "沪B12345堵住车库出口", id="a plate with its dot"),
        pytest.param("我们小区停电了", "这个小区停电了", id="no name"),
    ],
)
def test_what_does_not_contradict(one, other):
    assert not contradict(read("", one), read("", other))


@pytest.mark.parametrize("text", ["", " ", "好", "?", "6", "你好", "谢谢", "投诉", "图片", "help", "…"])
def test_what_says_nothing_is_linked_to_nothing_even_of_one_citizen(text):
    assert sure(text, text, days=0, same_citizen=True) < shipped().threshold
    assert sure(text, NOISE, days=0, same_citizen=True) < shipped().threshold


@pytest.mark.parametrize(
    "text", ["柳荫家园停电了", "翠湖北路没有路灯，晚上很黑", "36路公交半小时不来", "明德小学门口很堵"]
)
def test_one_letter_that_several_send_is_one_matter(text):
    assert sure(text, text) >= shipped().threshold
    assert sure(text, text + "！请处理，谢谢。") >= shipped().threshold


def test_twenty_thousand_characters_are_read_like_their_beginning():
    assert sure(NOISE + "请处理。" * 5000, ALIKE) >= shipped().threshold


def test_the_same_words_with_another_place_put_in_are_two():
    other = NOISE.replace("柳荫家园", "翠湖家园")
    assert contradict(read("", NOISE), read("", other))


def test_numbers_of_tickets_join_and_telephones_do_not():
    number = "2026011500000011"
    assert quoted(read("", NOISE), number, read("", f"请问{number}怎么样了"), "2026011600000029")
    assert not quoted(read("", "请打13800138000"), number, read("", "请打13800138000"), None)


def test_the_rarest_names_are_the_keys_and_they_are_hashes():
    matter = read("", NOISE)
    keys = of_runs(matter, ASKED)
    assert len(keys) == ASKED
    assert all(0 <= key < 1 << 31 for key, _ in keys)
    assert 0 <= hashed("phone:+8613800138000") < 1 << 31
    assert keys == of_runs(read("", NOISE), ASKED)


@given(st.text(), st.text())
def test_no_text_breaks_the_reading_or_the_score(title, text):
    one, other = read(title, text), read(text, title)
    assert 0 <= score(one, other, days=0, same_citizen=False) <= 1
    assert of_runs(one, ASKED) is not None


@pytest.mark.parametrize("text", ["", "a", "é" * 50_000, "1" * 50_000, "路" * 50_000, "十期" * 20_000, "\ud800" * 9])
def test_hostile_texts_are_read_in_time(text):
    effort = Effort()
    for _ in range(5):
        matter = read(text[:60], text)
        score(matter, matter, days=0, same_citizen=False)
    assert effort.within(0.25), effort


def test_reading_takes_less_than_half_a_millisecond():
    chance = random.Random(1)
    texts = ["".join(chance.sample(NOISE + ALIKE, 90)) * 3 for _ in range(100)]
    read("", texts[0])
    effort = Effort()
    for text in texts:
        read("", text)
    assert effort.within(100 * 0.0004), effort
