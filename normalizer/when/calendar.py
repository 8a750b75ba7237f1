"""Holidays, make-up days and the lunar calendar, from data/calendar.toml. May not know a word of any text.

Years beyond the file have no holidays: asked for one, it answers None.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Final

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Year:
    """One year's arrangement: first and last day off of each holiday, the weekends that are worked."""

    announced: bool
    off: dict[str, tuple[date, date]]
    work: frozenset[date]


@dataclass(frozen=True, slots=True)
class Calendar:
    """The whole file, by year; lunar: first day, lengths of the months in order, place of the leap month."""

    years: dict[int, Year]
    lunar: dict[int, tuple[date, tuple[int, ...], int]]

    def days_off(self, year: int, holiday: str) -> tuple[date, date] | None:
        """First and last day off, or None when the year is not in the file."""
        known = self.years.get(year)
        return known.off[holiday] if known else None

    def is_workday(self, day: date) -> bool:
        """Whether offices work: a weekday that is not off, or a weekend that is worked."""
        if any(day in year.work for year in self.years.values()):
            return True
        near = (self.years[number] for number in (day.year, day.year + 1) if number in self.years)
        return day.weekday() < 5 and not any(a <= day <= b for year in near for a, b in year.off.values())

    def workday(self, day: date, step: int) -> date:
        """The first workday from `day` on, forwards (1) or backwards (-1)."""
        while not self.is_workday(day):
            day += step * DAY
        return day

    def make_up_days(self, until: date) -> list[date]:
        """The weekends that were worked, up to `until`, the latest first."""
        return sorted((day for year in self.years.values() for day in year.work if day <= until), reverse=True)

    def from_lunar(self, year: int, month: int, day: int) -> date | None:
        """The day of a lunar date (no leap month); the last day of the month when that is shorter."""
        known = self.lunar.get(year)
        if known is None:
            return None
        start, months, leap = known
        place = month - 1 + (1 if leap and month >= leap else 0)
        return start + sum(months[:place]) * DAY + (min(day, months[place]) - 1) * DAY


@lru_cache(maxsize=1)
def calendar() -> Calendar:
    """The file, read once."""
    data = tomllib.loads(files("normalizer").joinpath("data/calendar.toml").read_text("utf-8"))
    years = {
        one["year"]: Year(
            one["announced"], {name: (a, b) for name, (a, b) in one["off"].items()}, frozenset(one["work"])
        )
        for one in data["year"]
    }
    lunar = {one["year"]: (one["start"], tuple(one["months"]), one["leap"]) for one in data["lunar"]}
    return Calendar(years, lunar)
