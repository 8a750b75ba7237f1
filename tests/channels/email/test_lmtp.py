"""LMTP (RFC 2033), for a mail server in front: one reply for every accepted recipient, over TCP or a unix socket."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import stat
from pathlib import Path

import pytest

from normalizer.errors import Rejected, TryAgain
from tests.channels.email.posts import MAIL, Post, Serving
from tests.waiting import HANGS


@pytest.fixture
async def lmtp(serving: Serving, short_tmp: Path) -> Post:
    return await serving(listen=None, lmtp="127.0.0.1:0", lmtp_socket=short_tmp / "run/lmtp.sock")


async def replies_to(lmtp: Post, mail: bytes, recipients: tuple[str, ...]) -> list[str]:
    """What is answered to the end of the mail."""
    async with lmtp.wire("lmtp", hello="LHLO mta.hotline.example") as wire:
        assert (await wire.say("MAIL FROM:<a@citizen.example>")).startswith("250 2.1.0")
        taken = sum([(await wire.say(f"RCPT TO:<{to}@hotline.example>")).startswith("250") for to in recipients])
        assert (await wire.say("DATA")).startswith("354")
        await wire.send(mail + b".\r\n")
        told = [await wire.reply() for _ in range(taken)]
        assert (await wire.say("NOOP")) == "250 2.0.0 OK", "there were more replies than recipients"
        return told


async def test_one_reply_for_every_accepted_recipient_and_one_submission(lmtp: Post) -> None:
    told = await replies_to(lmtp, MAIL, ("hotline", "nobody", "hotline+tag", "postmaster"))
    assert len(told) == 3
    assert all(reply.startswith("250 2.0.0 Accepted as 20") for reply in told)
    (raw,) = lmtp.host.taken.values()
    assert raw.body == MAIL
    assert raw.meta["protocol"] == "LMTP"
    assert raw.meta["envelope_to"].split() == [
        f"{local}@hotline.example" for local in ("hotline", "hotline+tag", "postmaster")
    ]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (TryAgain(5), "451 4.3.0"),
        (RuntimeError("planted"), "451 4.3.0"),
        (Rejected("empty_mail", "x"), "554 5.6.0"),
    ],
)
async def test_a_failure_is_told_for_every_recipient(lmtp: Post, outcome: Exception, expected: str) -> None:
    lmtp.host.outcomes.append(outcome)
    told = await replies_to(lmtp, MAIL, ("hotline", "postmaster"))
    assert [reply[:9] for reply in told] == [expected] * 2
    assert not lmtp.host.taken


async def test_too_large_is_told_for_every_recipient(serving: Serving) -> None:
    lmtp = await serving(lmtp="127.0.0.1:0", max_bytes=100)
    told = await replies_to(lmtp, b"x" * 200 + b"\r\n", ("hotline", "postmaster"))
    assert [reply[:9] for reply in told] == ["552 5.3.4"] * 2


async def test_no_accepted_recipient_is_503(lmtp: Post) -> None:
    async with lmtp.wire("lmtp", hello="LHLO mta") as wire:
        await wire.say("MAIL FROM:<>")
        assert (await wire.say("RCPT TO:<nobody@hotline.example>")).startswith("550 5.1.1")
        assert (await wire.say("DATA")).startswith("503 5.5.1")


async def test_lhlo_greets_and_helo_and_ehlo_do_not(lmtp: Post) -> None:
    async with lmtp.wire("lmtp", hello="") as wire:
        assert (await wire.say("EHLO mta")).startswith("500 5.5.2")
        assert (await wire.say("HELO mta")).startswith("500 5.5.2")
        assert (await wire.say("MAIL FROM:<a@b>")).startswith("503")
        told = await wire.say("LHLO mta")
    assert {"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME"} <= {line[4:] for line in told.splitlines()}


async def test_smtp_does_not_know_lhlo(serving: Serving) -> None:
    post = await serving()
    async with post.wire(hello="") as wire:
        assert (await wire.say("LHLO mta")).startswith("500 5.5.2")


def by_smtplib(path: str) -> tuple[int, bytes]:
    with smtplib.LMTP(path) as client:
        assert isinstance(client.sock, socket.socket)
        client.sock.settimeout(HANGS)
        client.ehlo("mta")  # it says LHLO
        client.mail("a@citizen.example")
        client.rcpt("hotline@hotline.example")
        return client.data(MAIL)


async def test_the_unix_socket_has_its_mode_and_goes_with_the_server(lmtp: Post, short_tmp: Path) -> None:
    path = short_tmp / "run/lmtp.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert (await asyncio.to_thread(by_smtplib, str(path)))[0] == 250
    (raw,) = lmtp.host.taken.values()
    assert (raw.body, raw.meta["peer"]) == (MAIL, "unix")
    lmtp.task.cancel()
    await asyncio.wait({lmtp.task}, timeout=HANGS)
    assert not path.exists()


async def test_what_is_no_socket_is_not_removed(serving: Serving, short_tmp: Path) -> None:
    path = short_tmp / "precious"
    path.write_text("an operator's slip")
    with pytest.raises(OSError):
        await serving(listen=None, lmtp_socket=path)
    assert path.read_text() == "an operator's slip"


async def test_a_socket_that_a_killed_gateway_left_is_taken_over(serving: Serving, short_tmp: Path) -> None:
    path = short_tmp / "lmtp.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    await serving(listen=None, lmtp_socket=path)
    assert (await asyncio.to_thread(by_smtplib, str(path)))[0] == 250
