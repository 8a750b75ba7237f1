"""What holds for every sequence of bytes: a Mail or a Rejected with a known code, and what comes out can be stored."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.email.message import Mail, read_bytes
from normalizer.errors import Rejected

CODES = {"not_a_mail", "empty_mail", "too_deep", "too_many_parts", "too_large"}

FIELDS = st.sampled_from(
    [
        b"From: a@b",
        b"From: =?x?q?=?= <",
        b"From: a@[::1",
        b'To: "',
        b"Message-ID: <",
        b"Subject: =?gbk?B?x?=",
        b"Subject: \xc2\xb7\xb5\xc6",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/alternative",
        b"Content-Type: message/rfc822",
        b"Content-Type: message/delivery-status",
        b"Content-Type: text/html; charset=utf-7",
        b"Content-Type: text/plain; charset=unknown-8bit",
        b"Content-Type: application/ms-tnef",
        b"Content-Type: text/calendar",
        b"Content-Type: multipart/digest; boundary=b",
        b"Content-Type: application/pkcs7-mime",
        b"Content-Type: /",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"\tfolded",
        b"no field",
        b"Content-Transfer-Encoding: x-uuencode",
        b"Content-Disposition: attachment; filename*=gbk''%",
        b": empty",
        b"Date: Mon, 99 Foo 99999 99:99:99 +99999",
        b"References: <" + b"x" * 50,
        b"Content-Type: text/plain; format=flowed",
    ]
)
LINES = st.one_of(
    FIELDS,
    st.sampled_from(
        [
            b"",
            b"--b",
            b"--b--",
            b"text \xff\0",
            b"<p><table><td>",
            b"eJ4=",
            b"=E8=B7",
            b"begin 644 a",
            b"#!",
            b"> q ",
            b"x\x9f\x3e\x22\1\0\2\2\x90",
            b"BEGIN:VCALENDAR",
            b"DESCRIPTION:\\",
            b"From a b",
            b"\x1b$B",
            b"~{<:~}",
        ]
    ),
    st.binary(max_size=20),
)
MAILS = st.tuples(st.lists(LINES, max_size=30), st.sampled_from([b"\n", b"\r\n", b"\r"])).map(
    lambda made: made[1].join(made[0])
)


def laws(content: bytes) -> None:
    try:
        mail = read_bytes(content)
    except Rejected as refused:
        code = refused.code
    else:
        hold(content, mail)
        return
    assert code in CODES


def hold(content: bytes, mail: Mail) -> None:
    assert mail.text.strip() or mail.subject or mail.attachments
    written(mail)
    assert read_bytes(content) == mail


def written(mail: Mail) -> None:
    """Nothing in it breaks JSON or a header, and reading on from it does not fail."""
    names = [one.name for one in mail.attachments]
    people = [one for one in (mail.from_, mail.sender, *mail.to, *mail.cc, *mail.reply_to) if one]
    lines = [mail.subject, *names, *(one.name + one.address for one in people), *mail.references, mail.message_id or ""]
    for line in lines:
        line.encode()
        assert not set("\r\n\0") & set(line)
    (mail.text + mail.html).encode()
    assert "\0" not in mail.text
    for name, _ in mail.fields:
        mail.header(name)
    mail.forwarded()


@settings(deadline=None)  # the first guess of a charset loads its models
@given(st.binary(max_size=500))
def test_any_bytes(content: bytes) -> None:
    laws(content)


@settings(deadline=None)
@given(MAILS)
@example(b"From: a@b\n\n" + b"(" * 3_000)
@example(b"To: " + b"(" * 3_000 + b"\n\nx")
@example(b"Content-Type: multipart/mixed; boundary=\n\n--\n\nx\n----")
@example(b"Content-Type: message/rfc822\n\n" * 50 + b"x")
def test_lines_of_mail_in_any_order(content: bytes) -> None:
    laws(content)
