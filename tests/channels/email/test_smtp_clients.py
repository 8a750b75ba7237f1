"""Clients that go away, stall, flood or attack; start and end of the servers; logs; the configuration."""

from __future__ import annotations

import asyncio
import logging
import os

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from channels.email.config import EmailConfig
from channels.email.wire import COMMAND_MAX, ERRORS_MAX
from channels.fake_host import FakeHost
from normalizer.errors import Rejected, TryAgain
from tests.channels.email.posts import MAIL, Post, Serving, numbered, until
from tests.waiting import HANGS

# Clients that go away, stall or attack


async def test_a_mail_that_was_not_ended_is_not_taken(post: Post) -> None:
    async with post.wire() as wire:
        await wire.begin()
        await wire.send(MAIL + b".\r")
    async with post.wire() as wire:
        await wire.begin()
        await wire.send(MAIL)
        wire.writer.transport.abort()
    await post.deserted()
    assert not post.host.taken
    assert not post.host.arrived.is_set()


async def test_a_client_that_went_while_we_wrote_finds_its_mail_taken_once(post: Post) -> None:
    post.host.hold()
    async with post.wire() as wire:
        await wire.begin()
        await wire.send(MAIL + b".\r\n")
        await asyncio.wait_for(post.host.arrived.wait(), HANGS)
    post.host.release()
    await post.deserted()
    assert (await post.sent(MAIL))[0] == 250
    assert post.bodies() == [MAIL]


async def test_a_silent_client_is_closed(serving: Serving) -> None:
    post = await serving(idle_timeout=1)  # time enough to begin
    async with post.wire() as wire:
        assert await wire.ended()
    async with post.wire() as wire:
        await wire.begin()
        await wire.send(b"Subject: half")
        assert await wire.ended()
    assert not post.host.taken


async def test_a_client_that_dribbles_is_closed_when_its_mail_takes_too_long(serving: Serving) -> None:
    post = await serving(idle_timeout=HANGS, data_timeout=1)
    async with post.wire() as wire:
        await wire.begin()
        ended = asyncio.create_task(wire.ended())
        while not ended.done():
            wire.writer.write(b"x")
            await asyncio.wait({ended}, timeout=0.02)
    assert not post.host.taken


async def test_64_connections_at_once(post: Post) -> None:
    async def one(n: int) -> str:
        async with post.wire() as wire:
            await wire.begin(f"c{n}@citizen.example")
            await wire.send(numbered(n) + b".\r\n")
            reply: str = await wire.reply()
            return reply[:3]

    assert await asyncio.gather(*(one(n) for n in range(64))) == ["250"] * 64
    assert sorted(post.bodies()) == sorted(numbered(n) for n in range(64))


async def test_more_connections_than_allowed_are_sent_away(serving: Serving) -> None:
    post = await serving(max_connections=2)
    async with post.wire(), post.wire(), post.wire(hello="") as third:
        assert await third.ended()
    await post.deserted()
    assert (await post.sent(MAIL))[0] == 250


async def test_one_client_has_only_so_many_connections_unless_it_is_trusted(serving: Serving) -> None:
    post = await serving(max_connections_per_ip=1, trusted=[])
    async with post.wire(), post.wire(hello="") as second:
        assert await second.ended()
    await post.deserted()
    assert (await post.sent(MAIL))[0] == 250
    trusting = await serving(max_connections_per_ip=1)
    async with trusting.wire(), trusting.wire() as second:
        assert (await second.say("NOOP")).startswith("250")


@pytest.mark.parametrize(("limit", "others"), [("per_ip", "450 4.7.1"), ("per_sender", "250")])
async def test_too_many_mails_of_one_are_put_off(serving: Serving, limit: str, others: str) -> None:
    post = await serving(trusted=[], **{limit: {"burst": 2, "per_minute": 0.001}})
    async with post.wire() as wire:
        for expected in ("250", "250", "450 4.7.1"):
            assert (await wire.say("MAIL FROM:<A@citizen.example>")).startswith(expected)
            await wire.say("RSET")
        assert (await wire.say("MAIL FROM:<a@Citizen.example>")).startswith("450")
        assert (await wire.say("MAIL FROM:<other@citizen.example>")).startswith(others)


async def test_recipients_beyond_the_limit_are_put_off(serving: Serving) -> None:
    post = await serving(max_recipients=2)
    async with post.wire() as wire:
        await wire.say("MAIL FROM:<a@citizen.example>")
        told = [(await wire.say(f"RCPT TO:<hotline+{n}@hotline.example>"))[:9] for n in range(3)]
    assert told == ["250 2.1.5", "250 2.1.5", "452 4.5.3"]


async def test_who_guesses_addresses_is_cut_off(post: Post) -> None:
    async with post.wire() as wire:
        await wire.say("MAIL FROM:<a@citizen.example>")
        for n in range(ERRORS_MAX):
            assert (await wire.say(f"RCPT TO:<guess{n}@hotline.example>")).startswith("550")
        assert (await wire.reply()).startswith("421 4.7.0")
        assert await wire.ended()


async def test_long_and_strange_command_lines_are_refused_and_the_session_goes_on(post: Post) -> None:
    async with post.wire() as wire:
        assert (await wire.say("NOOP " + "x" * COMMAND_MAX)).startswith("500 5.5.2")
        assert (await wire.say("MAIL FROM:<" + "x" * 300_000 + "@y>")).startswith("500 5.5.2")
        await wire.send(b"\xff\xfe\r\n")
        assert (await wire.reply()).startswith("500 5.5.2")
        await wire.send(b"VRFY \xff\xfe\r\n")
        assert (await wire.reply()).startswith("252")
        assert (await wire.say("NOOP")).startswith("250")


async def test_a_browser_gets_nowhere(post: Post) -> None:
    async with post.wire(hello="") as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\nE: f\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\n")
        assert await wire.ended()
    assert not post.host.taken


# Start and end


def sockets() -> set[str]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


async def test_cancelling_frees_every_socket_although_accept_never_returns(serving: Serving, host: FakeHost) -> None:
    """One client idle, one in the middle of a mail, one complete mail that accept takes for ever."""
    before, tasks = sockets(), asyncio.all_tasks()
    post = await serving()
    host.hold()
    async with post.wire() as idle, post.wire() as middle, post.wire() as waiting:
        await middle.begin()
        await middle.send(b"Subject: half")
        await waiting.begin()
        await waiting.send(MAIL + b".\r\n")
        await asyncio.wait_for(host.arrived.wait(), HANGS)
        post.task.cancel()
        done, _ = await asyncio.wait({post.task}, timeout=HANGS)
        assert done
        assert post.task.cancelled()
        assert (await idle.reply()).startswith("421 4.3.2")
        for wire in (idle, middle, waiting):
            assert await wire.ended()
    await until(lambda: not sockets() - before)
    await until(lambda: not asyncio.all_tasks() - tasks - {asyncio.current_task()})
    assert not host.taken


async def test_a_complete_mail_is_answered_before_the_end(post: Post) -> None:
    post.host.hold()
    async with post.wire() as wire:
        await wire.begin()
        await wire.send(MAIL + b".\r\n")
        await asyncio.wait_for(post.host.arrived.wait(), HANGS)
        post.task.cancel()
        await asyncio.sleep(0)
        post.host.release()
        assert (await wire.reply()).startswith("250 2.0.0")
        assert (await wire.reply()).startswith("421 4.3.2")
        assert await wire.ended()
    await asyncio.wait({post.task}, timeout=HANGS)
    assert post.task.cancelled()
    assert post.bodies() == [MAIL]


async def test_a_taken_address_is_an_error_that_the_gateway_sees(post: Post, serving: Serving) -> None:
    with pytest.raises(OSError):
        await serving(listen=f"127.0.0.1:{post.port}")


async def test_logs_hold_nothing_of_a_mail_or_its_envelope(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    post.host.outcomes.extend([None, TryAgain(1), RuntimeError("ouyang"), Rejected("conflict", "x")])
    with capture_logs() as events:
        for n in range(4):
            await post.sent(numbered(n), to="hotline+secret@hotline.example")
        await post.sent(MAIL, to="nobody@hotline.example")
        async with post.wire() as wire:
            await wire.begin()
            await wire.send(b"Subject: ouyang")
    logged = f"{events}\n{caplog.text}"
    assert "mail_refused" in logged
    assert not [word for word in ("ouyang", "lamp", "citizen", "secret", "nobody", "127.0.0.1") if word in logged]


# The configuration


@pytest.mark.parametrize(
    "block",
    [
        {"listen": "2525"},
        {"listen": "localhost:99999"},
        {"addresses": ["hotline"]},
        {"addresses": ["a+b@hotline.example"]},
        {"addresses": ["a b@hotline.example"]},
        {"domain": "Hot Line"},
        {"lmtp_socket_mode": "0999"},
        {"max_bytes": 0},
        {"per_ip": {"burst": 0, "per_minute": 1}},
        {"unknown": 1},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(block: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EmailConfig.model_validate(block)


def test_the_default_address_is_hotline_at_the_domain() -> None:
    assert EmailConfig(domain="city.gov.example").accepted == ("hotline@city.gov.example",)
    assert EmailConfig(addresses=("Help@City.gov.example",)).accepted == ("help@city.gov.example",)
    assert EmailConfig().listen == "127.0.0.1:2525"
