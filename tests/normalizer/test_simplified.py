"""The search key: simplified, character by character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.simplified import simplified


@pytest.mark.parametrize(
    ("text", "key"),
    [("朝陽區路燈壞了", "朝阳区路灯坏了"), ("臺灣", "台湾"), ("简体不变 abc 123。", "简体不变 abc 123。"), ("", "")],
)
def test_simplified(text: str, key: str) -> None:
    assert simplified(text) == key


@given(st.text() | st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_positions_stay_and_a_key_is_its_own_key(text: str) -> None:
    key = simplified(text)
    assert len(key) == len(text)
    assert simplified(key) == key
