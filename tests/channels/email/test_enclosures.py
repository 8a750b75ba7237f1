"""A mail with files: read with the standard library and with our own reader it is what was put in, at every try."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Reply
from channels.email.compose import Letter, compose
from channels.email.enclosures import room
from channels.email.message import read_bytes
from normalizer.attachment import NAME_MAX, UNKNOWN, clean_name
from normalizer.identity import number
from normalizer.ticket import Attachment, ReplyAddress

TEXT = "您好！\n\n路灯已修好。"
FILES = st.builds(
    Attachment,
    name=st.text(st.characters(codec="utf-8"), max_size=NAME_MAX + 20),
    declared_type=st.sampled_from(["image/jpeg", "text/plain", "text/html", "application/pdf", "nonsense", None]),
    content=st.binary(max_size=300),
)


def letter(*files: Attachment) -> Letter:
    message = Reply(
        operation="reply:5", number=number(date(2026, 11, 23), 1, 1), text=TEXT, purpose="answer", attachments=files
    )
    to = ReplyAddress(channel="email", address="ouyang@citizen.example")
    at = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    return compose(to, message, mailbox="hotline@example.org", name=None, secret=b"0123456789abcdef", at=at)


def opened(content: bytes) -> EmailMessage:
    mail = BytesParser(policy=policy.default).parsebytes(content)
    assert isinstance(mail, EmailMessage)
    assert [defect for part in mail.walk() for defect in part.defects] == []
    return mail


def file(name: str, media_type: str | None = "application/pdf", content: bytes = b"%PDF") -> Attachment:
    return Attachment(name=name, declared_type=media_type, content=content)


def test_the_text_in_both_forms_stands_before_the_files() -> None:
    mail = opened(letter(file("清单.pdf"), file("灯.jpg", "image/jpeg", b"\xff\xd8\xff")).content)
    assert mail.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in mail.iter_parts()] == [
        "multipart/alternative",
        "application/pdf",
        "image/jpeg",
    ]
    body = mail.get_body(("plain",))
    assert body is not None
    assert str(body.get_content()).replace("\r\n", "\n").strip() == TEXT
    assert mail.get_body(("html",)) is not None


def test_without_files_the_mail_is_as_it_was() -> None:
    assert opened(letter().content).get_content_type() == "multipart/alternative"


@given(st.lists(FILES, min_size=1, max_size=3))
def test_whatever_a_file_is_called_and_holds_it_arrives(files: list[Attachment]) -> None:
    content = letter(*files).content
    assert content == letter(*files).content, "every try has the same bytes"
    assert all(len(line) <= 998 for line in content.split(b"\r\n")), "RFC 5322 2.1.1"
    assert b"\n" not in content.replace(b"\r\n", b"")
    names = [clean_name(one.name) for one in files]
    parts = list(opened(content).iter_attachments())
    assert [part.get_payload(decode=True) for part in parts] == [one.content for one in files]
    assert [part.get_content_disposition() for part in parts] == ["attachment"] * len(files)
    assert [part.get_filename() for part in parts] == names
    ours = read_bytes(content)
    assert [(one.name, one.content) for one in ours.attachments if one.content] == [
        (name, one.content) for name, one in zip(names, files, strict=True) if one.content
    ]
    assert ours.text.strip() == TEXT


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "message/rfc822", "x\r\nBcc: a@b", "", None])
def test_what_a_mail_program_might_run_or_open_is_just_bytes(media_type: str | None) -> None:
    [part] = opened(letter(file("a.bin", media_type)).content).iter_attachments()
    assert part.get_content_type() == UNKNOWN


def test_a_delimiter_within_a_file_ends_nothing() -> None:
    first = letter(file("a.txt", "text/plain"))
    boundaries = [str(part.get_boundary()) for part in opened(first.content).walk() if part.is_multipart()]
    inside = "".join(f"\r\n--{one}--\r\n" for one in boundaries).encode()
    [part] = opened(letter(file("a.txt", "text/plain", inside)).content).iter_attachments()
    assert part.get_payload(decode=True) == inside
    outer, inner = boundaries
    assert not outer.startswith(inner)
    assert not inner.startswith(outer)


@pytest.mark.parametrize("size", [57, 58, 1_000, 1_000_000])
def test_what_fits_into_the_room_is_no_larger_in_the_mail(size: int) -> None:
    content = b"x" * room(size)
    grown = len(letter(file("a.pdf", content=content)).content) - len(letter(file("a.pdf", content=b"")).content)
    assert grown <= size
    assert len(content) >= size * 0.72 - 57
