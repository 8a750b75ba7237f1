"""Bounces: whom our message did not reach, why, and which message it was - from reports and from prose."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.dsn import Outcome, Report, read_report
from tests.effort import Effort

SHARED = Path(__file__).parents[4] / "shared/data/mail"
ID = "<2024030501.abc@example.org>"
SENT = f"From: hotline@example.org\nTo: zhang@example.com\nSubject: receipt\nMessage-ID: {ID}\n\n您好\n"


def report(*groups: str, prose: str = "Sorry.\n", media: str = "message/delivery-status", sent: str = SENT) -> bytes:
    """A multipart/report as RFC 3464 wants it."""
    parts = [
        f"Content-Type: text/plain; charset=utf-8\n\n{prose}",
        f"Content-Type: {media}\n\nReporting-MTA: dns; mx.example.com\n\n" + "\n".join(groups),
        f"Content-Type: message/rfc822\n\n{sent}",
    ]
    return (
        "From: MAILER-DAEMON@example.com\nSubject: Undelivered\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        + "".join(f"--b\n{part}\n" for part in parts)
        + "--b--\n"
    ).encode()


def prose(text: str, charset: str = "utf-8") -> bytes:
    body = base64.encodebytes(text.encode(charset)).decode()
    return (
        f"From: postmaster@example.com\nSubject: bounce\nContent-Type: text/plain; charset={charset}\n"
        f"Content-Transfer-Encoding: base64\n\n{body}"
    ).encode()


def test_a_report_names_recipient_action_status_and_message() -> None:
    group = (
        "Original-Recipient: rfc822;zhang@example.com\nFinal-Recipient: rfc822; zhang@inner.example.com\n"
        "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n"
    )
    assert read_report(report(group)) == Report((Outcome("zhang@example.com", "failed", "5.1.1"),), ID)


def test_only_failed_recipients_are_failed() -> None:
    groups = (
        "Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.2.2\n",
        "Final-Recipient: rfc822; b@example.com\nAction: delayed\nStatus: 4.4.1\n",
        "Final-Recipient: rfc822; c@example.com\nAction: delivered\nStatus: 2.0.0\n",
    )
    found = read_report(report(*groups))
    assert found is not None
    assert [outcome.action for outcome in found.outcomes] == ["failed", "delayed", "delivered"]
    assert [outcome.recipient for outcome in found.failed] == ["a@example.com"]


@pytest.mark.parametrize(
    ("group", "status"),
    [
        ("Status: 5.0.0\nDiagnostic-Code: smtp; 550-5.1.1 no such user", "5.1.1"),
        ("Status: 5.0.0\nDiagnostic-Code: smtp; 550 Mailbox is full", "5.2.2"),
        ("Status: 5.0.0\nDiagnostic-Code: smtp; 550 Mailbox not found or access denied, see 1.2.3.4", "5.1.1"),
        ("Status: 4.0.0\nDiagnostic-Code: smtp; 550 5.1.1 contradicting", "4.0.0"),
        ("Status: 5.7.1 (refused)", "5.7.1"),
        ("Diagnostic-Code: smtp; 550 refused", "5.7.1"),
        ("Diagnostic-Code: smtp; 550 of 10.5.1.1", "5.0.0"),
        ("X-Other: 1", None),
    ],
)
def test_the_status_is_the_closest_that_is_told(group: str, status: str | None) -> None:
    found = read_report(report(f"Final-Recipient: rfc822; a@example.com\nAction: failed\n{group}\n"))
    assert found is not None
    assert found.outcomes[0].status == status


def test_addresses_beyond_ascii_come_in_their_own_part() -> None:
    group = "Final-Recipient: utf-8; 张三@例子.example\nAction: failed\nStatus: 5.1.1\n"
    for media in ("message/global-delivery-status", "text/delivery-status"):
        found = read_report(report(group, media=media))
        assert found is not None
        assert found.message_id == ID
        assert found.outcomes == (Outcome("张三@例子.example", "failed", "5.1.1"),)


def test_a_report_whose_boundary_is_broken_is_read_all_the_same() -> None:
    content = report("Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n")
    found = read_report(content.replace(b'boundary="b"', b'boundary="c"'))
    assert found == Report((Outcome("a@example.com", "failed", "5.1.1"),), ID)


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_line_ends_do_not_matter(end: bytes) -> None:
    content = report("Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n")
    assert read_report(content.replace(b"\n", end)) == read_report(content)


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (
            "尊敬的用户：\n抱歉，您的邮件被退回来了……\n收件人邮件地址： li@example.com\n"
            "退信原因： 收件人邮件地址(li@example.com)不存在，邮件无法送达。\n550 User not found: li@example.com\n",
            Outcome("li@example.com", "failed", "5.0.0"),
        ),
        (
            "很抱歉您发送的邮件被退回，以下是该邮件的相关信息：\n被退回邮件\n收件人：li@example.com\n退信原因\n"
            "发件人（postmaster@qq.com）域名的DNS记录未设置或设置错误导致对方拒收此邮件。\n",
            Outcome("li@example.com", "failed", "5.7.1"),
        ),
        (
            "您的邮件无法发送到 li@example.com\n对方邮箱已满，请联系收件人。\n",
            Outcome("li@example.com", "failed", "5.2.2"),
        ),
        ("投递到li@example.com的邮件被延迟，系统将继续尝试。\n", Outcome("li@example.com", "delayed", None)),
    ],
)
def test_chinese_providers_write_prose(text: str, outcome: Outcome, charset: str) -> None:
    found = read_report(prose(text, charset))
    assert found is not None
    assert found.outcomes == (outcome,)


def test_each_address_that_begins_a_line_has_its_own_reason() -> None:
    text = (
        "Hi. This is the qmail-send program.\n\n<a@example.com>:\n550 5.1.1 unknown\n\n"
        f"<b@example.com>:\nuser is over quota\n\n--- Below this line is a copy of the message.\n\n{SENT}"
    )
    assert read_report(prose(text)) == Report(
        (Outcome("a@example.com", "failed", "5.1.1"), Outcome("b@example.com", "failed", "5.2.2")), ID
    )


def test_an_address_is_never_believed_cut_short() -> None:
    found = read_report(prose("Could not be delivered to kijitora@mail.example.com because of 550 5.1.1\n"))
    assert found is not None
    assert found.outcomes[0].recipient == "kijitora@mail.example.com"


def test_a_mail_that_tells_nothing_is_no_report() -> None:
    assert read_report(prose("您好")) is None
    assert read_report(b"") is None


@given(st.binary(max_size=400), st.sampled_from([b"", b"Content-Type: multipart/report; boundary=b\n\n--b\n"]))
def test_any_bytes_are_read(content: bytes, head: bytes) -> None:
    read_report(head + content)
    read_report(head + b"Content-Type: message/delivery-status\n\n" + content)


@pytest.mark.parametrize(
    "unit", ["a@", "Final-Recipient: rfc822; a@b\n\n", "to <a@b", "a" * 60 + "@", "<a ", "5.1.", "@a.a"]
)
def test_hostile_prose_takes_little_time(unit: str) -> None:
    effort = Effort()
    read_report(f"From: a@b\n\n{unit * (200_000 // len(unit))}".encode())
    assert effort.within(2)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared mail is not here")
def test_real_bounces_name_the_recipient_and_the_reason() -> None:
    """806 bounces of 70 mail systems: a recipient in 99 %, a status in 92 % (the rest give no reason in words or
    codes), the message's id in 88 % (the rest do not carry it)."""
    folder = SHARED / "sisimai_bounces/maildir"
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.parent.name != "not" and not file.name.startswith(("arf", "rfc3834"))
    ]
    found = [read_report(file.read_bytes()) for file in files]
    reports = [item for item in found if item is not None]
    assert len(files) > 790
    assert sum(bool(item.outcomes) for item in reports) >= 0.99 * len(files)
    assert sum(bool(item.outcomes and item.outcomes[0].status) for item in reports) >= 0.92 * len(files)
    assert sum(bool(item.message_id) for item in reports) >= 0.88 * len(files)
