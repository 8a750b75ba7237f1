"""The page about the life of a ticket says what the table says."""

from __future__ import annotations

from pathlib import Path

from normalizer.life import EVENT_TYPES, State, StepName
from tests import lifecycle_page
from workers.lifecycle import TABLE

PAGE = Path(__file__).parents[2] / lifecycle_page.PATH


def test_the_page_is_the_one_that_generate_writes() -> None:
    assert PAGE.read_text("utf-8") == lifecycle_page.text()


def test_it_has_a_row_for_every_step_and_an_arrow_for_every_way_between_states() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    assert {line.split("`")[1] for line in lines if line.startswith("| `") and "org.jiesu" in line} == set(StepName)
    arrows = {
        tuple(line.split(": ")[0].split(" --> ")) for line in map(str.strip, lines) if ": " in line and "-->" in line
    }
    ways = {(before.value, (move.to or before).value) for move in TABLE for before in move.before}
    assert arrows == ways
    assert set(EVENT_TYPES) == set(StepName) == {move.step for move in TABLE}


def test_every_state_can_be_reached_and_left() -> None:
    states = set(State) - {State.OTHER}
    assert {move.to for move in TABLE if move.to} | {State.RECEIVED} == states
    assert {state for move in TABLE for state in move.before if move.to not in (None, state)} == states
