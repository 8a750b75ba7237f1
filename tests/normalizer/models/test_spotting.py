"""The likeliest part of a text: one clause is not lost in a page, and windows add up to what they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.models.linear import Linear
from normalizer.models.ngrams import LONGEST, hashes, lengths
from normalizer.models.spotting import STEP, WINDOW, heights

BITS = 16


def knowing(*characters: str) -> Linear:
    """Knows single characters: each speaks for the first class and against the second."""
    slots = np.full(1 << BITS, -1, dtype=np.int32)
    for row, one in enumerate(characters):
        slots[hashes(one) >> np.uint32(32 - BITS)] = row
    many = len(characters)
    blank = np.zeros(2, dtype=np.float32)
    return Linear(
        labels=("yes", "no"),
        slots=slots,
        idf=np.ones(many, dtype=np.float32),
        weights=np.array([[100, -100]] * many, dtype=np.int8),
        scale=np.array([0.01, 0.01], dtype=np.float32),
        bias=blank,
        trust=blank,
        temperature=1.0,
        lead=1.0,
        height=1.0,
        threshold=1.0,
        unread="",
        about={},
    )


FIRE = knowing("火", "的")


def test_a_window_weighs_as_a_text_of_its_own() -> None:
    yes, no = heights(FIRE, "火")
    assert (yes, no) == pytest.approx((1.0, -1.0))
    assert heights(FIRE, "火的")[0] == pytest.approx(np.sqrt(2))


def test_one_clause_is_not_lost_in_a_page() -> None:
    against = replace(FIRE, weights=np.array([[100, -100], [-100, 100]], dtype=np.int8))
    page = "的" * 300 + "。" * WINDOW + "火" + "。" * WINDOW + "的" * 300
    assert heights(against, page)[0] == pytest.approx(1.0)
    assert heights(against, page)[1] > 1  # and each class has a place of its own


def test_nothing_known_is_no_height() -> None:
    assert (heights(FIRE, "") == -np.inf).all()
    assert (heights(FIRE, "水管坏了") == -np.inf).all()


def test_what_is_behind_the_longest_is_not_looked_at() -> None:
    assert (heights(FIRE, "水" * LONGEST + "火") == -np.inf).all()


@given(st.text(alphabet="火的a水", max_size=3 * WINDOW))
@settings(deadline=None)
def test_the_best_window_is_found(text: str) -> None:
    """By hand: n-grams that begin in the window, each as often as it occurs."""
    begins = range(0, max(1, len(text) - WINDOW + STEP), STEP)
    found = []
    for begin in begins:
        known = sum(one in "火的" for one in text[begin : begin + WINDOW])
        if known:
            found.append(known / np.sqrt(known))
    assert heights(FIRE, text)[0] == pytest.approx(max(found, default=-np.inf))


@given(st.text(max_size=40))
def test_the_hashes_of_each_length_are_counted(text: str) -> None:
    hashed = hashes(text)
    sizes = lengths(len(hashed))
    assert sum(sizes) == len(hashed)
    assert sizes == [sizes[0] - less for less in range(len(sizes))]
