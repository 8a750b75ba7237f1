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


def test_reading_takes_a_fifth_of_a_millisecond():
    chance = random.Random(1)
    texts = ["".join(chance.sample(NOISE + ALIKE, 90)) * 3 for _ in range(100)]
    read("", texts[0])
    effort = Effort()
    for text in texts:
        read("", text)
    assert effort.within(100 * 0.0004), effort
