"""The measures themselves, and that what they need is found; the figures are made by `make accuracy`."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from gateway.training import recipes
from tests.accuracy import measures, page
from tests.accuracy.__main__ import TASKS, main
from tests.accuracy.result import DATA, Figure, Result


def test_macro_f1_counts_every_class_alike_and_its_interval_holds_it() -> None:
    right, given = ["a"] * 8 + ["b"] * 2, ["a"] * 9 + ["b"]
    value, low, high = measures.macro_f1(right, given)
    assert value == pytest.approx((16 / 17 + 2 / 3) / 2)
    assert low <= value <= high
    assert measures.macro_f1(right, given) == (value, low, high)


def test_an_answer_that_is_never_right_costs_but_is_no_class() -> None:
    assert measures.macro_f1(["a", "b"], ["a", "z"])[0] == pytest.approx(0.5)


def test_shares_of_nothing_are_nothing() -> None:
    assert measures.share([]) == (0.0, 0.0, 0.0)
    assert measures.share([True, True])[0] == 1.0


def test_confusions_are_counted_the_most_frequent_first() -> None:
    assert measures.confusions("aabb", "bbba") == (("a", "b", 2), ("b", "a", 1))


def test_a_missed_target_is_said_to_be_missed() -> None:
    missed = Figure("top-1", 0.5, 0.4, 0.6, target=0.9, baseline=0.3, baseline_low=0.2, baseline_high=0.4)
    text = page.text([Result("A task", "data", "split", (missed,), "base", 0.1, (("a", "b", 3),))])
    assert "| top-1 | 0.500 | 0.400–0.600 | 0.300 | 0.200–0.400 | 0.90 | **missed** |" in text
    assert "| a | b | 3 |" in text


def test_every_task_is_there() -> None:
    for module in TASKS.values():
        assert callable(import_module(module).measure)


def test_a_task_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    if DATA.is_dir():
        assert main(["nonsense"]) == 64
    else:
        assert main([]) == 66
    assert capsys.readouterr().err


def test_what_a_clerk_wrote_before_the_matter_is_the_answer_and_no_part_of_the_question(tmp_path: Path) -> None:
    rows = ({"诉求内容": f"市民来电{said}：井盖响", "工单编号": said} for said in ("反映", "咨询", "感谢"))
    (tmp_path / recipes.CALLS).write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    assert sorted((one.text, one.label) for one in recipes.notes(tmp_path)) == [
        ("井盖响", "complaint"),
        ("井盖响", "consultation"),
    ]
