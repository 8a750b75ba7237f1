"""The calendar's file holds together: festivals are days off, make-up days are weekends, lunar years join."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from normalizer.when.calendar import calendar

YEARS = range(2018, 2028)


@pytest.mark.parametrize("year", YEARS)
def test_a_year_holds_together(year: int) -> None:
    arranged = calendar().years[year]
    festivals = {"new_year": date(year, 1, 1), "labour": date(year, 5, 1), "national": date(year, 10, 1)}
    lunar = {"spring": (1, 1), "duanwu": (5, 5), "mid_autumn": (8, 15)}
    festivals |= {name: day for name, (month, nth) in lunar.items() if (day := calendar().from_lunar(year, month, nth))}
    assert set(arranged.off) == {*festivals, "qingming"}
    for name, day in festivals.items():
        first, last = arranged.off[name]
        assert first <= day <= last <= first + timedelta(days=10)
    assert all(day.weekday() >= 5 for day in arranged.work)
    assert all(not first <= day <= last for day in arranged.work for first, last in arranged.off.values())
    assert bool(arranged.work) == arranged.announced


def test_lunar_years_join() -> None:
    lunar = calendar().lunar
    for year in range(min(lunar), max(lunar)):
        start, months, leap = lunar[year]
        assert start + timedelta(days=sum(months)) == lunar[year + 1][0]
        assert len(months) == (13 if leap else 12)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2024, 2, 18), True),  # a Sunday that is worked
        (date(2024, 2, 12), False),
        (date(2026, 1, 4), True),
        (date(2022, 12, 31), False),  # begins the next year's holiday
        (date(2026, 11, 23), True),
        (date(2026, 11, 22), False),
    ],
)
def test_workdays(day: date, works: bool) -> None:
    assert calendar().is_workday(day) is works


def test_a_leap_month_shifts_those_behind_it() -> None:
    assert calendar().from_lunar(2025, 6, 1) == date(2025, 6, 25)
    assert calendar().from_lunar(2025, 8, 15) == date(2025, 10, 6)
    assert calendar().from_lunar(2023, 1, 1) == date(2023, 1, 22)
    assert calendar().from_lunar(2040, 1, 1) is None
