"""The retry schedule is the one Standard Webhooks 1.0.0 recommends."""

from __future__ import annotations

import pytest

from workers.destinations.schedule import delay

SINCE_START = ["0:00:00", "0:00:05", "0:05:05", "0:35:05", "2:35:05", "7:35:05", "17:35:05", "31:35:05"]


def test_the_tries_fall_when_the_specification_says() -> None:
    total, times = 0.0, []
    for attempt in range(10):
        wait = delay(attempt, jitter=0)
        assert wait is not None
        total += wait
        times.append(f"{int(total // 3600)}:{int(total // 60 % 60):02d}:{int(total % 60):02d}")
    assert times == [*SINCE_START, "51:35:05", "75:35:05"]


def test_after_ten_tries_it_is_exhausted() -> None:
    assert delay(10, jitter=0) is None
    assert delay(11, jitter=0.5) is None


def test_jitter_only_lengthens_and_by_less_than_a_fifth() -> None:
    assert delay(2, jitter=0.5) == pytest.approx(330)
    longest = delay(9, jitter=0.999_999)
    assert longest is not None
    assert 24 * 3600 * 1.19 < longest < 24 * 3600 * 1.2


@pytest.mark.parametrize(("attempt", "jitter"), [(-1, 0.0), (0, 1.0), (0, -0.1)])
def test_nonsense_is_refused(attempt: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        delay(attempt, jitter=jitter)
