"""What becomes of a letter at the relay: sent, failed for ever, or tried again; never an exception of another kind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from channels.contract import Delivery, Reply
from channels.email.compose import Letter, compose
from channels.email.config import EmailConfig
from channels.email.message import read_bytes
from channels.email.relay import Relay
from normalizer.errors import TryAgain
from normalizer.identity import number
from normalizer.ticket import Attachment, ReplyAddress
from tests.channels.email.relays import CUT, HANG, PASSWORD, USER, Taking, relay_to, scripted, taking

CITIZEN = "ouyang.ceshi@citizen.example"
TEXT = "受理编号：12\n.\n..\n完"
NUMBER = number(date(2026, 11, 23), 1, 1)
QUOTING = f"<{CITIZEN}>: there is no such user, says mx.citizen.example"


def letter(address: str = CITIZEN, **of: Any) -> Letter:
    message = Reply.model_validate({"operation": "receipt", "number": NUMBER, "text": TEXT, "purpose": "receipt"} | of)
    to = ReplyAddress(channel="email", address=address)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return compose(to, message, mailbox="hotline@example.org", name=None, secret=b"0123456789abcdef", at=at)


@pytest.fixture
async def server() -> AsyncIterator[Taking]:
    async with taking() as server:
        yield server


async def test_a_letter_arrives_byte_for_byte(server: Taking) -> None:
    sent = letter()
    assert await relay_to(server.port).send(sent) == Delivery(outcome="sent", reference=sent.message_id)
    (taken,) = server.letters
    assert taken.content == sent.content
    assert (taken.mail_from, taken.rcpt_tos) == ("<>", [CITIZEN])
    assert f"SIZE={len(sent.content)}" in taken.mail_options
    assert read_bytes(sent.content).text.strip() == TEXT
    assert server.sessions[0].host_name == "hotline.example"


async def test_an_answer_carries_the_address_that_a_bounce_comes_back_to(server: Taking) -> None:
    sent = letter(purpose="answer", text="It was mended.\n.\n", language="en")
    assert (await relay_to(server.port).send(sent)).outcome == "sent"
    assert server.letters[0].mail_from == sent.envelope_from
    assert str(server.letters[0].mail_from).startswith(f"hotline+{NUMBER}.")
    assert server.letters[0].content == sent.content


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (f"550 5.1.1 {QUOTING}", "smtp_550 5.1.1"),
        (f"554 {QUOTING}", "smtp_554"),
        (f"550-5.7.1 {QUOTING}\r\n550 5.7.1 {QUOTING}", "smtp_550 5.7.1"),
        (f"552 4.2.2 {QUOTING}", "smtp_552"),
        ("599 5.999.999.1 odd", "smtp_599"),
    ],
)
async def test_a_refusal_for_ever_is_told_by_its_codes_alone(
    server: Taking, verb: str, answer: str, reason: str
) -> None:
    server.answers = {verb: [answer]}
    with capture_logs() as logs:
        assert await relay_to(server.port).send(letter()) == Delivery(outcome="failed", reason=reason)
    assert [entry["event"] for entry in logs] == ["mail_relay_refuses"]
    assert "citizen" not in str(logs)
    assert server.letters == []


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
async def test_not_now_is_tried_again_and_then_it_goes(server: Taking, verb: str) -> None:
    server.answers = {verb: [f"451 4.7.1 {QUOTING}", f"421 4.3.2 {QUOTING}"]}
    relay = relay_to(server.port)
    for _ in range(2):
        with capture_logs() as logs, pytest.raises(TryAgain) as raised:
            await relay.send(letter())
        assert "citizen" not in f"{raised.value} {raised.value.__cause__} {logs}"
    assert (await relay.send(letter())).outcome == "sent"
    assert len(server.letters) == 1


@pytest.mark.parametrize("code", [530, 534, 535, 538])
async def test_what_is_our_fault_is_no_fault_of_the_address(server: Taking, code: int) -> None:
    server.answers = {"MAIL": [f"{code} 5.7.0 Authentication required"]}
    with pytest.raises(TryAgain):
        await relay_to(server.port).send(letter())


async def test_a_connection_lost_behind_the_last_dot_sends_the_same_mail_again(server: Taking) -> None:
    server.answers = {"DATA": [CUT]}
    relay = relay_to(server.port)
    with pytest.raises(TryAgain):
        await relay.send(letter())
    assert (await relay.send(letter())).outcome == "sent"
    ids = {read_bytes(bytes(taken.content or b"")).message_id for taken in server.letters}
    assert (len(server.letters), ids) == (2, {letter().message_id})


@pytest.mark.parametrize("verb", ["", "EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(
    "answer",
    [
        CUT,
        HANG,
        "what?",
        "4",
        "421 4.3.2 Closing",
        "250-5.1.1 and then nothing",
        "999 5.1.1 odd",
        "2" * 40_000,
        "334 Go on",
    ],
    ids=["cut", "hang", "babble", "half", "closing", "unfinished", "odd", "endless", "other"],
)
async def test_whatever_breaks_at_whatever_moment_it_is_tried_again(verb: str, answer: str) -> None:
    async with scripted({verb: answer, "HELO": answer}) as server:
        with pytest.raises(TryAgain):
            await relay_to(server.port, relay_timeout=0.1).send(letter())


@pytest.mark.parametrize("answer", ["554 5.3.2 We take nothing from you", "521 5.3.2 No mail here"])
@pytest.mark.parametrize("verb", ["", "EHLO"])
async def test_a_relay_that_refuses_us_refuses_no_address(verb: str, answer: str) -> None:
    async with scripted({verb: answer, "HELO": answer}) as server:
        with pytest.raises(TryAgain):
            await relay_to(server.port).send(letter())


async def test_a_refusal_before_the_text_is_one_too() -> None:
    async with scripted({"DATA": "554 5.6.0 No"}) as server:
        assert (await relay_to(server.port).send(letter())).reason == "smtp_554 5.6.0"
    async with scripted({"DATA": "250 2.0.0 Ok"}) as server:
        with pytest.raises(TryAgain):
            await relay_to(server.port).send(letter())


@pytest.mark.parametrize("answer", [CUT, "what?", "421 4.3.2 Closing"])
async def test_once_it_is_sent_nothing_undoes_it(answer: str) -> None:
    async with scripted({"QUIT": answer}) as server:
        assert (await relay_to(server.port).send(letter())).outcome == "sent"
        assert server.said == ["EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"]


async def test_an_old_server_without_extensions_takes_it_too() -> None:
    async with scripted({"EHLO": "502 5.5.1 What?"}) as server:
        assert (await relay_to(server.port).send(letter())).outcome == "sent"
        assert server.said[:2] == ["EHLO", "HELO"]


async def test_nobody_there_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with capture_logs() as logs, pytest.raises(TryAgain, match="cannot be reached"):
            await relay_to(taken.getsockname()[1]).send(letter())
    assert [(entry["event"], entry["error"]) for entry in logs] == [("mail_relay_unreachable", "SMTPConnectError")]


# Addresses that are not ASCII (RFC 6531)


async def test_a_local_part_that_is_not_ascii_arrives_where_that_is_possible() -> None:
    sent = letter("欧阳@例子.测试")
    async with taking(enable_SMTPUTF8=True) as server:
        assert (await relay_to(server.port).send(sent)).outcome == "sent"
        (taken,) = server.letters
        assert taken.rcpt_tos == ["欧阳@xn--fsqu00a.xn--0zwm56d"]
        assert "SMTPUTF8" in taken.mail_options
        assert taken.content == sent.content


async def test_elsewhere_it_fails_for_ever(server: Taking) -> None:
    failed = Delivery(outcome="failed", reason="smtputf8_not_offered")
    assert await relay_to(server.port).send(letter("欧阳@citizen.example")) == failed
    assert (await relay_to(server.port).send(letter("ouyang@例子.测试"))).outcome == "sent"


# Logging in (RFC 4954); on this machine without TLS


@pytest.fixture
async def guarded() -> AsyncIterator[Taking]:
    handler = Taking()
    async with taking(handler, auth_require_tls=False, authenticator=handler.authenticate) as server:
        yield server


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "relay-password"
    file.write_text(f"{PASSWORD}\n")
    return file


async def test_it_logs_in_with_the_password_of_the_moment(guarded: Taking, password: Path) -> None:
    relay = relay_to(guarded.port, relay_user=USER, relay_password_file=password)
    assert (await relay.send(letter())).outcome == "sent"
    assert guarded.sessions[0].authenticated
    guarded.password = "another since today"
    password.write_bytes(b"another since today\r\n")
    assert (await relay.send(letter())).outcome == "sent"
    assert guarded.refusals == 0


async def test_a_wrong_password_is_ours_to_repair(guarded: Taking, password: Path) -> None:
    relay = relay_to(guarded.port, relay_user=USER, relay_password_file=password)
    password.write_text("wrong")
    with capture_logs() as logs, pytest.raises(TryAgain, match="log us in"):
        await relay.send(letter())
    assert [(entry["event"], entry["code"]) for entry in logs] == [("mail_relay_login_refused", 535)]
    password.unlink()
    with capture_logs() as logs, pytest.raises(TryAgain, match="password"):
        await relay.send(letter())
    assert [entry["event"] for entry in logs] == ["mail_relay_password_unreadable"]
    assert guarded.letters == []


async def test_a_relay_without_logins_gets_no_password(server: Taking, password: Path) -> None:
    with pytest.raises(TryAgain):
        await relay_to(server.port, relay_user=USER, relay_password_file=password).send(letter())


# Configuration


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ({"relay": "relay.example:25", "relay_user": "x"}, "go together"),
        ({"relay_password_file": "x"}, "go together"),
        ({"relay": "relay.example:25", "relay_user": "x", "relay_password_file": "x"}, "clear text"),
        ({"relay": "10.0.0.1:25", "relay_user": "x", "relay_password_file": "x"}, "clear text"),
        ({"relay": "relay.example:0"}, "port"),
        ({"relay": "relay.example:25", "addresses": [f"{'x' * 23}@example.org"]}, "22 octets"),
        ({"relay": "relay.example:25", "from_name": "x\r\nBcc: y"}, "pattern"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(block: dict[str, object], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        EmailConfig.model_validate(block)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "[::1]"])
@pytest.mark.parametrize("tls", ["none", "tls"])
def test_on_this_machine_a_password_needs_no_tls(host: str, tls: str) -> None:
    block = {"relay": f"{host}:25", "relay_user": "x", "relay_password_file": "x", "relay_tls": tls}
    assert Relay(EmailConfig.model_validate(block))


class Thorough(Taking):
    """Looks at what it got before it says that it has it."""

    async def handle_DATA(self, *arguments: Any) -> str:  # noqa: N802
        await asyncio.sleep(1.5)
        return await super().handle_DATA(*arguments)


async def test_a_mail_with_files_may_take_the_longer_the_larger_it_is() -> None:
    files = (Attachment(name="a.pdf", content=b"x" * 1024 * 1024),)
    async with taking(Thorough()) as server:
        relay = relay_to(server.port, relay_timeout=1)
        assert (await relay.send(letter(purpose="answer", attachments=files))).outcome == "sent"
        with pytest.raises(TryAgain):
            await relay.send(letter())
