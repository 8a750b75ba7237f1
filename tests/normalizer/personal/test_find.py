"""Data of people are found in every way of writing, and nothing else is taken for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from normalizer.personal import find
from normalizer.steps.cleaning import clean
from tests.people import SHAPES, TRAPS, Case, cases
from tests.real_numbers import KINDS, counted

DATA = Path(__file__).parents[4] / "shared/data/text"


@pytest.fixture(scope="module")
def judged() -> list[tuple[Case, set[tuple[str, str | None]]]]:
    return [(case, {(one.kind, one.value) for one in find(clean(case.text))}) for case in cases()]


def test_there_are_twenty_shapes_and_traps_of_every_kind() -> None:
    assert len(SHAPES) >= 20
    assert len(TRAPS) >= 12


def test_precision_and_recall_on_invented_text(judged: list[tuple[Case, set[tuple[str, str | None]]]]) -> None:
    right = sum((case.kind, case.value) in found for case, found in judged)
    wanted = sum(case.kind is not None for case, _ in judged)
    given = sum(len(found) for _, found in judged)
    assert right / wanted >= 0.99
    assert right / given >= 0.99


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_is_missed(judged: list[tuple[Case, set[tuple[str, str | None]]]], shape: str) -> None:
    missed = [case.text for case, found in judged if case.shape == shape and (case.kind, case.value) not in found]
    assert len(missed) <= 2, missed


@pytest.mark.parametrize("trap", TRAPS)
def test_nothing_is_found_in_a_trap(judged: list[tuple[Case, set[tuple[str, str | None]]]], trap: str) -> None:
    assert [case.text for case, found in judged if case.shape == trap and found] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("电话010-88886666、88886667", ["+861088886666", None]),
        ("打13800138000/13900139000都行", ["+8613800138000", "+8613900139000"]),
        ("6222021234567890128 13800138000", ["6222021234567890128", "+8613800138000"]),
        ("工商局电话65359475，没人接", [None]),
        ("编号65359475", []),
        ("邮箱wang艾特example点com", ["wang@example.com"]),
        ("护照号E12345678", ["E12345678"]),
        ("香港身份证A123456(3)", ["A123456(3)"]),
        ("型号A123456(4)", []),
        ("回乡证H12345678", ["H12345678"]),
        ("身份证110105491231002", ["110105491231002"]),
        ("快递110105491231002", []),
    ],
)
def test_several_and_labelled_ones(text: str, found: list[str | None]) -> None:
    assert [one.value for one in find(text)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("打(139)0013 9000", ["+8613900139000"]),
        ("+86 (0)591 8765 4321", ["+8659187654321"]),
        ("打0991 2345 678", ["+869912345678"]),
        ("852 9123 4567，香港的", ["+85291234567"]),
        ("852 9123 4567，澳大利亚来的货", []),
        ("o'brien.k@example.org", ["o'brien.k@example.org"]),
        ("13800138000@example.com", ["13800138000@example.com"]),
        ("寄到'li@example.com'", ["li@example.com"]),
    ],
)
def test_groups_brackets_and_marks_are_read_as_people_write_them(text: str, found: list[str]) -> None:
    assert [one.value for one in find(text)] == found


@pytest.mark.parametrize(
    "text", ["电表号13800138000", "社保号是13800138000", "IMEI 350102491231002", "路灯号13900139000"]
)
def test_the_number_of_a_thing_is_no_telephone(text: str) -> None:
    assert find(text) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("110105194912310021", 0),  # check digit
        ("这是990101198001010014", 0),  # no such province
        ("十五位的350102491231002", 1),
        ("350199491231002是什么", 0),  # no county was ever numbered so
        ("350102491331002", 0),  # no such day
    ],
)
def test_an_identity_number_has_a_place_and_a_day_that_exist(text: str, found: int) -> None:
    assert len(find(text)) == found


def test_no_false_hit_in_real_texts() -> None:
    if not DATA.is_dir():
        pytest.skip("the shared data are not there")
    stand, hit = counted(DATA)
    assert not +hit, hit
    assert min(stand[kind] for kind in KINDS) > 500, stand
