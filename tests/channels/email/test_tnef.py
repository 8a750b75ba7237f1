"""winmail.dat opened: files whole, damage survived, no claim of the sender believed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import tnef
from tests.effort import Effort

REAL = Path(__file__).parents[4] / "shared" / "data" / "mail" / "mimekit" / "tnef"
HEAD = tnef.SIGNATURE + b"\x01\x00"


def attribute(name: int, value: bytes, level: int = 2) -> bytes:
    return struct.pack("<BHHI", level, name, 0, len(value)) + value + b"\0\0"


def file(title: bytes, data: bytes) -> bytes:
    return attribute(0x9002, b"\0" * 14) + attribute(0x8010, title + b"\0") + attribute(0x800F, data)


def test_files_keep_every_byte_and_their_names() -> None:
    page = attribute(0x9007, struct.pack("<II", 936, 0), level=1)
    found = tnef.unpack(HEAD + page + file("报告.doc".encode("gbk"), b"\0data\0\0") + file(b"b.txt", b"x"))
    assert [(one.name, one.data) for one in found.files] == [("报告.doc", b"\0data\0\0"), ("b.txt", b"x")]
    assert found.whole


def test_the_long_name_wins_over_the_short_one() -> None:
    name = "很长的名字.pdf".encode("utf-16-le") + b"\0\0"
    padded = name + b"\0" * (-len(name) % 4)
    properties = struct.pack("<IHHII", 1, 0x1F, 0x3707, 1, len(name)) + padded
    found = tnef.unpack(HEAD + file(b"LONGNA~1.PDF", b"x") + attribute(0x9005, properties))
    assert found.files[0].name == "很长的名字.pdf"


def test_what_was_read_before_damage_is_kept_and_the_damage_said() -> None:
    found = tnef.unpack(HEAD + file(b"a.txt", b"x") + attribute(0x9005, struct.pack("<IHH", 9, 0x1F, 0x3707)))
    assert [one.name for one in found.files] == ["a.txt"]
    assert not found.whole


@pytest.mark.parametrize("kind", [0x1003, 0x101F, 0x1F, 0x0003, 0x1048, 0xFFFF])
def test_four_billion_properties_are_a_lie(kind: int) -> None:
    properties = struct.pack("<IHHI", 0xFFFFFFFF, kind, 0x3707, 0xFFFFFFFF) * 2_000
    effort = Effort()
    tnef.unpack(HEAD + attribute(0x9002, b"") + attribute(0x9005, properties))
    assert effort.within(0.5)


def test_many_small_attributes_take_linear_time() -> None:
    effort = Effort()
    found = tnef.unpack(HEAD + file(b"a", b"x") * 100_000)
    assert effort.within(2)
    assert len(found.files) == tnef.FILES_MAX


def test_what_is_no_tnef_says_so() -> None:
    with pytest.raises(tnef.Unreadable):
        tnef.unpack(b"PK\x03\x04")


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_signature_are_survived(data: bytes) -> None:
    tnef.unpack(HEAD + data)
    tnef.unpack(HEAD + attribute(0x9002, b"") + attribute(0x9005, data) + attribute(0x9003, data, level=1))


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_any_compressed_rtf_is_survived(data: bytes, size: int) -> None:
    rtf = struct.pack("<IIII", len(data) + 12, size, 0x75465A4C, 0) + data
    properties = struct.pack("<IHHII", 1, 0x0102, 0x1009, 1, len(rtf)) + rtf + b"\0" * (-len(rtf) % 4)
    assert len(tnef.unpack(HEAD + attribute(0x9003, properties, level=1)).rtf) <= tnef.RTF_MAX


@pytest.mark.skipif(not REAL.is_dir(), reason="the real winmail.dat files are not there")
def test_real_files_come_out_as_others_extracted_them() -> None:
    compared = 0
    for stream in sorted(REAL.glob("*.tnef")):
        found = tnef.unpack(stream.read_bytes())
        for one in found.files:
            expected = REAL / stream.stem / one.name
            if one.name and expected.is_file() and not one.name.startswith("Untitled"):
                kept, theirs = one.data, expected.read_bytes()
                assert kept == theirs or kept.replace(b"\r\n", b"\n") == theirs.replace(b"\r\n", b"\n"), stream.name
                compared += 1
        if (rtf := REAL / stream.stem / "message.rtf").is_file() and found.rtf:
            assert found.rtf.replace(b"\r\n", b"\n") == rtf.read_bytes().replace(b"\r\n", b"\n"), stream.name
    assert compared >= 20
