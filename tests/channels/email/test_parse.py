"""A mail's bytes into what the citizen said, and what becomes of mail in which nobody says anything."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from channels.email.parse import Site, parse
from normalizer.errors import Rejected
from normalizer.ticket import Inbound, Raw

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
SITE = Site(("hotline@hotline.example",), b"0123456789abcdef")
HEAD = "From: zhang@citizen.example\r\nSubject: lamp\r\n"


def parsed(body: bytes, **meta: str) -> Inbound:
    raw = Raw(
        channel="email", source_id="a", received_at=NOW, body=body, content_type="message/rfc822", meta=dict(meta)
    )
    return parse(raw, SITE)


def said(*lines: str) -> Inbound:
    return parsed((HEAD + "\r\n".join(lines)).encode())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_mail"),
        (b"\r\n \0\r\n", "empty_mail"),
        (b"From: a@b.example\r\nTo: hotline@hotline.example\r\nSubject: \r\n\r\n\r\n", "empty_mail"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not_a_mail"),
        (b"PK\3\4" + bytes(40), "not_a_mail"),
    ],
)
def test_a_mail_in_which_nobody_says_anything_is_set_aside_with_its_code(body: bytes, code: str) -> None:
    inbound = parsed(body)
    assert inbound.set_aside is not None
    assert (inbound.set_aside.code, inbound.text, inbound.attachments) == (code, "", ())
    assert inbound.set_aside.detail
    assert parsed(body, digest="0" * 64).digest == "0" * 64


def test_a_mail_with_more_than_a_person_sends_is_refused_as_it_may_hold_a_request() -> None:
    with pytest.raises(Rejected, match="too_many_parts"):
        parsed(b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nx\n" * 1_100)


def test_a_signature_that_is_all_there_is_stays() -> None:
    signed = said(
        "Content-Type: multipart/signed; boundary=b", "", "--b", "", "", "--b",
        "Content-Type: application/pgp-signature; name=s.asc", "", "x", "--b--",
    )  # fmt: skip
    assert ([one.name for one in signed.attachments], signed.text) == (["s.asc"], "lamp")


def test_a_signature_of_a_file_that_was_sent_is_a_file_too() -> None:
    sent = said(
        "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "words", "--b",
        "Content-Type: application/pgp-signature; name=deed.pdf.asc", "", "x", "--b--",
    )  # fmt: skip
    assert [one.name for one in sent.attachments] == ["deed.pdf.asc"]
    assert not [note for note in sent.notes if note.code == "signed"]


def test_certificates_alone_are_a_file_and_no_secret() -> None:
    sent = said("Content-Type: application/pkcs7-mime; smime-type=certs-only; name=smime.p7c", "", "0")
    assert ([one.name for one in sent.attachments], sent.notes) == (["smime.p7c"], ())


@pytest.mark.parametrize(
    ("field", "codes"),
    [
        ("Content-Type: application/octet-stream; name=smime.p7m", ["encrypted"]),
        ("Content-Type: application/x-pkcs7-mime; smime-type=authEnveloped-data", ["encrypted"]),
        ("Content-Type: application/pkcs7-mime; smime-type=Signed-Data", ["signed_opaque"]),
        ("Content-Type: application/pkcs7-mime", ["encrypted"]),
    ],
)
def test_what_cannot_be_read_says_so_and_the_subject_stands_for_it(field: str, codes: list[str]) -> None:
    inbound = said(field, "", "0")
    assert (inbound.text, [note.code for note in inbound.notes], inbound.set_aside) == ("lamp", codes, None)
    assert len(inbound.attachments) == 1


def test_encrypted_words_beside_others_become_a_file() -> None:
    inbound = said("", "please read", "-----BEGIN PGP MESSAGE-----", "", "hQEM", "-----END PGP MESSAGE-----", "thanks")
    assert inbound.text == "please read\nthanks"
    assert [(one.name, one.content[:27]) for one in inbound.attachments] == [
        ("encrypted.asc", b"-----BEGIN PGP MESSAGE-----")
    ]


def test_an_encrypted_mail_without_a_subject_is_a_ticket_with_a_file() -> None:
    inbound = parsed(b"From: a@b.example\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n0")
    assert (inbound.text, [one.name for one in inbound.attachments]) == ("", ["smime.p7m"])
    assert inbound.set_aside is None
