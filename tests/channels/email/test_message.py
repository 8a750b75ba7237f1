"""A mail as a citizen's program sends it becomes a Mail that says what the citizen said."""

from __future__ import annotations

import struct
import tracemalloc
from base64 import b64encode, encodebytes
from binascii import b2a_uu
from datetime import UTC, datetime

import pytest

from channels.email import structure, tnef
from channels.email.addresses import Address
from channels.email.message import Mail, MailFlag, read, read_bytes
from normalizer.errors import Rejected
from normalizer.ticket import Raw

HEAD = b"From: =?gbk?B?1cXI/Q==?= <z@b.cn>\r\nTo: hotline@x.cn\r\nSubject: lamp\r\nMessage-ID: <1@b.cn>\r\n"
TEXT = "小区路灯坏了三天，请尽快派人修理。"


def mail(content_type: str, body: bytes, *more: str) -> Mail:
    fields = "".join(f"{one}\r\n" for one in (f"Content-Type: {content_type}", *more))
    return read_bytes(HEAD + fields.encode() + b"\r\n" + body)


def multipart(kind: str, *parts: tuple[str, bytes], **parameters: str) -> tuple[str, bytes]:
    """Content type and body of a multipart; each part: its head's lines, its content."""
    mark = f"={kind}-mark="
    inside = b"".join(f"--{mark}\r\n{head}\r\n\r\n".encode() + content + b"\r\n" for head, content in parts)
    more = "".join(f'; {name.replace("_", "-")}="{value}"' for name, value in parameters.items())
    return f'multipart/{kind}; boundary="{mark}"{more}', inside + f"--{mark}--\r\n".encode()


def test_a_plain_mail_is_read_whole() -> None:
    meta = {"envelope_from": "z@b.cn", "envelope_to": "hotline@x.cn hotline+1@x.cn"}
    body = HEAD + b"Cc: Li <l@b.cn>\r\nReply-To: r@b.cn\r\nDate: Mon, 23 Nov 2026 10:00:00 +0800\r\n"
    body += b"In-Reply-To: <0@x.cn>\r\nReferences: <00@x.cn>\r\n <0@x.cn>\r\nX-Note: a\r\nX-NOTE: b\r\n"
    body += b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + TEXT.encode() + b"\r\n"
    raw = Raw(channel="email", source_id="1", received_at=datetime(2026, 11, 23, tzinfo=UTC), body=body, meta=meta)
    found = read(raw)
    assert (found.subject, found.text, found.message_id) == ("lamp", TEXT, "1@b.cn")
    assert (found.from_, found.to) == (Address("张三", "z@b.cn"), (Address("", "hotline@x.cn"),))
    assert (found.cc, found.reply_to) == ((Address("Li", "l@b.cn"),), (Address("", "r@b.cn"),))
    assert (found.in_reply_to, found.references) == ("0@x.cn", ("00@x.cn", "0@x.cn"))
    assert found.date == datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    assert (found.envelope_from, found.envelope_to) == ("z@b.cn", ("hotline@x.cn", "hotline+1@x.cn"))
    assert found.header("x-Note") == ["a", "b"]
    assert (found.content_type, found.content_type_params) == ("text/plain", {"charset": "utf-8"})
    assert (found.flags, found.notes, found.attachments) == (frozenset(), (), ())


@pytest.mark.parametrize(
    ("label", "charset"),
    [("GB18030", "gb18030"), ("gb2312", "gb18030"), ("us-ascii", "gb18030"), ("iso-8859-1", "utf-8"), ("utf-8", "gbk")],
)
def test_false_and_small_labels_do_not_garble(label: str, charset: str) -> None:
    assert mail(f"text/plain; charset={label}", TEXT.encode(charset)).text == TEXT


def test_unlabelled_gbk_in_head_and_body() -> None:
    found = read_bytes("From: 李雷 <l@b.cn>\nSubject: 路灯\n\n".encode("gbk") + TEXT.encode("gbk"))
    assert (found.subject, found.text, found.from_) == ("路灯", TEXT, Address("李雷", "l@b.cn"))
    assert [note.code for note in found.notes] == ["charset_guessed"]


def test_html_alone_in_gbk_named_only_by_the_page() -> None:
    page = f"<html><head><meta charset=gbk></head><body><p>{TEXT}</p><img src=cid:1></body></html>"
    found = mail("text/html", page.encode("gbk"))
    assert (found.text, found.flags) == (TEXT, {MailFlag.HTML_ONLY})
    assert "<p>" in found.html


def test_of_an_alternative_the_plain_text_is_the_text_and_the_page_is_kept() -> None:
    found = mail(
        *multipart("alternative", ("Content-Type: text/plain", b"plain"), ("Content-Type: text/html", b"<b>p</b>"))
    )
    assert (found.text, found.html, found.attachments) == ("plain", "<b>p</b>", ())


def test_an_alternative_whose_plain_text_is_blank_is_read_from_its_page() -> None:
    kind, body = multipart(
        "alternative", ("Content-Type: text/plain", b"\r\n \r\n"), ("Content-Type: text/html", b"<b>p</b>")
    )
    assert mail(kind, body).text == "p"


def test_texts_around_a_picture_are_all_the_text() -> None:
    photo = ("Content-Type: image/jpeg; name=p.jpg\r\nContent-Transfer-Encoding: base64", b64encode(b"\xff\xd8\xff"))
    found = mail(*multipart("mixed", ("Content-Type: text/plain", b"one"), photo, ("Content-Type: text/plain", b"two")))
    assert found.text == "one\n\ntwo"
    assert [(one.name, one.declared_type, one.content) for one in found.attachments] == [
        ("p.jpg", "image/jpeg", b"\xff\xd8\xff")
    ]


def test_pictures_inside_a_page_are_files_too() -> None:
    inner, body = multipart("related", ("Content-Type: text/html", b"<p>x</p>"), ("Content-Type: image/png", b"png"))
    found = mail(inner, body)
    assert (found.text, [one.name for one in found.attachments]) == ("x", ["attachment-1.png"])


@pytest.mark.parametrize(
    "field",
    [
        b'attachment; filename="' + "证明.pdf".encode("gb18030") + b'"',
        b"attachment; filename*=GB18030''%D6%A4%C3%F7.pdf",
        b'attachment; filename="=?gb18030?B?1qTD9y5wZGY=?="',
    ],
)
def test_chinese_file_names(field: bytes) -> None:
    kind, body = multipart("mixed", ("Content-Type: text/plain", b"x"), ("Content-Disposition: @", b"data"))
    found = mail(kind, body.replace(b"@", field))
    assert [(one.name, one.content) for one in found.attachments] == [("证明.pdf", b"data")]


def test_nul_and_broken_bytes_are_survived() -> None:
    found = mail("text/plain; charset=utf-8", b"before\0" + TEXT.encode() + b"\xff after")
    assert found.text == f"before{TEXT}\ufffd after"
    assert [note.code for note in found.notes] == ["bytes_damaged"]


def test_neither_subject_nor_date_nor_id_nor_recipient_is_needed() -> None:
    found = read_bytes(b"From: a@b\n\nhelp", envelope_from="")
    assert (found.subject, found.date, found.message_id, found.to) == ("", None, None, ())
    assert (found.text, found.envelope_from) == ("help", "")


def test_who_wrote_it_is_found_where_from_is_missing() -> None:
    assert read_bytes(b"Sender: s@b\n\nx").from_ == Address("", "s@b")
    assert read_bytes(b"Return-Path: <r@b>\nSubject: x\n\nx").from_ == Address("", "r@b")
    assert read_bytes(b"Subject: x\n\nx", envelope_from="e@b").from_ == Address("", "e@b")
    assert read_bytes(b"Subject: x\n\nx").from_ is None


def test_a_forwarded_mail_is_kept_as_a_file_byte_for_byte_and_can_be_read() -> None:
    inner = (
        b"From: a@b\r\nSubject: =?utf-8?B?6Lev54Gv?=\r\nContent-Type: text/plain; charset=latin1\r\n\r\n\xe9t\xe9\r\n"
    )
    found = mail(
        *multipart("mixed", ("Content-Type: text/plain", b"see below"), ("Content-Type: message/rfc822", inner))
    )
    assert (found.text, found.flags) == ("see below", {MailFlag.FORWARDED})
    assert [(one.name, one.content) for one in found.attachments] == [("路灯.eml", inner)]
    assert [(one.subject, one.text) for one in found.forwarded()] == [("路灯", "été")]


@pytest.mark.parametrize("encoding", ["7bit", "base64"])
def test_a_mail_that_only_forwards_says_what_the_forwarded_one_says(encoding: str) -> None:
    inner = b"From: a@b\r\nSubject: x\r\n\r\nthe lamp"
    content = encodebytes(inner) if encoding == "base64" else inner
    found = mail("message/rfc822", content, f"Content-Transfer-Encoding: {encoding}")
    assert (found.text, [note.code for note in found.notes]) == ("the lamp", ["text_from_forwarded"])


def test_winmail_dat_gives_way_to_the_files_inside() -> None:
    packed = (
        tnef.SIGNATURE
        + b"\1\0"
        + b"".join(
            struct.pack("<BHHI", 2, name, 0, len(value)) + value + b"\0\0"
            for name, value in ((0x9002, b""), (0x8010, b"a.doc\0"), (0x800F, b"data"))
        )
    )
    part = (
        "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64",
        b64encode(packed),
    )
    found = mail(*multipart("mixed", ("Content-Type: text/plain", b"x"), part))
    assert [(one.name, one.content) for one in found.attachments] == [("a.doc", b"data")]
    assert [note.code for note in found.notes] == ["winmail_unpacked"]


def test_winmail_dat_that_cannot_be_read_is_kept() -> None:
    found = mail(*multipart("mixed", ("Content-Type: text/plain", b"x"), ("Content-Type: application/ms-tnef", b"no")))
    assert [(one.name, one.content) for one in found.attachments] == [("winmail.dat", b"no")]


def test_an_invitation_without_words_says_what_it_is_about() -> None:
    entry = "BEGIN:VCALENDAR\r\nSUMMARY;LANGUAGE=zh:现场会\r\nLOCATION:三楼\r\n"
    entry += "DESCRIPTION:请带\\n材料\\, 三\r\n 份\r\nEND:VCALENDAR"
    found = mail("text/calendar; charset=utf-8; method=REQUEST", entry.encode())
    assert found.text == "现场会\n三楼\n请带\n材料, 三份"
    assert (found.flags, [one.name for one in found.attachments]) == ({MailFlag.CALENDAR}, ["invite.ics"])


@pytest.mark.parametrize(
    ("content_type", "body", "flag"),
    [
        (*multipart("encrypted", ("Content-Type: application/pgp-encrypted", b"Version: 1")), MailFlag.ENCRYPTED),
        (*multipart("signed", ("Content-Type: text/plain", b"x"), micalg="sha-256"), MailFlag.SIGNED),
        ("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", b"0", MailFlag.ENCRYPTED),
        ("application/x-pkcs7-mime; smime-type=signed-data", b"0", MailFlag.SIGNED),
        ("text/plain", b"-----BEGIN PGP MESSAGE-----\r\n\r\nabc", MailFlag.ENCRYPTED),
        ("text/plain", b"-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\nabc", MailFlag.SIGNED),
    ],
)
def test_encrypted_and_signed_mail_is_kept_and_flagged(content_type: str, body: bytes, flag: MailFlag) -> None:
    found = mail(content_type, body)
    assert found.flags == {flag}
    assert found.attachments or found.text


UU = b"begin 644 t\n" + b"".join(b2a_uu(TEXT.encode()[at : at + 45]) for at in range(0, 99, 45)) + b"`\nend\n"


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("base64", encodebytes(TEXT.encode())),
        ("BASE64 ", b64encode(TEXT.encode()).rstrip(b"=") + b"\r\n!!"),
        ("base64", b64encode(TEXT.encode()[:4]) + b64encode(TEXT.encode()[4:])),
        ("base64", b64encode(TEXT.encode() + b".") + b"== ignored"),
        ("quoted-printable", b"".join(b"=%02X" % one for one in TEXT.encode())),
        ("x-uuencode", UU),
    ],
)
def test_transfer_encodings_sound_and_damaged(encoding: str, content: bytes) -> None:
    found = mail("text/plain; charset=utf-8", content, f"Content-Transfer-Encoding: {encoding}")
    assert found.text.rstrip(".") == TEXT


def test_wrapped_lines_of_flowed_text_are_whole_again() -> None:
    body = b"one \r\ntwo\r\n\r\n> quoted \r\n> still\r\n-- \r\nme"
    assert mail("text/plain; format=flowed", body).text == "one two\n\n> quoted \n> still\n-- \nme"
    wrapped = "路灯 \r\n坏了".encode()
    assert mail("text/plain; charset=utf-8; format=flowed; delsp=yes", wrapped).text == "路灯坏了"


def test_a_head_without_an_empty_line_behind_it_loses_no_word() -> None:
    found = read_bytes("From: a@b\nSubject: x\n您好：路灯坏了\n请修\n".encode())
    assert (found.subject, found.text.strip()) == ("x", "您好：路灯坏了\n请修")


def test_junk_in_the_head_does_not_hide_the_fields_behind_it() -> None:
    found = read_bytes(b"From a@b Mon Nov 23 10:00:00 2026\nno field\nSubject : x\nFrom: a@b\n\ntext")
    assert (found.subject, found.from_, found.text) == ("x", Address("", "a@b"), "text")


def test_text_without_any_head_is_text() -> None:
    found = read_bytes("问题：路灯坏了\n\n请修。".encode())
    assert (found.text, [note.code for note in found.notes]) == (
        "问题：路灯坏了\n\n请修。",
        ["charset_guessed", "no_head"],
    )


def test_prose_that_begins_like_a_field_is_text() -> None:
    assert read_bytes(b"Hey:)").text == "Hey:)"
    assert read_bytes(b"Question: who?\nPlace: here\n\nThanks").text == "Question: who?\nPlace: here\n\nThanks"


def test_a_wrong_boundary_is_found_out() -> None:
    _, body = multipart("mixed", ("Content-Type: text/plain", b"words"), ("Content-Type: image/png", b"png"))
    found = mail("multipart/mixed; boundary=other", body)
    assert (found.text, len(found.attachments)) == ("words", 1)
    assert "boundary_guessed" in [note.code for note in found.notes]


def test_nesting_beyond_the_limit_is_kept_as_one_file() -> None:
    kind, body = multipart("mixed", ("Content-Type: text/plain", b"deep"))
    body = body.replace(b"=mixed-mark=", b"m0")
    kind = kind.replace("=mixed-mark=", "m0")
    for level in range(1, 200):
        mark = f"m{level}".encode()
        body = b"--" + mark + b"\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + body + b"--" + mark + b"--\r\n"
        kind = f"multipart/mixed; boundary=m{level}"
    found = mail(kind, body)
    assert [one.name for one in found.attachments] == ["nested.txt"]
    assert b"deep" in found.attachments[0].content
    assert "nested_too_deep" in [note.code for note in found.notes]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_mail"),
        (b"\r\n\r\n", "empty_mail"),
        (b"From: a@b\r\nSubject: \r\n\r\n \r\n", "empty_mail"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not_a_mail"),
        (b"From: a@b\n\n" + b"\n" * (2 * structure.LINES_MAX + 1), "too_large"),
        (b"Subject: x\n" + b"X-A: b\n" * 400_000 + b"\ntext", "too_large"),
        (b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nx\n" * 1_100, "too_many_parts"),
    ],
)
def test_what_is_refused_and_why(content: bytes, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        read_bytes(content)
    assert refused.value.code == code


def test_an_empty_mail_with_a_subject_is_a_mail() -> None:
    assert read_bytes(b"From: a@b\r\nSubject: call me\r\n\r\n").text == ""


def test_a_mail_of_25_mb_needs_less_than_150_mb_more() -> None:
    data = encodebytes(bytes(range(256)) * 72_000)
    part = ("Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64", data)
    kind, body = multipart("mixed", ("Content-Type: text/plain", b"x"), part)
    content = HEAD + f"Content-Type: {kind}\r\n\r\n".encode() + body
    tracemalloc.start()
    found = read_bytes(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.attachments[0].content) == 256 * 72_000
    assert len(content) > 24_000_000
    assert peak < 150_000_000
