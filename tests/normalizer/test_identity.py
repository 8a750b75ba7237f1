"""Laws of names: one submission, one id; a number that was misheard is noticed."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer import identity

NUMBERS = st.builds(
    identity.number,
    st.dates(date(2020, 1, 1), date(2199, 12, 31)),
    st.integers(0, 99),
    st.integers(0, 9_999_999),
)


@given(NUMBERS)
def test_a_number_is_at_least_sixteen_digits_and_checks(number: str) -> None:
    assert re.fullmatch(r"[0-9]{16,18}", number)
    assert identity.is_number(number)


@given(NUMBERS, st.data())
def test_every_single_wrong_digit_is_noticed(number: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[at]]))
    assert not identity.is_number(number[:at] + wrong + number[at + 1 :])


@given(NUMBERS, st.data())
def test_every_swap_of_neighbours_is_noticed(number: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(number) - 2))
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    assert swapped == number or not identity.is_number(swapped)


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_is_typed_as_a_number_gets_an_answer(text: str) -> None:
    assert identity.is_number(text) in {True, False}


@pytest.mark.parametrize(("gateway", "sequence"), [(-1, 0), (100, 0), (0, -1)])
def test_a_number_out_of_range_is_refused(gateway: int, sequence: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        identity.number(date(2026, 11, 23), gateway, sequence)


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_a_ticket_id_is_a_safe_name_and_always_the_same(channel: str, source_id: str) -> None:
    made = identity.ticket_id(channel, source_id)
    assert re.fullmatch(r"t[a-z2-7]{26}", made)
    assert made == identity.ticket_id(channel, source_id)


def test_channel_and_source_id_do_not_run_into_each_other() -> None:
    assert identity.ticket_id("web", "1") != identity.ticket_id("we", "b1")


def test_a_receipt_code_forgives_case_and_blanks_and_nothing_else() -> None:
    code = identity.receipt_code(identity.ticket_id("web", "1"), b"secret")
    assert len(code) == identity.CODE_LENGTH
    assert identity.same_code(f" {code.lower()} ", code)
    assert not identity.same_code(code[:-1], code)
    assert code != identity.receipt_code(identity.ticket_id("web", "1"), b"other")


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_digests_are_equal_only_for_equal_parts(one: list[bytes], other: list[bytes]) -> None:
    assert (identity.content_digest(*one) == identity.content_digest(*other)) == (one == other)
