"""Mail that no person wrote, mail about our own mail, and mail that must not be answered (RFC 3834, STANDARDS 4.9)."""

from __future__ import annotations

import email
import email.utils
from collections.abc import Sequence
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path

import pytest

from channels.email.automatic import Automatic, Header, Kind, judge

SHARED = Path(__file__).parents[4] / "shared/data/mail"
OWN = ("hotline@example.org", "12345@example.org")


def judged(
    *headers: tuple[str, str],
    sender: str | None = "zhang@qq.com",
    envelope: str | None = "zhang@qq.com",
    text: str = "",
) -> Automatic | None:
    given = {name.lower(): value for name, value in headers}

    def header(name: str) -> Sequence[str]:
        return [given[name.lower()]] if name.lower() in given else []

    return judge(header, envelope_from=envelope, from_address=sender, own_addresses=OWN, text=text)


def kind(*headers: tuple[str, str], **more: str | None) -> Kind | None:
    found = judged(*headers, **more)  # type: ignore[arg-type]
    return found.kind if found else None


def test_a_citizens_mail_is_nothing_of_the_kind() -> None:
    assert judged(("Subject", "路灯坏了"), ("Auto-Submitted", "no"), ("Precedence", "normal")) is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Auto-Submitted", "auto-replied", Kind.AUTO_REPLY),
        ("Auto-Submitted", "Auto-Replied; owner-email=a@example.org", Kind.AUTO_REPLY),
        ("Auto-Submitted", "auto-generated", Kind.GENERATED),
        ("Auto-Submitted", "auto-notified", Kind.GENERATED),
        ("Precedence", "bulk", Kind.BULK),
        ("Precedence", "Junk", Kind.BULK),
        ("Precedence", "list", Kind.LIST),
        ("Precedence", "auto_reply", Kind.AUTO_REPLY),
        ("List-Id", "<news.example.org>", Kind.LIST),
        ("List-Unsubscribe", "<mailto:off@example.org>", Kind.LIST),
        ("X-Autoreply", "yes", Kind.AUTO_REPLY),
        ("X-Autorespond", "out", Kind.AUTO_REPLY),
        ("X-Autoresponder", "Will not send another autoreply for 86400 seconds", Kind.AUTO_REPLY),
        ("X-POST-MessageClass", "9; Autoresponder", Kind.AUTO_REPLY),
        ("X-Auto-Response-Suppress", "All", Kind.ASKS_NO_ANSWER),
        ("X-Auto-Response-Suppress", "DR, RN, AutoReply", Kind.ASKS_NO_ANSWER),
        ("X-Auto-Response-Suppress", "DR, RN", None),
        ("X-Failed-Recipients", "a@example.org", Kind.BOUNCE),
        ("Content-Type", 'multipart/report; report-type="delivery-status"; boundary=a', Kind.BOUNCE),
        ("Content-Type", "multipart/report; boundary=a; report-type=disposition-notification", Kind.READ_RECEIPT),
        ("Content-Type", "multipart/report; report-type=feedback-report; boundary=a", Kind.ABUSE_REPORT),
        ("Content-Type", "multipart/report; boundary=a", None),
        ("Subject", "自动回复: 您的诉求已受理", Kind.AUTO_REPLY),
        ("Subject", "自动回复：Re: 受理通知", Kind.AUTO_REPLY),
        ("Subject", "自动答复: 受理通知", Kind.AUTO_REPLY),
        ("Subject", "自動回覆: 受理通知", Kind.AUTO_REPLY),
        ("Subject", "[自动回复] 受理通知", Kind.AUTO_REPLY),
        ("Subject", "Automatic reply: Accepted", Kind.AUTO_REPLY),
        ("Subject", "Out of Office: Accepted", Kind.AUTO_REPLY),
        ("Subject", "已读: 受理通知", Kind.READ_RECEIPT),
        ("Subject", "自动回复没有用，没人理我", None),
        ("Subject", "回复: 自动回复的短信是什么意思", None),
        ("Subject", "已读不回的物业", None),
        ("Subject", "快递退回，邮局无法投递，请帮忙", None),
        ("Subject", "Delivery failure of my parcel", None),
    ],
)
def test_one_header_decides(name: str, value: str, expected: Kind | None) -> None:
    assert kind((name, value)) is expected


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("MAILER-DAEMON@example.org", Kind.SYSTEM_SENDER),
        ("postmaster@qq.com", Kind.SYSTEM_SENDER),
        ("owner-news@example.org", Kind.NO_REPLY_SENDER),
        ("news-request@example.org", Kind.NO_REPLY_SENDER),
        ("noreply@example.org", Kind.NO_REPLY_SENDER),
        ("do-not-reply@example.org", Kind.NO_REPLY_SENDER),
        ("Hotline@Example.org", Kind.OWN_MAIL),
        ("hotline+20240305.abc@example.org", Kind.OWN_MAIL),
        ("noreen@example.org", None),
        ("hotline@example.net", None),
        (None, None),
    ],
)
def test_the_sender_decides(sender: str | None, expected: Kind | None) -> None:
    assert kind(("Subject", "路灯坏了"), sender=sender) is expected


@pytest.mark.parametrize(
    ("subject", "sender"),
    [
        ("系统退信/The email is returned", "Postmaster@163.com"),
        ("来自qq.com的退信", "PostMaster@qq.com"),
        ("系统退信", "postmaster@mail.example.cn"),
        ("邮件投递失败通知", "mailer-daemon@mail.example.cn"),
        ("Undelivered Mail Returned to Sender", "MAILER-DAEMON@example.org"),
        ("Mail delivery failed: returning message to sender", "Mailer-Daemon@example.org"),
    ],
)
def test_bounces_that_are_no_report_are_known_by_the_mail_system_that_sends_them(subject: str, sender: str) -> None:
    assert kind(("Subject", subject), sender=sender) is Kind.BOUNCE
    assert kind(("Subject", subject), sender=sender, envelope="") is Kind.BOUNCE
    assert kind(("Subject", subject), sender="zhang@qq.com") is None


def test_the_null_sender_gets_no_answer_and_its_mail_still_opens_a_ticket() -> None:
    found = judged(("Subject", "路灯坏了"), envelope="")
    assert found == Automatic(Kind.NULL_SENDER, "MAIL FROM")
    assert found.opens_ticket
    assert kind(("Return-Path", "<>"), envelope=None) is Kind.NULL_SENDER
    assert kind(("Return-Path", "<>"), envelope="zhang@qq.com") is None
    assert kind(("Return-Path", "<zhang@qq.com>"), envelope=None) is None


def test_what_qq_writes_into_the_text_of_its_automatic_answers() -> None:
    assert (
        kind(("Subject", "Re: 受理"), text="这是来自QQ邮箱的假期自动回复邮件。\n您好，我最近正在休假中")
        is Kind.AUTO_REPLY
    )
    assert kind(("Subject", "投诉"), text="我收到一条短信：这是来自QQ邮箱的假期自动回复邮件。") is None


def test_reports_and_automatic_answers_open_no_ticket_and_the_rest_does() -> None:
    opening = {kind for kind in Kind if Automatic(kind, "").opens_ticket}
    assert set(Kind) - opening == {Kind.BOUNCE, Kind.READ_RECEIPT, Kind.ABUSE_REPORT, Kind.AUTO_REPLY}


def test_a_person_may_have_written_what_comes_through_a_list_or_asks_for_no_answer() -> None:
    assert not Automatic(Kind.LIST, "").is_machine
    assert not Automatic(Kind.ASKS_NO_ANSWER, "").is_machine
    assert Automatic(Kind.GENERATED, "").is_machine


def test_our_own_receipt_that_comes_back_is_an_automatic_answer_first() -> None:
    assert kind(("Auto-Submitted", "auto-replied"), sender=OWN[0], envelope="") is Kind.AUTO_REPLY


def headers_of(message: Message) -> Header:
    def header(name: str) -> Sequence[str]:
        values = []
        for value in message.get_all(name, []):
            try:
                values.append(str(make_header(decode_header(str(value)))))
            except (LookupError, ValueError):
                values.append(str(value))
        return values

    return header


def judged_file(file: Path) -> Kind | None:
    message = email.message_from_bytes(file.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    header = headers_of(message)
    sender = email.utils.parseaddr(next(iter(header("From")), ""))[1]
    found = judge(header, envelope_from=None, from_address=sender, own_addresses=OWN)
    return found.kind if found else None


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared mail is not here")
def test_real_bounces_are_bounces() -> None:
    """806 bounces of 70 mail systems, 97 %. The others name neither a mail system nor a failure in their header: a
    phone company's "no-reply", notifications of AWS, forwarded copies, list programs."""
    folder = SHARED / "sisimai_bounces/maildir"
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.parent.name != "not" and not file.name.startswith(("arf", "rfc3834"))
    ]
    found = [judged_file(file) for file in files]
    assert len(files) > 790
    assert found.count(Kind.BOUNCE) >= 0.97 * len(files)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared mail is not here")
def test_real_automatic_answers_are_automatic_answers() -> None:
    folder = SHARED / "sisimai_bounces/maildir/bsd"
    assert {judged_file(file) for file in folder.glob("rfc3834-*.eml")} == {Kind.AUTO_REPLY}
