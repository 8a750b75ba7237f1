"""What the project asks of dangers holds: every written one caught, few near misses, few rows of Haikou."""

from __future__ import annotations

import pytest

from tests.accuracy import urgency
from tests.accuracy.result import DATA


def test_every_written_emergency_is_caught() -> None:
    assert [row["kind"] for row in urgency.rows("emergencies") if not urgency.alarmed(row["text"])] == []


def test_few_near_misses_are() -> None:
    assert sum(urgency.alarmed(row["text"]) for row in urgency.rows("near_misses")) <= urgency.MOST_NEAR_MISSES


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared texts are not beside the project")
def test_few_rows_of_haikou_are() -> None:
    assert len(urgency.of_haikou()) <= urgency.MOST_OF_HAIKOU * 4732


def test_an_interval_is_never_of_no_width() -> None:
    assert urgency.wilson([True] * 10) == pytest.approx((1.0, 0.7225, 1.0), abs=1e-3)
    assert urgency.wilson([True, False]) == pytest.approx((0.5, 0.0945, 0.9055), abs=1e-3)
