"""A budget: in no window more calls than it says, whatever happens between them, and none wasted for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.social.budget import Budget

START = 1_800_000_000.0
BUDGETS = st.integers(2, 200).flatmap(
    lambda calls: st.builds(Budget, st.just(calls), st.floats(1, 86_400), st.integers(1, calls - 1))
)


def most_in_a_window(times: list[float], seconds: float) -> int:
    return max((sum(start <= time <= start + seconds for time in times) for start in times), default=0)


@given(BUDGETS, st.lists(st.floats(0, 1), max_size=100))
def test_no_window_holds_more_calls_than_allowed(budget: Budget, pauses: list[float]) -> None:
    now, tat, times = START, 0.0, []
    for pause in [*[0.0] * budget.calls, *pauses, *[0.0] * budget.calls]:
        now += pause * budget.seconds
        now += budget.wait(tat, now)
        while budget.wait(tat, now) > 0:  # a clock of floats may need another moment
            now += 1e-6
        tat = budget.spend(tat, now)
        times.append(now)
    assert most_in_a_window(times, budget.seconds) <= budget.calls


@given(BUDGETS)
def test_a_burst_and_the_steady_pace_use_the_budget_up(budget: Budget) -> None:
    tat, now, times = 0.0, START, []
    for _ in range(budget.calls):
        now += budget.wait(tat, now)
        tat = budget.spend(tat, now)
        times.append(now)
    assert times[budget.burst - 1] == pytest.approx(START, abs=1e-3)
    assert times[-1] - START <= budget.seconds * 1.001


def test_a_crash_between_saving_and_calling_only_wastes() -> None:
    budget = Budget.of(100, 86_400)
    saved = budget.spend(0.0, START)
    assert budget.wait(budget.resume(saved, START), START) == budget.wait(saved, START)


@given(BUDGETS, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2), st.booleans()), max_size=60))
def test_nor_when_calls_take_long_on_their_way(budget: Budget, calls: list[tuple[float, float, bool]]) -> None:
    """What counts is when the platform sees them; a caller may be killed before it knows."""
    now, tat, times = START, 0.0, []
    for pause, delay, killed in [*calls, *[(0.0, 0.0, False)] * budget.calls]:
        now += pause * budget.seconds
        while (wait := budget.wait(tat, now)) > 0:
            now += wait + 1e-6
        tat = budget.spend(tat, now)
        now += delay * budget.seconds
        times.append(now)
        tat = budget.resume(tat, now) if killed else budget.ended(tat, now)
    assert most_in_a_window(times, budget.seconds) <= budget.calls


def test_a_call_that_came_late_and_a_burst_behind_it_are_no_call_too_many() -> None:
    budget = Budget(10, 100, 4)
    tat = budget.spend(0.0, START)
    late = START + 1000
    allowed = 0
    while budget.wait(tat := budget.ended(tat, late), late) < 1e-3:
        tat = budget.spend(tat, late)
        allowed += 1
    assert allowed == budget.burst - 1


def test_with_no_memory_there_is_no_burst_but_a_call_at_once() -> None:
    budget = Budget(100, 86_400, 10)
    tat = budget.resume(None, START)
    assert budget.wait(tat, START) == 0
    assert budget.wait(budget.spend(tat, START), START) == pytest.approx(budget.interval)


def test_a_clock_that_was_put_back_costs_one_window_at_most() -> None:
    budget = Budget(100, 86_400, 10)
    tat = budget.resume(START + 10 * 86_400, START)
    assert budget.wait(tat, START) == pytest.approx(86_400)


@pytest.mark.parametrize(("calls", "seconds", "burst"), [(1, 1, 1), (5, 0, 1), (5, 10, 5), (5, 10, 0)])
def test_what_is_no_budget_is_refused(calls: int, seconds: float, burst: int) -> None:
    with pytest.raises(ValueError, match="burst"):
        Budget(calls, seconds, burst)


@pytest.mark.parametrize(("calls", "burst"), [(100, 10), (2, 1), (5, 1), (15_000, 1500)])
def test_a_share_is_kept_for_bursts(calls: int, burst: int) -> None:
    assert Budget.of(calls, 86_400).burst == burst
