"""What runs of the fuzzer (tests/fuzz/mail.py) found: each was wrong once, as small as it could be made."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from channels.email import tnef
from channels.email.parse import Site, parse
from normalizer.ticket import Inbound, Raw

SITE = Site(("hotline@hotline.example",), b"fuzzing")


def parsed(body: bytes, **meta: str) -> Inbound:
    received = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    return parse(Raw(channel="email", source_id="a", received_at=received, body=body, meta=dict(meta)), SITE)


def test_an_envelope_sender_with_blanks_in_it_is_nobodys_key() -> None:
    found = parsed(b"Subject: x\n\ntext", envelope_from="a@b.example From: c <d@e.example")
    assert (found.senders, found.text) == ((), "text")


def test_a_name_out_of_winmail_dat_is_one_line() -> None:
    attributes = ((0x9002, b""), (0x8010, b"one\ntwo\r.txt\0"), (0x800F, b"x"), (0x9002, b""), (0x8010, b" \n\0"))
    packed = tnef.SIGNATURE + b"\0\0"
    for name, value in attributes:
        packed += struct.pack("<BHHI", 2, name, 0, len(value)) + value + b"\0\0"
    found = parsed(b"From: a@b.example\nContent-Type: application/ms-tnef\n\n" + packed)
    names = [one.name for one in found.attachments]
    assert "one two .txt" in names
    assert not [name for name in names if "\n" in name or not name.strip()]


def test_an_envelope_sender_with_control_characters_gets_no_receipt() -> None:
    mail = b"From: c@citizen.example\nSubject: x\n\ntext"
    for broken in ("a@b.example\x01\x00UTH", "a b@b.example", "nobody"):
        receipt_to = parsed(mail, envelope_from=broken).requester.receipt_to
        assert receipt_to is not None
        assert receipt_to.address == "c@citizen.example"
