"""What was mended by the further written cases stays mended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.accuracy import contact, place, times, written
from tests.accuracy.result import Result

LEAST = 0.94


@pytest.mark.parametrize("name", written.SETS)
@pytest.mark.parametrize("of_set", [contact.of_set, times.of_set, place.of_set])
def test_every_figure_of_a_set_holds(of_set: Callable[[str], Result], name: str) -> None:
    assert {figure.metric: figure.value for figure in of_set(name).figures if figure.value < LEAST} == {}
