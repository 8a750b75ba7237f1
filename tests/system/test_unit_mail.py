"""A unit that has nothing but a mailbox: its ticket comes by mail, its answers go by mail, the citizen is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import redis

from channels.email.threads import unit_address
from tests.system.far_mail import RELAY, FarMail, Letter
from tests.system.postman import LISTEN, Postman, row, somewhere
from tests.waiting import wait_until

pytestmark = pytest.mark.system

OFFICE, CITIZEN = "chengguan@xicheng.example", "wangfang@home.example"
UNIT = "d110102_cg"
MX = "mx.hotline.example"
MATTER = "我是马连道的居民，叫王芳芳。有家汽车4S店把几十辆没挂牌的新车停在公共停车位上，长期占道。"


def mail(sender: str, to: str, text: str, *, name: str, subject: str = "占道", **fields: str) -> EmailMessage:
    made = EmailMessage()
    for field, value in fields.items():
        made[field.replace("_", "-")] = value
    made["From"], made["To"], made["Subject"], made["Message-ID"] = sender, to, subject, f"<{name}@far.example>"
    made.set_content(text, cte="8bit")
    return made


class Town:
    """A running line, the mailboxes of its citizens and its unit, and who brings it mail."""

    def __init__(self, up: Any, far_mail: FarMail, postman: Postman) -> None:
        self.up, self.far_mail, self.postman = up, far_mail, postman

    def write(self, made: EmailMessage, sender: str) -> str:
        """Brought to the line; the number of the submission."""
        return self.postman.deliver(made.as_bytes(), sender, to=str(made["To"]))

    def fact(self, number: str, name: str) -> str:
        client = self.up.client()
        try:
            ticket = client.get(f"jiesu:number:{number}")
            found = client.hget(f"jiesu:ticket:{ticket.decode()}", name) if ticket else None
        except redis.RedisError:  # a test has just killed it
            return ""
        return found.decode() if found else ""

    def is_in(self, number: str, state: str) -> None:
        wait_until(lambda: self.fact(number, "state") == state, f"state {state}")

    def asked(self, name: str) -> tuple[str, Letter]:
        """A citizen's mail that was dispatched; its number, and the unit's letter."""
        number = self.write(mail(CITIZEN, "hotline@hotline.example", MATTER, name=name), CITIZEN)
        return number, self.told(number)

    def told(self, number: str) -> Letter:
        def found() -> list[Letter]:
            return [letter for letter in self.far_mail.letters(OFFICE) if number in letter["Subject"]]

        wait_until(lambda: bool(found()), "the unit's letter")
        return found()[-1]

    def answers(self, letter: Letter, text: str, name: str, sender: str = OFFICE, **fields: str) -> EmailMessage:
        below = "\n".join(f"> {line}" for line in letter.text.splitlines())
        subject = fields.pop("subject", f"Re: {letter['Subject']}")
        quoted = f"{text}\n\n在 2026年11月23日 09:30，12345 <{letter['Reply-To']}> 写道：\n{below}\n"
        return mail(
            sender, letter["Reply-To"], quoted, name=name, subject=subject, In_Reply_To=letter["Message-ID"], **fields
        )

    def ended(self, number: str) -> tuple[str, str | None]:
        wait_until(lambda: row(self.up, number)[0] != "received", "the mail is read")
        return row(self.up, number)


@pytest.fixture
def town(make_up: Callable[..., Any]) -> Iterator[Town]:
    listen = somewhere()
    with FarMail().served() as far_mail:
        up = make_up(
            **{LISTEN: listen, RELAY: far_mail.address, "JIESU_CHANNELS__EMAIL__AUTHSERV_ID": MX},
            JIESU_DISPATCH__UNITS=json.dumps({UNIT: {"type": "email", "to": OFFICE}}),
        )
        up.start()
        postman = Postman(listen)
        yield Town(up, far_mail, postman)
        postman.hang_up()


def test_a_unit_signs_and_answers_by_mail_and_the_citizen_gets_the_answer(town: Town) -> None:
    number, letter = town.asked("story")
    for word in (MATTER, CITIZEN, "签收", "办结"):
        assert word in letter.text, word
    signed = town.answers(letter, "签收", "sign")
    signing = town.write(signed, OFFICE)
    town.is_in(number, "signed")
    assert town.ended(signing) == ("set_aside", "unit_step")

    assert town.up.kill("valkey"), "the answer comes while the server is away"
    done = town.answers(letter, "办结：解决\n车辆已全部移走，安排每日巡查。", "done")
    done.add_attachment("每天八点巡查".encode(), maintype="text", subtype="plain", filename="patrol.txt")
    answered = town.write(done, OFFICE)
    town.is_in(number, "closed")
    assert town.ended(answered) == ("set_aside", "unit_step")
    last = town.far_mail.letters(CITIZEN)[-1]
    assert "车辆已全部移走，安排每日巡查。" in last.text
    assert "请在此行以上回复" not in last.text
    ticket = next(iter(town.up.tickets().values()))
    assert [one["name"] for one in ticket["attachments"]] == ["patrol.txt"]
    kept: Path = town.up.directory / "blobs" / ticket["attachments"][0]["blob"]
    assert kept.read_bytes().decode() == "每天八点巡查"

    wait_until(town.up.settled, "settled")
    before = town.fact(number, "version"), len(town.far_mail.letters())
    again = b"Received: from mx by mx; Mon, 23 Nov 2026 10:00:00 +0800\r\n" + done.as_bytes()
    assert town.postman.deliver(again, OFFICE, to=letter["Reply-To"]) == answered
    assert town.write(signed, OFFICE) == signing
    wait_until(town.up.settled, "settled")
    assert (town.fact(number, "version"), len(town.far_mail.letters())) == before
    assert town.up.counts()["queued"] == 1, "no mail of the unit opened a ticket"


def test_who_is_no_unit_is_a_citizen_whatever_address_it_writes_to(town: Town) -> None:
    number, letter = town.asked("all")
    wait_until(town.up.settled, "settled")
    copied = town.answers(letter, "新车又停回来了。", "citizen", CITIZEN)
    assert town.ended(town.write(copied, CITIZEN)) == ("queued", "appended")
    assert town.fact(number, "state") == "dispatched"

    officer = "lisi@mail.example"
    own = town.answers(letter, "办结：解决\n好了", "officer", officer)
    assert town.ended(town.write(own, officer)) == ("queued", "opened")
    wait_until(lambda: bool(town.far_mail.letters(officer)), "the officer hears what became of it")

    former = "former@xicheng.example"  # of a unit that has another mailbox by now
    secret = (town.up.directory / "secret").read_bytes()
    theirs = mail(former, unit_address("hotline@hotline.example", number, former, secret), "签收", name="former")
    assert town.ended(town.write(theirs, former)) == ("queued", "opened")
    wait_until(town.up.settled, "settled")
    assert town.fact(number, "state") == "dispatched"


def test_the_citizens_photo_comes_with_the_letter(town: Town) -> None:
    made = mail(CITIZEN, "hotline@hotline.example", MATTER, name="photo")
    made.add_attachment("车牌清单".encode(), maintype="text", subtype="plain", filename="plates.txt")
    letter = town.told(town.write(made, CITIZEN))
    (file,) = letter.message.iter_attachments()
    assert (file.get_filename(), file.get_payload(decode=True)) == ("plates.txt", "车牌清单".encode())


def test_forgers_and_programs_take_no_step_and_a_unit_hears_what_it_did_wrong(town: Town) -> None:
    number, letter = town.asked("other")
    wait_until(town.up.settled, "settled")
    before, letters = town.fact(number, "version"), len(town.far_mail.letters())
    cases = {
        "unit_forged": (
            town.answers(letter, "签收", "forged", Authentication_Results=f"{MX}; dmarc=fail header.from=x.example"),
            OFFICE,
        ),
        "auto_reply": (town.answers(letter, "签收", "away", subject="自动回复", Auto_Submitted="auto-replied"), OFFICE),
    }
    for code, (made, sender) in cases.items():
        assert town.ended(town.write(made, sender)) == ("set_aside", code)
    wait_until(town.up.settled, "settled")
    assert (town.fact(number, "state"), town.fact(number, "version")) == ("dispatched", before)
    assert len(town.far_mail.letters()) == letters, "nobody is answered"

    wrong = town.answers(letter, "办结", "wrong")
    assert town.ended(town.write(wrong, OFFICE)) == ("set_aside", "unit_refused")
    wait_until(lambda: len(town.far_mail.letters()) == letters + 1, "the unit is told why")
    told = town.far_mail.letters(OFFICE)[-1]
    assert "没有写明结果" in told.text
    assert town.fact(number, "state") == "dispatched"
    listed = town.up.jiesu("parked", "list", "--all").stdout
    for code in (*cases, "unit_refused  missing_outcome"):
        assert code in listed, code


def test_the_reporter_stands_in_no_mail_to_the_accountable_unit(town: Town) -> None:
    body = {"text": MATTER, "kind": "report", "name": "王芳芳", "phone": "13800138000", "email": CITIZEN}
    _, receipt = town.up.post(body)
    letter = town.told(receipt["number"])
    assert "占道" in letter.text
    shown = letter.message.as_string() + letter.text
    assert not [word for word in ("王芳芳", "13800138000", CITIZEN) if word in shown]


def test_a_letter_that_comes_back_is_a_failed_delivery_to_that_unit_and_goes_out_again_when_replayed(
    town: Town,
) -> None:
    number, letter = town.asked("returned")
    wait_until(town.up.settled, "settled")
    citizens = len(town.far_mail.letters(CITIZEN))
    report = (
        f"From: MAILER-DAEMON@relay.example\r\nTo: {letter.sender}\r\nSubject: Returned\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\n\r\nIt did not arrive.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\n\r\n"
        f"Final-Recipient: rfc822; {OFFICE}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {letter['Message-ID']}\r\n--b--\r\n"
    )
    returned = town.postman.deliver(report.encode(), "", to=letter.sender)
    assert town.ended(returned) == ("set_aside", "bounce")
    listed = town.up.jiesu("dead", "list").stdout
    assert number in listed
    assert f"unit:{UNIT}  bounced_5.1.1" in listed
    assert len(town.far_mail.letters(CITIZEN)) == citizens, "it is no matter of the citizen's"
    assert town.up.jiesu("dead", "replay", "--all").returncode == 0
    wait_until(lambda: len(town.far_mail.letters(OFFICE)) == 2, "it goes out again")
    assert {one["Message-ID"] for one in town.far_mail.letters(OFFICE)} == {letter["Message-ID"]}
    wait_until(town.up.settled, "settled, not sent for ever")
    assert len(town.far_mail.letters(OFFICE)) == 2
