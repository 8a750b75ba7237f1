"""A mail larger than a person's in one way is read as far as the limit goes, and says so."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from channels.email import addresses, bodies, headers, structure
from channels.email.message import Mail, read_bytes
from channels.email.parse import SUBJECT_MAX, Site, parse
from normalizer import normalize
from normalizer.identity import number
from normalizer.ticket import TEXT_MAX, Raw

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def codes(mail: Mail) -> list[str]:
    return [note.code for note in mail.notes]


def test_a_field_longer_than_64_kib_is_cut_and_those_behind_it_count() -> None:
    folded = b"\r\n " + b"x" * 900
    mail = read_bytes(b"X-Long: a" + folded * 200 + b"\r\nSubject: lamp\r\nFrom: a@b.example\r\n\r\ntext")
    assert (mail.subject, mail.text, codes(mail)) == ("lamp", "text", ["field_cut"])
    assert all(len(value) <= structure.FIELD_MAX for _, value in mail.fields)


def test_a_subject_of_a_megabyte_is_a_subject_of_300_characters() -> None:
    body = b"From: a@b.example\r\nSubject: " + b"x" * 1_000_000 + b"\r\n\r\ntext"
    inbound = parse(Raw(channel="email", source_id="a", received_at=NOW, body=body), Site((), None))
    assert (inbound.title, inbound.text) == ("x" * SUBJECT_MAX, "text")


def test_of_very_many_fields_the_first_count() -> None:
    mail = read_bytes(b"Subject: lamp\r\n" + b"X-A: b\r\n" * (structure.FIELDS_MAX + 100) + b"To: a@b\r\n\r\ntext")
    assert (mail.subject, len(mail.fields), mail.text) == ("lamp", structure.FIELDS_MAX, "text")


def test_of_very_many_recipients_and_references_some_count() -> None:
    to = b",\r\n ".join(b"a%d@b.example" % at for at in range(5_000))
    references = b"\r\n ".join(b"<%d@b>" % at for at in range(5_000))
    mail = read_bytes(b"To: " + to + b"\r\nReferences: " + references + b"\r\n\r\ntext")
    assert len(mail.to) == addresses.ADDRESSES_MAX
    assert len(mail.references) == headers.IDS_MAX
    assert (mail.references[0], mail.text) == ("0@b", "text")


def test_a_text_longer_than_a_ticket_may_hold_is_cut_and_the_ticket_says_so() -> None:
    body = b"Subject: x\n\n" + "路灯坏了。\n".encode() * 300_000
    mail = read_bytes(body)
    assert (len(mail.text) <= bodies.TEXT_MAX, codes(mail)) == (True, ["charset_guessed", "text_cut"])
    raw = Raw(channel="email", source_id="a", received_at=NOW, body=body)
    began = time.process_time()
    ticket = normalize(raw, parse(raw, Site((), None)), number=number(NOW.date(), 0, 1))
    assert time.process_time() - began < 5
    assert (len(ticket.text) <= TEXT_MAX, ticket.text[:8]) == (True, "路灯坏了。\n路灯")
    assert {"text_cut", "cut"} <= {note.code for note in ticket.notes}
