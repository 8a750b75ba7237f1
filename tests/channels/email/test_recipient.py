"""How an address is spelled on the wire: exactly as it was given, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.recipient import Unwritable, is_own, spelled


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("Ou.Yang+x@Citizen.Example", "Ou.Yang+x@citizen.example"),
        (" ouyang@citizen.example. ", "ouyang@citizen.example"),
        ("ou..yang.@docomo.example", '"ou..yang."@docomo.example'),
        ('"ou yang"@citizen.example', '"ou yang"@citizen.example'),
        ('"ou\\"yang"@citizen.example', '"ou\\"yang"@citizen.example'),
        ('"ouyang"@citizen.example', "ouyang@citizen.example"),
        ("欧阳@citizen.example", "欧阳@citizen.example"),
        ("ouyang@例子.测试", "ouyang@xn--fsqu00a.xn--0zwm56d"),
        ("ouyang@ＣＩＴＩＺＥＮ。例子", "ouyang@citizen.xn--fsqu00a"),
        ("ouyang@straße.example", "ouyang@xn--strae-oqa.example"),  # IDNA 2003 would write to another domain
    ],
)
def test_an_address_is_written_as_the_protocol_wants_it(address: str, written: str) -> None:
    assert spelled(address) == written


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ouyang",
        "@citizen.example",
        "ouyang@",
        "ouyang@citizen..example",
        "ouyang@-citizen.example",
        "ouyang@[192.0.2.1]",
        "ou yang@citizen.example",
        "a@b@citizen.example",
        "a,b@citizen.example",
        "<ouyang@citizen.example>",
        "ouyang@citizen.example>",
        'a"b@citizen.example',
        "ouyang@citizen.example, other@citizen.example",
        "ouyang\r\nBcc: x@citizen.example",
        "ouyang@citizen.example\r\nBcc: x@citizen.example",
        '"ou\r\nyang"@citizen.example',
        "ouyang\0@citizen.example",
        "ouyang\u202e@citizen.example",
        "ouyang\udc80@citizen.example",
        f"{'x' * 65}@citizen.example",
        f"{'欧' * 22}@citizen.example",
        f"ouyang@{'x' * 64}.example",
        f"ouyang@{'x.' * 130}example",
    ],
)
def test_what_cannot_be_written_is_no_address(address: str) -> None:
    with pytest.raises(Unwritable, match=r"^bad_address$"):
        spelled(address)


@given(st.text() | st.from_regex(r"[ -~\s]{0,20}@[ -~\s]{0,20}", fullmatch=True) | st.emails())
def test_what_is_written_stays_one_word_and_is_written_the_same_again(address: str) -> None:
    try:
        written = spelled(address)
    except Unwritable:
        return
    assert written.isprintable()
    assert written.rpartition("@")[2].isascii()
    assert len(written.encode()) <= 254
    if not written.startswith('"'):
        assert not set(written) & set(' <>,;:"()[]\\')
    assert spelled(written) == written


@given(st.emails())
def test_every_ordinary_address_can_be_written(address: str) -> None:
    assert spelled(address).lower() == address.lower()


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("hotline@example.org", True),
        ("HotLine@EXAMPLE.org", True),
        ("hotline+2024030500100001.abc@example.org", True),
        ('"hotline"@example.org', True),
        ('"hotline+a b"@example.org', True),
        ("hotline@example.org.", True),
        ("hotlines@example.org", False),
        ("hotline@mail.example.org", False),
    ],
)
def test_an_address_of_ours_is_known_in_every_disguise(address: str, own: bool) -> None:
    assert is_own(spelled(address), {"hotline@example.org"}) is own
