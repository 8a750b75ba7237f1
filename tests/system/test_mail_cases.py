"""Seventeen odd mails that every helpdesk meets, by SMTP into the queue of a running line: none is lost, doubled,
garbled, or let into somebody else's case. The numbers are those of the comparison with other helpdesks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from channels.email import threads
from tests.system.far_mail import RELAY, FarMail, Letter
from tests.system.postman import HOTLINE, LISTEN, Postman, opened, row, somewhere
from tests.waiting import wait_until

pytestmark = pytest.mark.system
FOLLOWED_UP = "org.jiesu.ticket.followed_up.v1"
NOTIFIED = "org.jiesu.ticket.notified.v1"
TEXT = "幸福路12号门口的路灯坏了三天了"


@pytest.fixture(scope="module")
def far_mail() -> Iterator[FarMail]:
    with FarMail().served() as running:
        yield running


@pytest.fixture(scope="module")
def environment(far_mail: FarMail) -> dict[str, str]:
    return {LISTEN: somewhere(), RELAY: far_mail.address}


@dataclass
class Box:
    """Who sends mail to the line, and looks at what became of it."""

    up: Any
    postman: Postman
    far_mail: FarMail

    def send(self, mail: bytes, sender: str) -> str:
        """Its number, once it has come to its end."""
        number = self.postman.deliver(mail, sender)
        wait_until(lambda: row(self.up, number)[0] != "received", "its end")
        return number

    def ticket(self, number: str) -> dict[str, Any]:
        """The ticket that was opened under this number."""
        found = [ticket for _, ticket in opened(self.up) if ticket["number"] == number]
        assert len(found) == 1, f"{len(found)} tickets; the mail is {row(self.up, number)}"
        return found[0]

    def opens(self, mail: bytes, sender: str) -> dict[str, Any]:
        return self.ticket(self.send(mail, sender))

    def set_aside(self, mail: bytes, sender: str) -> str | None:
        """The reason; no ticket was opened or grown."""
        before = self.entries()
        state, code = row(self.up, self.send(mail, sender))
        assert state == "set_aside"
        assert self.entries() == before
        return code

    def entries(self) -> tuple[int, int]:
        """Tickets opened and messages added, ever."""
        client = self.up.client()
        tickets = client.xinfo_stream("jiesu:tickets")["entries-added"] if client.exists("jiesu:tickets") else 0
        events = (json.loads(fields[b"event"])["type"] for _, fields in client.xrange("jiesu:events"))
        return tickets, list(events).count(FOLLOWED_UP)

    def receipt(self, ticket: dict[str, Any], citizen: str) -> Letter:
        """The one that was sent about this ticket."""
        wait_until(self.up.settled, "settled")
        [letter] = [one for one in self.far_mail.letters(citizen) if ticket["number"] in one["Subject"]]
        return letter

    def answers_nobody(self, *addresses: str) -> bool:
        """Whether nothing was sent to these, though everything that is owed has been sent."""
        wait_until(self.up.settled, "settled")
        return not [letter for address in addresses for letter in self.far_mail.letters(address)]

    def grows(self, ticket: dict[str, Any], mail: bytes, sender: str) -> list[str]:
        """What the ticket's conversation says after the mail, which opened none."""
        tickets, messages = self.entries()
        self.send(mail, sender)
        assert self.entries() == (tickets, messages + 1)
        return [turn["text"] for turn in self.up.tickets()[ticket["ticket_id"]]["conversation"]]


@pytest.fixture(scope="module")
def box(steady: Any, environment: dict[str, str], far_mail: FarMail) -> Iterator[Box]:
    postman = Postman(environment[LISTEN])
    yield Box(steady, postman, far_mail)
    postman.hang_up()


def letter(sender: str, *lines: str, body: bytes | None = None, kind: str = "text/plain; charset=utf-8") -> bytes:
    """A mail with these further header lines."""
    head = [f"From: <{sender}>", f"To: {HOTLINE}", "MIME-Version: 1.0", f"Content-Type: {kind}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + (TEXT.encode() if body is None else body) + b"\r\n"


def codes(ticket: dict[str, Any]) -> list[str]:
    return [note["code"] for note in ticket["notes"]]


# --- 1: redelivery


@pytest.mark.parametrize(
    "name", ["Message-ID: <again@home.example>", "X-Nothing: to name it by"], ids=["named", "nameless"]
)
def test_1_the_same_mail_again_is_the_same_ticket_whatever_way_it_took(box, name):
    sender = f"again.{len(name)}@home.example"
    mail = letter(sender, name)
    ticket = box.opens(mail, sender)
    before = box.entries()
    other_way = b"Return-Path: <x@y.example>\r\nReceived: from a by b; Mon, 23 Nov 2026 10:00:00 +0800\r\n" + mail
    for again in (mail, other_way):
        assert box.send(again, sender) == ticket["number"]
    assert box.entries() == before


def test_1_the_same_message_id_with_other_words_is_another_mail(box):
    first, second = (
        box.opens(letter(who, "Message-ID: <reused@home.example>", body=said.encode()), who)
        for who, said in (("reuse.a@home.example", "井盖丢了"), ("reuse.b@home.example", "水管爆了"))
    )
    assert first["ticket_id"] != second["ticket_id"]
    assert (first["text"], second["text"]) == ("井盖丢了", "水管爆了")


# --- 2: replies


@pytest.fixture(scope="module")
def own(box: Box) -> dict[str, Any]:
    """A citizen's ticket, to be replied to."""
    return box.opens(
        letter("owner@home.example", "Subject: lamp", "Message-ID: <first@home.example>"), "owner@home.example"
    )


def answered(box: Box, own: dict[str, Any], name: str, said: str, *lines: str) -> None:
    mail = letter("owner@home.example", f"Message-ID: <{name}@home.example>", *lines, body=said.encode())
    assert box.grows(own, mail, "owner@home.example")[-1] == said


def test_2a_an_answer_with_the_tag_of_the_ticket_joins_it(box, own):
    answered(box, own, "tagged", "还没有人来修", f"Subject: Re: {threads.subject_tag(own['number'])} lamp")


def test_a_citizen_gets_a_receipt_with_number_code_and_link(box, own):
    letter = box.receipt(own, "owner@home.example")
    assert (letter.sender, letter["Auto-Submitted"]) == ("", "auto-replied")
    assert (letter["In-Reply-To"], letter["From"]) == ("<first@home.example>", HOTLINE)
    code = box.up.client().hget(f"jiesu:ticket:{own['ticket_id']}", "code").decode()
    for part in (own["number"], code, f"{box.up.base}/t/{own['number']}"):
        assert part in letter.text
        assert part in letter.message.get_body(("html",)).get_content()
    status, page = box.up.progress(own["number"], code=code)
    assert status == 200
    assert own["number"] in page


def test_2a_an_answer_to_the_receipt_joins_it(box, own):
    receipt = box.receipt(own, "owner@home.example")
    mail = letter("owner@home.example", f"Subject: Re: {receipt['Subject']}", f"In-Reply-To: {receipt['Message-ID']}",
                  body="收到，谢谢".encode())  # fmt: skip
    mail = mail.replace(f"To: {HOTLINE}".encode(), f"To: {receipt['Reply-To']}".encode())
    assert box.grows(own, mail, "owner@home.example")[-1] == "收到，谢谢"


def test_2a_an_answer_to_the_address_of_the_ticket_joins_it(box, own):
    address = box.receipt(own, "owner@home.example")["Reply-To"]
    mail = letter("owner@home.example", "Subject: Re: lamp", body="今天也没有人来".encode())
    mail = mail.replace(f"To: {HOTLINE}".encode(), f"To: {address}".encode())
    assert box.grows(own, mail, "owner@home.example")[-1] == "今天也没有人来"


def test_2b_an_answer_to_our_message_joins_under_another_subject(box, own):
    ours = box.receipt(own, "owner@home.example")["Message-ID"]
    answered(box, own, "renamed", "请问什么时候来", "Subject: something else", f"In-Reply-To: {ours}")


def test_2c_an_answer_to_the_citizens_own_mail_joins_it(box, own):
    answered(box, own, "own", "路灯还是不亮", "Subject: lamp again", "In-Reply-To: <first@home.example>")


def test_2d_a_stranger_with_the_tag_the_thread_and_our_message_opens_a_ticket_of_his_own(box, own):
    ours = box.receipt(own, "owner@home.example")["Message-ID"]
    tag = f"Subject: Re: {threads.subject_tag(own['number'])} lamp"
    for n, line in enumerate((tag, "In-Reply-To: <first@home.example>", f"References: {ours}")):
        before = box.up.tickets()[own["ticket_id"]]
        stranger = f"stranger{n}@elsewhere.example"
        ticket = box.opens(letter(stranger, line, f"Message-ID: <{n}@elsewhere.example>"), stranger)
        assert ticket["ticket_id"] != own["ticket_id"]
        assert "not_a_sender" in codes(ticket)
        assert box.up.tickets()[own["ticket_id"]] == before


# --- 3: programs


def test_3a_an_automatic_answer_is_set_aside(box):
    mail = letter("away@home.example", "Auto-Submitted: auto-replied", "Subject: Re: lamp")
    assert box.set_aside(mail, "away@home.example") == "auto_reply"
    assert box.answers_nobody("away@home.example")


def test_3a_an_automatic_answer_to_our_receipt_is_attached_and_not_answered(box):
    owner = "holiday@home.example"
    ticket = box.opens(letter(owner, "Message-ID: <holiday@home.example>"), owner)
    receipt = box.receipt(ticket, owner)
    away = letter(owner, "Auto-Submitted: auto-replied", f"In-Reply-To: {receipt['Message-ID']}",
                  body="我正在休假".encode())  # fmt: skip
    assert box.grows(ticket, away, owner)[-1] == "我正在休假"
    assert box.up.tickets()[ticket["ticket_id"]]["flags"] == ticket["flags"]
    wait_until(box.up.settled, "settled")
    assert len(box.far_mail.letters(owner)) == 1


def test_3a_a_chinese_automatic_answer_without_any_header_is_set_aside(box):
    subject = base64.b64encode("自动回复: 路灯".encode()).decode()
    mail = letter("away.qq@home.example", f"Subject: =?utf-8?b?{subject}?=", body="我正在休假".encode())
    assert box.set_aside(mail, "away.qq@home.example") == "auto_reply"
    assert box.answers_nobody("away.qq@home.example")


def test_3b_bulk_mail_is_a_ticket_that_says_that_no_program_may_answer(box):
    ticket = box.opens(letter("news@home.example", "Precedence: bulk"), "news@home.example")
    assert "automated" in ticket["flags"]
    assert "bulk" in codes(ticket)
    assert box.answers_nobody("news@home.example")


def report(message_id: str, recipient: str, action: str = "failed") -> bytes:
    """What a mail server writes when it could not deliver a message."""
    body = (
        "--r\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n"
        "--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.home.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: 5.1.1\r\n\r\n"
        f"--r\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\n\r\n--r--"
    )
    kind = 'multipart/report; report-type=delivery-status; boundary="r"'
    return letter("mailer-daemon@mx.home.example", "Subject: Undelivered", body=body.encode(), kind=kind)


def replies(box: Box, ticket: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Outcome and reason of everything that was sent to the citizen, as the ticket's events tell it."""
    events = (json.loads(event) for event in box.up.client().lrange(f"jiesu:steps:{ticket['ticket_id']}", 0, -1))
    sent = [event["data"] for event in events if event["type"] == NOTIFIED]
    return [(data["outcome"], data.get("reason")) for data in sent]


def test_3c_a_delivery_report_is_set_aside(box):
    assert box.set_aside(report("<unknown@home.example>", "citizen@home.example"), "<>") == "bounce"
    assert box.answers_nobody("mailer-daemon@mx.home.example")


def test_3c_a_report_on_a_message_of_ours_marks_it_as_not_delivered(box):
    owner = "gone@home.example"
    ticket = box.opens(letter(owner, "Message-ID: <gone@home.example>"), owner)
    receipt = box.receipt(ticket, owner)
    assert replies(box, ticket) == [("sent", None)]
    delayed = report(receipt["Message-ID"], owner, "delayed")
    forged = report(receipt["Message-ID"].replace(".", ".a", 1), owner)
    for harmless in (delayed, forged):
        assert box.set_aside(harmless, "<>") == "bounce"
    assert replies(box, ticket) == [("sent", None)]
    assert box.set_aside(report(receipt["Message-ID"], owner), "<>") == "bounce"
    assert replies(box, ticket) == [("sent", None), ("failed", "bounced_5.1.1")]


def test_3d_mail_from_ourselves_is_a_ticket_that_says_that_no_program_may_answer(box):
    ticket = box.opens(letter(HOTLINE, "Subject: to ourselves"), HOTLINE)
    assert "own_mail" in codes(ticket)
    assert box.answers_nobody(HOTLINE)


# --- 4: charsets


@pytest.mark.parametrize(
    ("case", "text", "codec", "kind"),
    [
        ("4a", "请找䶮先生和𠮷女士，住㐂路㙟巷", "gb18030", "text/plain; charset=gb18030"),
        ("4b", "请找朱镕基路的闫喆先生，住堃煊里", "gbk", "text/plain; charset=gb2312"),
        ("4c", "幸福路十二号的路灯坏了三天了，没有人来修", "gbk", "text/plain"),
        ("4d", "人民路的井盖丢了", "gbk", "text/html; charset=gbk"),
    ],
    ids=["GB18030", "GBK called gb2312", "GBK without a label", "HTML only"],
)
def test_4_every_character_is_kept_whatever_the_label(box, case, text, codec, kind):
    body = f"<html><body><p>{text}</p></body></html>" if "html" in kind else text
    sender = f"case{case}@home.example"
    subject = f"Subject: =?gb2312?b?{base64.b64encode('反映闫喆的事'.encode('gbk')).decode()}?="
    ticket = box.opens(letter(sender, subject, body=body.encode(codec), kind=kind), sender)
    assert ticket["text"] == text
    assert ticket["title"] == "反映闫喆的事"


# --- 5: names of files


GB18030_NAME, GBK_NAME = "䶮先生的照片.txt", "闫喆的身份说明.txt"


@pytest.mark.parametrize(
    ("case", "name", "disposition"),
    [
        ("5a", GB18030_NAME, b"filename==?gb18030?b?" + base64.b64encode(GB18030_NAME.encode("gb18030")) + b"?="),
        ("5a2231", GB18030_NAME, b"filename*=gb18030''" + "".join(
            f"%{byte:02X}" for byte in GB18030_NAME.encode("gb18030")).encode()),
        ("5b", GBK_NAME, b'filename="=?gb2312?b?' + base64.b64encode(GBK_NAME.encode("gbk")) + b'?="'),
        ("5braw", GBK_NAME, b'filename="' + GBK_NAME.encode("gbk") + b'"'),
    ],
    ids=["GB18030 in an encoded word", "GB18030 by RFC 2231", "GBK called gb2312", "GBK as it is"],
)  # fmt: skip
def test_5_the_name_of_a_file_is_kept(box, case, name, disposition):
    body = (
        b"--f\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + TEXT.encode() + b"\r\n--f\r\n"
        b"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; " + disposition + b"\r\n\r\n"
        b"content\r\n--f--"
    )
    sender = f"case{case}@home.example"
    ticket = box.opens(letter(sender, body=body, kind='multipart/mixed; boundary="f"'), sender)
    (file,) = ticket["attachments"]
    assert (file["name"], file["size"], ticket["text"]) == (name, len(b"content"), TEXT)


# --- 6, 7: what is missing or broken


def test_6_a_mail_without_subject_and_message_id_is_a_ticket(box):
    mail = f"From: <bare@home.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{TEXT}\r\n".encode()
    ticket = box.opens(mail, "bare@home.example")
    assert (ticket["text"], ticket["requester"]["email"]) == (TEXT, "bare@home.example")
    assert ticket["title"]


def test_7_nul_and_bytes_that_are_no_utf_8_leave_the_rest_readable(box):
    body = "路灯".encode() + b"\x00" + "坏了".encode() + b"\xff\xfe\xc3" + "，三天了".encode()
    ticket = box.opens(letter("broken@home.example", body=body), "broken@home.example")
    assert "\x00" not in ticket["text"]
    assert all(said in ticket["text"] for said in ("路灯", "坏了", "三天了"))


def test_nothing_of_all_this_is_parked_and_the_counters_add_up(box):
    box.opens(letter("last@home.example"), "last@home.example")  # the others may have run elsewhere
    wait_until(box.up.settled, "settled")
    counts = box.up.counts()
    assert (counts["parked"], counts["in_flight"]) == (0, 0)
    assert counts["received"] == counts["queued"] + counts["set_aside"] > 0
