"""DKIM and ARC: real mails with their keys, what RFC 6376 and 8301 forbid, and what a stranger may not cost us."""

from __future__ import annotations

import base64
import re
import time
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given
from hypothesis import strategies as st

from channels.email.auth import body
from channels.email.auth.body import Body
from channels.email.auth.signatures import (
    SETS_MAX,
    SIGNATURES_MAX,
    Keys,
    Letter,
    Signed,
    arc_of,
    best,
    dkim_of,
    keys_of,
)
from tests.channels.email.zones import SHARED, shared

NOW = 1_764_000_000.0
BITS = 2048
NAME = "s._domainkey.citizen.example"
MAIL = b"From: Li <li@citizen.example>\r\nTo: hotline@hotline.example\r\nSubject: lamp\r\n\r\nThe lamp is broken.\r\n"


def stalwart(kind: str, name: str) -> tuple[Letter, Keys]:
    """A mail of the set, with CRLF as it was sent, and the keys given above it."""
    head, _, mail = (shared(f"auth_stalwart/{kind}") / name).read_bytes().partition(b"\n\n")
    pairs = [line.split(" ", 1) for line in head.decode().splitlines()]
    return Letter(mail.replace(b"\n", b"\r\n")), {key.lower(): (text,) for key, text in pairs}


def names(kind: str) -> list[str]:
    return sorted(path.name for path in (SHARED / "auth_stalwart" / kind).glob("*.txt"))


@pytest.mark.parametrize("name", names("dkim"))
def test_every_signature_of_the_set_verifies(name: str) -> None:
    letter, keys = stalwart("dkim", name)
    # 005 was to be read within a day.
    signed = dkim_of(letter, keys, 1_667_843_664 if name == "005.txt" else NOW)
    assert len(signed) == len(letter.values(b"dkim-signature")) > 0
    assert {one.result for one in signed} == {"pass"}
    assert keys_of(letter) <= set(keys)


@pytest.mark.parametrize("name", names("arc"))
def test_every_chain_of_the_set_verifies(name: str) -> None:
    letter, keys = stalwart("arc", name)
    assert arc_of(letter, keys) == "pass"
    assert arc_of(Letter(MAIL), keys) == "none"


@pytest.mark.parametrize("name", names("arc"))
@pytest.mark.parametrize("gap", [b"", b"\t", b"\r\n  "])
def test_a_chain_verifies_however_its_fields_begin(name: str, gap: bytes) -> None:
    letter, keys = stalwart("arc", name)
    letter.fields = [(key, gap + value.lstrip()) for key, value in letter.fields]
    assert arc_of(letter, keys) == "pass"


@pytest.mark.parametrize("name", names("arc"))
def test_a_chain_over_another_text_or_without_its_keys_has_failed(name: str) -> None:
    letter, keys = stalwart("arc", name)
    assert arc_of(letter, {}) == "fail"
    assert arc_of(letter, dict.fromkeys(keys)) == "temperror"
    letter.body = Body(b"Another text.", 0)
    assert arc_of(letter, keys) == "fail"


@cache
def pair(bits: int) -> tuple[bytes, str]:
    """A private key, and the record of its public key."""
    key = rsa.generate_private_key(65537, bits)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, f"v=DKIM1; p={base64.b64encode(public).decode()}"


def signed(mail: bytes = MAIL, bits: int = BITS, **how: object) -> bytes:
    how = {"canonicalize": (b"relaxed", b"relaxed"), **how}
    return bytes(dkim.sign(mail, b"s", b"citizen.example", pair(bits)[0], **how)) + mail


def result(mail: bytes, record: str | None = "", now: float | None = None) -> str:
    """What becomes of the only signature; `record` None: the name server fails."""
    texts = (record or pair(BITS)[1],) if record is not None else None
    (found,) = dkim_of(Letter(mail), {NAME: texts}, time.time() if now is None else now)
    return found.result


@pytest.mark.parametrize("ways", [(a, b) for a in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")])
def test_what_is_signed_verifies_in_every_canonical_form(ways: tuple[bytes, bytes]) -> None:
    mail = signed(MAIL + b" two  blanks \t\r\n\r\n\r\n", canonicalize=ways)
    assert result(mail) == "pass"
    assert result(mail.replace(b"two", b"too")) == "fail"
    assert result(mail.replace(b"lamp", b"lamps", 1)) == "fail"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, "temperror"),
        ("v=DKIM1; p=", "permerror"),  # revoked
        ("nothing of the kind", "permerror"),
        ("v=DKIM2; {p}", "permerror"),
        ("v=DKIM1; s=tlsrpt; {p}", "permerror"),
        ("v=DKIM1; h=sha1; {p}", "permerror"),
        ("v=DKIM1; k=ed25519; {p}", "permerror"),
        ("v=DKIM1; k=rsa; p=AAAA", "permerror"),
        ("v=DKIM1; k=rsa; p=%%%", "permerror"),
        ("v=DKIM1; h=sha1:sha256; s=email; t=y; {p}", "pass"),
        ("{p}", "pass"),
    ],
)
def test_the_key_record_decides(record: str | None, expected: str) -> None:
    key = pair(BITS)[1].partition("; ")[2]
    assert result(signed(), record.replace("{p}", key) if record is not None else None) == expected


@pytest.mark.parametrize(("bits", "expected"), [(1024, "pass"), (4096, "pass"), (4608, "policy")])
def test_only_keys_of_a_size_that_can_be_trusted_count(bits: int, expected: str) -> None:
    assert result(signed(bits=bits), pair(bits)[1]) == expected


def test_a_key_with_a_huge_exponent_is_not_computed_with() -> None:
    """The record of `pair` holds modulus and exponent; this one has the modulus as its exponent."""
    modulus = bytes([0x02, 0x82, 0x01, 0x01, 0x00]) + b"\xff" * 256
    der = b"\x30\x82" + (2 * len(modulus)).to_bytes(2, "big") + modulus * 2
    assert result(signed(), f"p={base64.b64encode(der).decode()}") == "policy"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((b"a=rsa-sha256", b"a=rsa-sha1"), "policy"),
        ((b"a=rsa-sha256", b"a=rot13"), "neutral"),
        ((b"v=1; ", b""), "neutral"),
        ((b"c=relaxed/relaxed", b"c=what/ever"), "permerror"),
        ((b"d=citizen.example", b"d="), "neutral"),
        ((b"v=1; ", b"v=1; v=1; "), "neutral"),
        ((b"v=1; ", b"v=1; x=1000000000; "), "policy"),
        ((b"v=1; ", b"v=1; x=soon; "), "neutral"),
        ((b"v=1; ", b"v=1; " + b" " * 200), "permerror"),
    ],
)
def test_a_signature_that_breaks_a_rule_has_its_word(change: tuple[bytes, bytes], expected: str) -> None:
    assert result(signed().replace(*change, 1)) == expected


def test_a_signature_that_leaves_out_from_does_not_count() -> None:
    assert result(re.sub(rb"(h=|: )from", rb"\1x-from", signed())) == "permerror"


def test_a_signature_of_the_future_does_not_count() -> None:
    assert result(signed(), now=time.time() - 100_000) == "policy"


def test_a_text_that_goes_on_behind_its_signed_length_is_not_signed() -> None:
    mail = signed(length=True)
    assert result(mail) == "pass"
    assert result(mail + b"And pay the fee here: ...\r\n") == "policy"


def test_a_second_subject_above_the_signed_one_is_seen() -> None:
    assert result(b"Subject: another\r\n" + signed(include_headers=[b"From", b"Subject"])) == "policy"


def test_one_good_signature_is_enough_and_only_the_first_are_looked_at() -> None:
    bad = signed().replace(b"The lamp", b"The bulb").partition(b"From:")[0].replace(b"bh=", b"bh=AAAA")
    several = dkim_of(Letter(bad * (SIGNATURES_MAX - 1) + signed()), {NAME: (pair(BITS)[1],)}, time.time())
    assert len(several) == SIGNATURES_MAX
    assert several[-1] == Signed("citizen.example", "pass")
    assert best(several) == "pass"
    too_many = dkim_of(Letter(bad * SIGNATURES_MAX + signed()), {NAME: (pair(BITS)[1],)}, time.time())
    assert best(too_many) != "pass"


def test_a_chain_without_end_is_not_followed() -> None:
    sets = b"".join(b"ARC-Seal: i=%d; d=a.example; s=s; b=AAAA\r\n" % at for at in range(1, SETS_MAX + 2))
    letter = Letter(sets + MAIL)
    assert arc_of(letter, {}) == "policy"
    assert keys_of(letter) == set()


@given(st.binary(max_size=60))
def test_a_signature_of_any_bytes_has_a_word(value: bytes) -> None:
    letter = Letter(b"DKIM-Signature: " + value + b"\r\nARC-Seal: i=1; " + value + b"\r\n" + MAIL)
    keys = dict.fromkeys(keys_of(letter), (pair(BITS)[1],))
    assert {one.result for one in dkim_of(letter, keys, NOW)} <= {"neutral", "permerror", "policy", "fail"}
    assert arc_of(letter, keys) in {"fail", "none"}


@given(st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r", b"\n", b"\r\n", b".", b" \r\n"]), max_size=40).map(b"".join))
def test_the_body_is_hashed_as_dkimpy_would(text: bytes) -> None:
    """In pieces of a few bytes. (dkimpy leaves blanks at the very end, where no line end follows.)"""
    text += b"\r\n"
    lines = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    whole = Body(b"head" + text, 4)
    size, body.PIECE = body.PIECE, 3
    try:
        assert b"".join(whole._canonical(relaxed=False)) == Simple.canonicalize_body(lines)
        assert b"".join(whole._canonical(relaxed=True)) == Relaxed.canonicalize_body(lines)
    finally:
        body.PIECE = size


@pytest.mark.parametrize("text", [b" " * 2_000_000, b"\r\n" * 500_000, b"\t \r\n" * 300_000 + b"x"])
def test_blanks_without_end_cost_no_more_than_letters(text: bytes) -> None:
    began = time.process_time()
    Body(text, 0).hashed(relaxed=True, limit=None)
    assert time.process_time() - began < 2
