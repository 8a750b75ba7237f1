"""What an HTTP answer means for a delivery."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from workers.destinations.answer import PAUSE, Answer, judge, pause
from workers.destinations.contract import Delivered, Disabled, Refused, TryLater

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
DAY = 24 * 3600.0


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert judge(Answer(status, None, NOW)) == Delivered()


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 409, 422, 500, 501])
def test_other_failures_follow_the_schedule_and_brake_nobody(status: int) -> None:
    answer = Answer(status, "60", NOW)
    assert judge(answer) == TryLater(f"status_{status}", None)
    assert pause(answer) is None


def test_410_disables_and_413_refuses_this_event_only() -> None:
    assert judge(Answer(410, None, NOW)) == Disabled("status_410")
    assert judge(Answer(413, None, NOW)) == Refused("status_413")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Mon, 23 Nov 2026 08:10:00 GMT", 600.0),
        ("Monday, 23-Nov-26 08:10:00 GMT", 600.0),
        ("Mon, 23 Nov 2026 08:10:00 -0000", 600.0),
        ("Mon, 23 Nov 2026 07:00:00 GMT", 0.0),
        ("Mon, 30 Nov 2026 08:00:00 GMT", DAY),
        ("86401", DAY),
        ("9" * 5000, DAY),
    ],
)
def test_an_overloaded_receiver_says_how_long_to_wait(status: int, header: str, seconds: float) -> None:
    answer = Answer(status, header, NOW)
    assert judge(answer) == TryLater(f"status_{status}", seconds)
    assert pause(answer) == seconds


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "١٢", "Mon, 99 Nov 2026 08:10:00 GMT"])
def test_without_a_usable_wait_the_schedule_decides_and_others_rest_a_little(header: str | None) -> None:
    answer = Answer(503, header, NOW)
    assert judge(answer) == TryLater("status_503", None)
    assert pause(answer) == PAUSE
