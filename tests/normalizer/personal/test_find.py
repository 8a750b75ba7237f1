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


def test_no_false_hit_in_real_texts() -> None:
    if not DATA.is_dir():
        pytest.skip("the shared data are not there")
    stand, hit = counted(DATA)
    assert not +hit, hit
    assert min(stand[kind] for kind in KINDS) > 500, stand
