"""What a citizen gets: read with the standard library and with our own reader, as any other mail."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest

from channels.contract import Reply
from channels.email.compose import Letter, compose
from channels.email.digest import source_id
from channels.email.message import read_bytes
from channels.email.parse import Site, parse
from channels.email.recipient import Unwritable
from channels.email.threads import message_key, reply_address, sent_by_us, unit_address
from normalizer.identity import number
from normalizer.ticket import Flag, Raw, ReplyAddress

SECRET = b"0123456789abcdef"
HOTLINE = "hotline@example.org"
NUMBER = number(date(2026, 11, 23), 1, 1)
AT = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
SITE = Site((HOTLINE, "postmaster@example.org"), SECRET)
CITIZEN = "ouyang@citizen.example"
TEXT = "您好！\n受理编号：12\n\n查询：https://hotline.example/t/12?a=1&b=2。\n<script>alert('1')</script>"


def letter(address: str = CITIZEN, *, name: str | None = None, at: datetime = AT, **of: Any) -> Letter:
    message = Reply.model_validate({"operation": "receipt", "number": NUMBER, "text": TEXT, "purpose": "receipt", **of})
    to = ReplyAddress(channel="email", address=address)
    return compose(to, message, mailbox=HOTLINE, name=name, secret=SECRET, at=at)


def opened(content: bytes) -> EmailMessage:
    mail = BytesParser(policy=policy.default).parsebytes(content)
    assert isinstance(mail, EmailMessage)
    assert [defect for part in mail.walk() for defect in part.defects] == []
    return mail


def read(part: EmailMessage) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_receipt_is_a_mail_that_says_who_wrote_it_and_where_an_answer_goes() -> None:
    made = letter(name="长沙 12345, 热线")
    mail = opened(made.content)
    assert (made.envelope_from, made.envelope_to, made.needs_smtputf8) == ("", CITIZEN, False)
    assert mail["From"].addresses[0].display_name == "长沙 12345, 热线"
    assert mail["From"].addresses[0].addr_spec == HOTLINE
    assert str(mail["Reply-To"]) == reply_address(HOTLINE, NUMBER, SECRET)
    assert str(mail["To"]) == CITIZEN
    assert str(mail["Subject"]) == f"您的诉求已收到 [#{NUMBER}]"
    assert mail["Date"].datetime == AT
    assert str(mail["Message-ID"]) == f"<{made.message_id}>"
    assert str(mail["Content-Language"]) == "zh-CN"
    assert mail.get_content_type() == "multipart/alternative"


def test_the_text_arrives_as_it_was_written_and_once_more_as_html() -> None:
    plain, markup = opened(letter().content).iter_parts()
    assert read(plain) == TEXT + "\n"
    html = read(markup)
    assert '<html lang="zh-CN">' in html
    assert '<a href="https://hotline.example/t/12?a=1&amp;b=2">https://hotline.example/t/12?a=1&amp;b=2</a>。' in html
    assert html.count("<p ") == 2
    assert "您好！<br>" in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert " src=" not in html
    assert "url(" not in html


def test_what_our_own_reader_makes_of_it() -> None:
    mail = read_bytes(letter(name="热线").content)
    assert (mail.text.strip(), mail.notes) == (TEXT, ())
    assert mail.from_ is not None
    assert (mail.from_.name, mail.from_.address) == ("热线", HOTLINE)


@pytest.mark.parametrize(
    ("purpose", "submitted", "suppress", "sender"),
    [
        ("receipt", ["auto-replied"], ["All"], ""),
        ("notice", ["auto-generated"], ["All"], ""),
        ("alarm", ["auto-generated"], ["All"], ""),
        ("visit", ["auto-generated"], ["All"], ""),
        ("answer", [], [], reply_address(HOTLINE, NUMBER, SECRET)),
        (
            "dispatch",
            ["auto-generated"],
            ["DR, RN, NRN, OOF, AutoReply"],
            unit_address(HOTLINE, NUMBER, CITIZEN, SECRET),
        ),
    ],
)
def test_only_what_a_person_wrote_and_what_brings_a_unit_its_ticket_may_bounce(
    purpose: str, submitted: list[str], suppress: list[str], sender: str
) -> None:
    """RFC 3834, sections 3.3 and 5."""
    made = letter(purpose=purpose)
    mail = opened(made.content)
    assert mail.get_all("Auto-Submitted", []) == submitted
    assert mail.get_all("X-Auto-Response-Suppress", []) == suppress
    assert made.envelope_from == sender


@pytest.mark.parametrize(
    ("language", "purpose", "subject", "written"),
    [
        (None, "receipt", "您的诉求已收到", "zh-CN"),
        ("zh-TW", "answer", "您的诉求有了答复", "zh-TW"),
        ("en-GB", "receipt", "We have received your request", "en-GB"),
        ("EN", "visit", "How was your request dealt with?", "EN"),
        ("ug", "answer", "您的诉求有了答复", "ug"),
        ('en"><script>', "receipt", "您的诉求已收到", "zh-CN"),
    ],
)
def test_the_subject_is_ours_in_the_language_of_the_text(
    language: str | None, purpose: str, subject: str, written: str
) -> None:
    mail = opened(letter(language=language, purpose=purpose).content)
    assert str(mail["Subject"]) == f"{subject} [#{NUMBER}]"
    assert str(mail["Content-Language"]) == written
    assert f'lang="{written}"' in list(mail.iter_parts())[1].get_content()


def test_english_travels_readably() -> None:
    text = "Your number: 12\n.\n" + "word " * 300 + "\nFrom us "
    made = letter(text=text, language="en")
    assert b"Your number: 12\r\n" in made.content
    assert read(next(opened(made.content).iter_parts())) == text + "\n"


def test_every_try_has_the_same_name_and_another_sending_has_another() -> None:
    later = datetime(2026, 11, 24, tzinfo=UTC)
    assert letter().message_id == letter(at=later, text="other").message_id
    assert letter().message_id != letter(operation="answer:1").message_id
    assert letter().content == letter().content
    assert sent_by_us(letter().message_id, ("example.org",), SECRET) is not None


@pytest.mark.parametrize("given_id", ["1@b.cn", "a" * 180 + "@citizen.example", "=?q?x@[10.0.0.1]", "$%:/x@y"])
def test_it_hangs_below_the_mail_it_answers(given_id: str) -> None:
    name, _ = source_id(f"From: {CITIZEN}\r\nMessage-ID: <{given_id}>\r\n\r\nlamp\r\n".encode())
    mail = read_bytes(letter(source_id=name).content)
    assert (mail.in_reply_to, mail.references) == (given_id, (given_id,))
    assert f"In-Reply-To: <{given_id}>\r\n".encode() in letter(source_id=name).content


@pytest.mark.parametrize("name", ["content:" + "0" * 64, "web:1", "message:a b@c:" + "0" * 64, "", None])
def test_without_a_mail_to_answer_it_answers_none(name: str | None) -> None:
    mail = read_bytes(letter(source_id=name).content)
    assert (mail.in_reply_to, mail.references) == (None, ())


@pytest.mark.parametrize("number", ["", "12", "2026112301000011\r\nBcc: x@y", "x" * 16, "１" * 16, "1" * 25, "../" * 6])
def test_what_is_no_number_is_not_written(number: str) -> None:
    with pytest.raises(Unwritable, match=r"^bad_number$"):
        letter(number=number)


def test_an_address_that_is_not_ascii_needs_the_extension() -> None:
    made = letter("欧阳@例子.测试")
    assert made.needs_smtputf8
    assert made.envelope_to == "欧阳@xn--fsqu00a.xn--0zwm56d"
    assert "To: 欧阳@xn--fsqu00a.xn--0zwm56d\r\n".encode() in made.content
    assert not letter("ouyang@例子.测试").needs_smtputf8


# What comes back


def raw(content: bytes, **meta: str) -> Raw:
    name, _ = source_id(content)
    return Raw(channel="email", source_id=name, received_at=AT, body=content, content_type="message/rfc822", meta=meta)


@pytest.mark.parametrize("purpose", ["receipt", "notice", "answer", "visit", "alarm"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_citizens_answer_joins_the_ticket_and_is_nobodys_automatic_reply(purpose: str, language: str) -> None:
    made = letter(purpose=purpose, language=language)
    ours = opened(made.content)
    answer = EmailMessage()
    answer["From"], answer["To"] = CITIZEN, str(ours["Reply-To"])
    answer["Subject"] = f"Re: {ours['Subject']}"
    answer["In-Reply-To"] = answer["References"] = f"<{made.message_id}>"
    answer.set_content("还没有修好。")
    found = parse(raw(answer.as_bytes(), envelope_from=CITIZEN, envelope_to=str(ours["Reply-To"])), SITE)
    assert found.threads == (f"number:{NUMBER}",)
    assert (found.text, found.flags, found.set_aside) == ("还没有修好。", (), None)
    assert found.requester.receipt_to is not None


@pytest.mark.parametrize("how", ["address", "id", "subject"])
def test_any_one_of_the_three_is_enough(how: str) -> None:
    """Programs drop headers, forwarders addresses, and people write subjects of their own."""
    made = letter()
    ours = opened(made.content)
    answer = EmailMessage()
    answer["From"] = CITIZEN
    answer["To"] = str(ours["Reply-To"]) if how == "address" else HOTLINE
    answer["Subject"] = f"Re: {ours['Subject']}" if how == "subject" else "x"
    if how == "id":
        answer["In-Reply-To"] = f"<{made.message_id}>"
    answer.set_content("x")
    assert parse(raw(answer.as_bytes()), SITE).threads == (f"number:{NUMBER}",)


@pytest.mark.parametrize(
    ("purpose", "code"),
    [("receipt", "auto_reply"), ("notice", "generated"), ("visit", "generated"), ("answer", "own_mail")],
)
def test_our_own_mail_coming_back_gets_no_receipt(purpose: str, code: str) -> None:
    made = letter(purpose=purpose)
    found = parse(raw(made.content, envelope_from=made.envelope_from, envelope_to=HOTLINE), SITE)
    assert code in {note.code for note in found.notes}
    assert found.requester.receipt_to is None
    assert (Flag.AUTOMATED in found.flags) == (purpose != "answer")
    assert message_key(made.message_id) in found.threads
