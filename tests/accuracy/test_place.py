"""The place step reaches what it promises on the texts that were labelled by hand."""

from __future__ import annotations

import pytest

from tests.accuracy import place

# Level -> precision, recall.
PROMISED = {"district": (0.98, 0.95), "street": (0.95, 0.85)}


@pytest.fixture(scope="module")
def judged() -> list[place.Judged]:
    if not place.DATA.exists():
        pytest.skip("the shared texts are not here")
    return place.judge()


@pytest.mark.parametrize("level", place.LEVELS)
def test_the_promised_share_is_right(judged: list[place.Judged], level: str) -> None:
    precise, complete = PROMISED[level]
    assert len(judged) == 300
    assert place.precision(judged, level).value >= precise, str(place.precision(judged, level))
    assert place.recall(judged, level).value >= complete, str(place.recall(judged, level))


def test_a_confidence_is_not_far_above_the_share_that_is_right(judged: list[place.Judged]) -> None:
    for told, share in place.calibration(judged).items():
        assert told <= share.interval[1], f"{told}: {share}"
