"""A model's file and what it answers: the same bytes, the same scores, and no file that is not whole is believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from normalizer import models
from normalizer.models import BadModel, Linear
from normalizer.models.linear import weighed
from normalizer.models.model_file import dump
from normalizer.models.ngrams import LONGEST, characters, hashes

BITS = 8


@pytest.fixture
def small() -> Linear:
    """Knows two n-grams: the one of 水 speaks for water, the one of 灯 for light."""
    slots = np.full(1 << BITS, -1, dtype=np.int32)
    slots[hashes("水") >> np.uint32(32 - BITS)] = 0
    slots[hashes("灯") >> np.uint32(32 - BITS)] = 1
    return Linear(
        labels=("water", "light"),
        slots=slots,
        idf=np.array([1, 2], dtype=np.float32),
        weights=np.array([[127, -127], [-127, 127]], dtype=np.int8),
        scale=np.array([0.01, 0.01], dtype=np.float32),
        bias=np.zeros(2, dtype=np.float32),
        trust=np.zeros(2, dtype=np.float32),
        temperature=1.0,
        lead=2.0,
        height=1.0,
        threshold=0.9,
        unread="",
        about={"task": "test"},
    )


def test_the_best_class_comes_first_and_its_confidence_grows_with_its_lead(small: Linear) -> None:
    (sure,) = small.guesses("水", 1)
    assert sure.label == "water"
    assert sure.confidence == pytest.approx(1 / (1 + np.exp(-(2.0 * 2.54 + 1.27))), rel=1e-5)
    both = small.guesses("水灯")
    assert [guess.label for guess in both] == ["light", "water"]
    assert both[0].confidence < sure.confidence
    assert sum(guess.confidence for guess in both) == pytest.approx(1)


def test_a_class_that_was_often_wrong_is_trusted_less(small: Linear) -> None:
    doubted = replace(small, trust=np.array([-5, 0], dtype=np.float32))
    assert doubted.guesses("水")[0].confidence < small.guesses("水")[0].confidence


def test_what_no_training_text_held_counts_for_nothing(small: Linear) -> None:
    assert small.guesses("") == ()
    unknown = next(char for char in "天地玄黄宇宙洪荒" if small.slots[hashes(char) >> np.uint32(32 - BITS)].max() < 0)
    assert small.guesses(unknown) == ()
    assert small.guesses("水" + "\n")[0].label == "water"


def test_counts_are_dampened_and_the_length_is_one() -> None:
    rows, values = weighed(np.array([3, 1, 3, 3], dtype=np.int32), np.array([9, 1, 9, 2], dtype=np.float32))
    raw = np.array([1.0, (1 + np.log(3)) * 2])
    assert rows.tolist() == [1, 3]
    assert values.tolist() == pytest.approx((raw / np.linalg.norm(raw)).tolist(), rel=1e-6)


def test_case_width_and_blanks_do_not_matter() -> None:
    assert characters("Ａ１ \n\t 路Z9").tolist() == [ord(char) for char in "a1 路z9"]
    assert hashes("").size == 0
    assert hashes("\ud800x").size > 0


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert len(hashes("路" * (LONGEST + 500))) == 3 * LONGEST - 3


def test_a_file_gives_the_model_back(tmp_path: Path, small: Linear) -> None:
    path = tmp_path / "small.model"
    path.write_bytes(dump(small))
    assert models.load(path).guesses("水灯水") == small.guesses("水灯水")
    assert dump(models.load(path)) == dump(small)


def test_the_models_that_come_with_us_are_within_their_budget() -> None:
    sizes = [models.shipped(task).stat().st_size for task in ("category", "kind")]
    assert sum(sizes) <= 10_000_000


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: b"", "empty"),
        (lambda whole: b"PK\x03\x04" + whole[4:], "not a model"),
        (lambda whole: whole[:400], "whole model"),
        (lambda whole: whole[:-3], "whole model"),
        (lambda whole: whole.replace(b'"format": 2', b'"format": 9'), "train it again"),
        (lambda whole: whole[:10] + b"\xff\xff\xff\x7f" + whole[14:], "too long"),
        (lambda whole: whole.replace(b'"weights": [2, 2]', b'"weights": [1, 4]'), "do not fit"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, small: Linear, damage, said: str) -> None:
    path = tmp_path / "broken.model"
    path.write_bytes(damage(dump(small)))
    with pytest.raises(BadModel, match=said):
        models.load(path)


def test_no_look_up_can_leave_its_array(tmp_path: Path, small: Linear) -> None:
    slots = small.slots.copy()
    slots[0] = 2
    path = tmp_path / "outside.model"
    path.write_bytes(dump(replace(small, slots=slots)))
    with pytest.raises(BadModel, match="do not fit"):
        models.load(path)


def test_what_a_model_does_not_read_makes_no_difference(small: Linear) -> None:
    deaf = replace(small, unread="的,")
    assert deaf.guesses("水的，") == small.guesses("水")
    assert characters("水，的灯𠮷", "的,").tolist() == [ord(char) for char in "水灯𠮷"]
    assert hashes("水的灯", "的").tolist() == hashes("水灯").tolist()


def test_a_text_of_which_hardly_anything_is_known_is_not_guessed_at(small: Linear) -> None:
    strange = "".join(chr(code) for code in range(0x9000, 0x9010))
    assert small.known("水") == 1
    assert small.known(f"水{strange}") < 0.3
    assert small.guesses(f"水{strange}") == ()
