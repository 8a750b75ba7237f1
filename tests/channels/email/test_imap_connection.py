"""The connection to a mailbox elsewhere: it comes and goes, is refused, hangs; and it is free within 5 s of the end."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from channels.email.channel import Email
from channels.email.config import EmailConfig, ImapConfig
from channels.fake_host import FakeHost
from tests.channels.email.bad_imap import GONE, SILENT, BadImap
from tests.channels.email.dovecot import MARKED, PASSWORD, USER, Dovecot, Mailbox, Polling, bodies, marked
from tests.channels.email.posts import MAIL, numbered, until

# --- it comes and goes


async def test_a_server_that_restarts_is_found_again_and_the_outage_said_once(
    own_dovecot: Callable[..., Dovecot], polling: Polling, host: FakeHost
) -> None:
    dovecot = own_dovecot()
    dovecot.start()
    mailbox = Mailbox(dovecot, "INBOX")
    mailbox.arrive(numbered(1))
    with capture_logs() as logs:
        polling(mailbox.block(poll=600))
        await marked(mailbox, MARKED)
        await until(lambda: logs)
        await asyncio.to_thread(dovecot.stop)  # it says BYE to those who idle
        await until(lambda: logs[-1]["event"] == "mailbox_unreachable")
        await asyncio.to_thread(dovecot.start)
        await asyncio.to_thread(mailbox.arrive, numbered(2))
        await marked(mailbox, MARKED, MARKED)
    events = [(line["event"], line.get("error")) for line in logs]
    assert events[0] == events[-1] == ("mailbox_connected", None)
    assert {event for event, _ in events[1:-1]} == {"mailbox_unreachable"}
    assert len(events) == len(set(events)) + 1, "each failure once: the BYE, the refused connection"


async def test_a_wrong_password_is_said_once_and_the_right_one_is_read_at_the_next_login(
    mailbox: Mailbox, polling: Polling, host: FakeHost, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("wrong\n")
    mailbox.arrive(numbered(1))
    with capture_logs() as logs:
        polling(mailbox.block(password_file=str(password)))
        await until(lambda: mailbox.dovecot.log().count("auth failed") > 1)
        password.write_text(PASSWORD, encoding="utf-8")
        await marked(mailbox, MARKED)
    assert [(line["event"], line.get("error")) for line in logs] == [
        ("mailbox_unreachable", "login_refused"),
        ("mailbox_connected", None),
    ]
    assert USER not in str(logs)
    assert PASSWORD not in str(logs)


async def test_a_folder_that_is_not_there_is_said_and_waited_for(
    mailbox: Mailbox, polling: Polling, host: FakeHost
) -> None:
    mailbox.delete()
    with capture_logs() as logs:
        polling(mailbox.block())
        await until(lambda: logs)
        await asyncio.to_thread(mailbox.make)
        await asyncio.to_thread(mailbox.arrive, numbered(1))
        await marked(mailbox, MARKED)
    assert [(line["event"], line.get("error")) for line in logs] == [
        ("mailbox_unreachable", "folder_refused"),
        ("mailbox_connected", None),
    ]


async def test_the_server_is_told_who_looks(mailbox: Mailbox, polling: Polling) -> None:
    polling(mailbox.block())
    await until(lambda: "ID sent: name=jiesu" in mailbox.dovecot.log())


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_tls_wants_a_certificate_it_knows(tls: str, mailbox: Mailbox, polling: Polling, host: FakeHost) -> None:
    mailbox.arrive(numbered(1))
    port = mailbox.dovecot.tls_port if tls == "tls" else mailbox.dovecot.port
    block = mailbox.block(tls=tls, port=port)
    with capture_logs() as logs:
        stranger = polling(block)
        await until(lambda: logs)
        assert logs[0]["error"] == "SSLCertVerificationError"
        stranger.cancel()
    polling({**block, "ca_file": str(mailbox.dovecot.certificate)})
    await marked(mailbox, MARKED)
    assert next(iter(host.taken.values())).meta["tls"] == "TLSv1.3"


async def test_without_the_starttls_that_was_asked_for_nothing_secret_is_said(polling: Polling, tmp_path: Path) -> None:
    async with BadImap({}) as server:
        polling(server.block(tmp_path, tls="starttls"))
        await until(lambda: server.connections > 1)
        assert {line.split(" ")[0] for line in server.log} <= {"CAPABILITY"}


def test_a_password_goes_in_clear_text_to_this_machine_only() -> None:
    block = {"user": "hotline", "password_file": "password", "tls": "none"}
    for host in ("127.0.0.1", "::1", "localhost"):
        assert ImapConfig.model_validate({**block, "host": host}).address == (host, 143)
    for host in ("mail.town.example", "192.0.2.1", "localhost.town.example"):
        with pytest.raises(ValidationError):
            ImapConfig.model_validate({**block, "host": host})


# --- it fails in the midst


async def test_a_connection_that_falls_silent_is_given_up(polling: Polling, host: FakeHost, tmp_path: Path) -> None:
    looks = 0

    def silent_at_the_second_look(command: str) -> Any:
        nonlocal looks
        looks += command.startswith("SELECT")
        return SILENT if looks == 2 and command.startswith("SELECT") else None

    async with BadImap({1: MAIL}, silent_at_the_second_look) as server:
        polling(server.block(tmp_path, timeout=0.5, poll=0.1))
        await until(lambda: server.connections == 2)
        server.mails[2] = numbered(2)
        await until(lambda: len(host.taken) == 2)


async def test_an_idle_that_the_server_ends_is_begun_again(polling: Polling, host: FakeHost, tmp_path: Path) -> None:
    def bye(command: str) -> Any:
        return b"* BYE idle for too long\r\n" if command == "IDLE" and server.connections == 1 else None

    server = BadImap({1: MAIL}, bye)
    async with server:
        polling(server.block(tmp_path, poll=600))
        await until(lambda: server.connections == 2 and server.log[-1] == "IDLE")
        assert len(host.taken) == 1


@pytest.mark.parametrize("said", [b"* 2 EXISTS\r\n+ idling\r\n", b"+ idling\r\n* 2 EXISTS\r\n"])
async def test_news_that_come_with_the_answer_to_idle_are_heard(
    said: bytes, polling: Polling, host: FakeHost, tmp_path: Path
) -> None:
    def early(command: str) -> Any:
        if command != "IDLE" or 2 in server.mails:
            return None
        server.mails[2] = numbered(2)
        return said

    server = BadImap({1: MAIL}, early)
    async with server:
        polling(server.block(tmp_path, poll=600))
        await until(lambda: len(host.taken) == 2)
        assert server.connections == 1


async def test_a_mail_at_which_the_server_hangs_up_keeps_no_other_back(
    polling: Polling, host: FakeHost, tmp_path: Path
) -> None:
    def hang_up_at_the_first(command: str) -> Any:
        return GONE if "BODY" in command and command.split(" ")[2].startswith("1") else None

    mails = {uid: numbered(uid) for uid in (1, 2, 3)}
    async with BadImap(mails, hang_up_at_the_first) as server:
        polling(server.block(tmp_path))
        await until(lambda: server.marked.keys() == {2, 3})
        assert sorted(bodies(host)) == [numbered(2), numbered(3)]
        server.spoil = lambda _command: None
        await until(lambda: server.marked.keys() == {1, 2, 3})


async def test_a_mark_that_is_refused_though_promised_does_not_fetch_the_mail_again(
    polling: Polling, host: FakeHost, tmp_path: Path
) -> None:
    def no_marks(command: str) -> Any:
        return b"TAG NO not now\r\n" if command.startswith("UID STORE") else None

    async with BadImap({1: MAIL}, no_marks) as server:
        with capture_logs() as logs:
            polling(server.block(tmp_path, poll=0.1))
            await until(lambda: len([line for line in server.log if line.startswith("UID STORE")]) > 2)
        server.spoil = lambda _command: None
        await until(lambda: server.marked == {1: "$Jiesu"})
        assert len([line for line in server.log if "BODY" in line]) == len(host.taken) == 1
    assert [line["event"] for line in logs].count("mailbox_cannot_mark") == 1


# --- the end


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port at which connections are neither taken nor refused: its queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        yield full.getsockname()[1]
        for one in waiting:
            one.close()


async def ends_at_once(task: asyncio.Task[None], left: set[str] | BadImap) -> None:
    """Within 5 s of its cancellation nothing is left of it: no task, no thread, no socket but those that were there
    before, or no connection to that server."""
    began = time.monotonic()
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()
    await until(lambda: not [one for one in threading.enumerate() if one.name.startswith("imap_")])
    await until(lambda: not left.open if isinstance(left, BadImap) else open_sockets() <= left)
    assert time.monotonic() - began < 5


def open_sockets() -> set[str]:
    links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
    return {target for link in links if link.is_symlink() and (target := os.readlink(link)).startswith("socket:")}


async def test_cancelled_while_it_connects(black_hole: int, polling: Polling, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    before = open_sockets()
    block = {"host": "127.0.0.1", "port": black_hole, "tls": "none", "user": "hotline"}
    task = polling({**block, "password_file": str(tmp_path / "password")})
    await until(lambda: open_sockets() - before)
    await ends_at_once(task, before)


@pytest.mark.parametrize("tls", ["none", "tls"])
async def test_cancelled_while_the_server_says_nothing(tls: str, polling: Polling, tmp_path: Path) -> None:
    async with BadImap({}) as server:
        server.greeting = None
        task = polling(server.block(tmp_path, tls=tls))
        await until(lambda: server.open)
        await ends_at_once(task, server)


async def test_cancelled_in_the_midst_of_a_mail(polling: Polling, host: FakeHost, tmp_path: Path) -> None:
    def half(command: str) -> Any:
        return b"* 1 FETCH (UID 1 BODY[] {1000}\r\nFrom: half" if "BODY" in command else None

    async with BadImap({1: MAIL}, half) as server:
        task = polling(server.block(tmp_path))
        await until(lambda: any("BODY" in line for line in server.log))
        await ends_at_once(task, server)
    assert not host.taken


async def test_cancelled_while_it_idles(mailbox: Mailbox, polling: Polling, host: FakeHost) -> None:
    before = open_sockets()
    mailbox.arrive(numbered(1))
    task = polling(mailbox.block(poll=600))
    await marked(mailbox, MARKED)
    await ends_at_once(task, before)


async def test_cancelled_while_a_mail_is_being_taken(mailbox: Mailbox, polling: Polling, host: FakeHost) -> None:
    before = open_sockets()
    host.hold()
    mailbox.arrive(numbered(1))
    task = polling(mailbox.block())
    await asyncio.wait_for(host.arrived.wait(), 10)
    await ends_at_once(task, before)
    assert list(mailbox.flags().values()) == [()]


# --- beside the server of the channel


async def test_an_address_that_is_taken_does_not_stop_the_mailbox(mailbox: Mailbox, host: FakeHost) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        channel = Email(EmailConfig.model_validate({"listen": listen, "imap": mailbox.block()}))
        with capture_logs() as logs:
            task = asyncio.create_task(channel.run(host))
            await asyncio.to_thread(mailbox.arrive, numbered(1))
            await marked(mailbox, MARKED)
            task.cancel()
            await asyncio.wait({task}, timeout=5)
        assert task.cancelled()
    assert "mail_not_listening" in {line["event"] for line in logs}
