"""The checks at work: through the real servers into the ticket, never in the way of the mail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.email.auth import marks, sender
from channels.email.auth.resolver import Kind, Resolver
from channels.email.auth.verify import Verifier, verify
from channels.email.config import EmailConfig
from channels.email.parse import Site, parse
from channels.email.smtp import Server
from channels.fake_host import FakeHost
from normalizer.ticket import Raw
from tests.channels.email.posts import MAIL, Post
from tests.channels.email.zones import Zone
from tests.waiting import HANGS

Start = Callable[..., Awaitable[Post]]

SITE = Site(("hotline@hotline.example",), None)
OUR_WORD = (
    b"Authentication-Results: mx.hotline.example; spf=pass smtp.mailfrom=citizen.example; dkim=none; dmarc=pass\r\n"
)
ZONE = {
    "citizen.example": "v=spf1 ip4:127.0.0.1 -all",
    "_dmarc.citizen.example": "v=DMARC1; p=reject",
    "forged.example": "v=spf1 -all",
    "_dmarc.forged.example": "v=DMARC1; p=reject",
}


@pytest.fixture
async def checking(host: FakeHost) -> AsyncIterator[Start]:
    """`await checking(dns, **config)`: a running server that asks `dns`."""
    tasks: list[asyncio.Task[None]] = []

    async def start(dns: Resolver, **config: Any) -> Post:
        settings = EmailConfig.model_validate({"listen": "127.0.0.1:0", **config})
        server = Server(settings, host, Verifier(settings, dns))
        tasks.append(asyncio.create_task(server.run()))
        await asyncio.wait_for(server.started.wait(), HANGS)
        return Post(server, host, tasks[-1])

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=5)


def found(post: Post) -> list[dict[str, str]]:
    """Of each mail taken: what stands in the ticket's `verified`, the same as in `Raw.meta`."""
    said = []
    for raw in post.host.taken.values():
        inbound = parse(raw, SITE)
        said.append({mark.method: mark.result for mark in inbound.verified})
        assert said[-1] == json.loads(raw.meta.get(marks.META, "{}"))
    return said


async def test_a_stranger_is_looked_up(checking: Start) -> None:
    post = await checking(Zone.of_texts(ZONE), trusted=[])
    assert (await post.sent(MAIL))[0] == 250
    assert found(post) == [{"spf": "pass", "dkim": "none", "dmarc": "pass"}]


async def test_a_forged_sender_is_marked_and_taken(checking: Start) -> None:
    post = await checking(Zone.of_texts(ZONE), trusted=[])
    mail = OUR_WORD + MAIL.replace(b"citizen.example", b"forged.example")
    assert (await post.sent(mail, sender="boss@forged.example"))[0] == 250
    assert found(post) == [{"spf": "fail", "dkim": "none", "dmarc": "fail"}]


async def test_a_forged_word_of_our_server_from_a_stranger_is_not_believed(checking: Start) -> None:
    post = await checking(Zone(), trusted=[], authserv_id="mx.hotline.example")
    assert (await post.sent(OUR_WORD + MAIL))[0] == 250
    assert found(post) == [{"spf": "none", "dkim": "none", "dmarc": "none"}]


async def test_the_word_of_our_server_is_believed_and_nobody_is_asked(checking: Start) -> None:
    zone = Zone()
    post = await checking(zone, authserv_id="MX.hotline.example")
    assert (await post.sent(OUR_WORD + MAIL))[0] == 250
    assert found(post) == [{"spf": "pass", "dkim": "none", "dmarc": "pass"}]
    assert zone.asked == []


async def test_a_plain_mail_of_our_server_costs_no_question_and_has_no_marks(checking: Start) -> None:
    zone = Zone()
    post = await checking(zone)
    assert (await post.sent(OUR_WORD + MAIL))[0] == 250
    assert found(post) == [{}]
    assert zone.asked == []


async def test_by_lmtp_through_a_socket_it_is_our_server(checking: Start, short_tmp: Path) -> None:
    post = await checking(Zone(), trusted=[], lmtp_socket=str(short_tmp / "lmtp"), authserv_id="mx.hotline.example")
    async with post.wire("lmtp_socket", "LHLO mx.hotline.example") as wire:
        await wire.begin()
        await wire.send(OUR_WORD + MAIL + b".\r\n")
        assert (await wire.reply()).startswith("250")
    assert found(post) == [{"spf": "pass", "dkim": "none", "dmarc": "pass"}]


async def test_from_a_mailbox_it_is_our_server() -> None:
    zone = Zone()
    config = EmailConfig(trusted=(), authserv_id="mx.hotline.example")
    transport = {"protocol": "IMAP", "tls": "TLSv1.3"}
    assert await Verifier(config, zone).marks(OUR_WORD + MAIL, transport) == (
        '{"spf":"pass","dkim":"none","dmarc":"pass"}'
    )
    assert await Verifier(config, zone).marks(MAIL, transport) == ""
    assert zone.asked == []


async def test_switched_off_nothing_is_asked(checking: Start) -> None:
    zone = Zone()
    post = await checking(zone, trusted=[], verify="none", authserv_id="mx.hotline.example")
    assert (await post.sent(OUR_WORD + MAIL))[0] == 250
    assert found(post) == [{}]
    assert zone.asked == []


class Silent:
    """A name server that never answers."""

    async def lookup(self, name: str, kind: Kind) -> tuple[str, ...]:
        await asyncio.Event().wait()
        raise AssertionError


class Broken:
    """A resolver of ours with a bug in it."""

    async def lookup(self, name: str, kind: Kind) -> tuple[str, ...]:
        raise ZeroDivisionError


@pytest.mark.parametrize("dns", [Silent(), Broken()])
async def test_a_dns_that_does_not_answer_holds_no_mail_up(checking: Start, dns: Resolver) -> None:
    post = await checking(dns, trusted=[], verify_timeout=0.2)
    began = asyncio.get_running_loop().time()
    signed = b"DKIM-Signature: v=1; a=rsa-sha256; d=citizen.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
    assert (await post.sent(signed + MAIL))[0] == 250
    assert asyncio.get_running_loop().time() - began < HANGS
    assert found(post) == [{"spf": "temperror", "dkim": "temperror", "dmarc": "temperror"}]


async def test_a_bug_in_one_check_is_its_temperror_only(checking: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> str:
        raise RecursionError

    monkeypatch.setattr(sender, "check", broken)
    post = await checking(Zone.of_texts(ZONE), trusted=[])
    assert (await post.sent(MAIL))[0] == 250
    assert found(post) == [{"spf": "temperror", "dkim": "none", "dmarc": "temperror"}]


async def test_a_bug_in_all_of_it_keeps_no_mail_out(checking: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.email.auth.verify.Letter", None)
    post = await checking(Zone(), trusted=[])
    assert (await post.sent(MAIL))[0] == 250
    assert found(post) == [{}]


async def test_the_same_mail_with_other_marks_is_the_same_mail(checking: Start) -> None:
    zone = Zone.of_texts(ZONE)
    post = await checking(zone, trusted=[])
    await post.sent(MAIL)
    zone.records.clear()
    assert (await post.sent(MAIL))[0] == 250
    assert len(post.bodies()) == 1


async def test_of_our_servers_mail_dmarc_is_said_only_when_a_signature_passes_it() -> None:
    """What SPF would have said, only that server knows."""
    zone = Zone.of_texts(ZONE)
    signed = b"DKIM-Signature: v=1; a=rsa-sha256; d=citizen.example; s=s; h=from; bh=AAAA; b=AAAA\r\n" + MAIL
    said = await verify(signed, peer=None, helo="", envelope_from="", dns=zone)
    assert [(mark.method, mark.result) for mark in said] == [("dkim", "permerror")]


NO_MARKS = {
    "empty": "",
    "null": "null",
    "list": "[]",
    "cut": "{",
    "word": '"spf"',
    "deep": "[" * 900,
    "object": '{"spf":{}}',
    "words": '{"spf":["pass"]}',
    "none": '{"spf":null}',
    "long": '{"spf":"pass"' + " " * 2_000 + "}",
    "letters": '{"spf":"PASS"}',
    "method": '{"jws":"pass"}',
}


@pytest.mark.parametrize("text", NO_MARKS.values(), ids=NO_MARKS)
def test_what_is_no_mark_in_a_foreign_meta_is_ignored(text: str) -> None:
    raw = Raw(
        channel="email",
        source_id="x",
        received_at=datetime.now(UTC),
        body=MAIL,
        content_type="message/rfc822",
        meta={marks.META: text},
    )
    assert parse(raw, SITE).verified == ()


def test_marks_come_back_as_they_were_written() -> None:
    said = {"dmarc": "pass", "spf": "softfail", "x": "pass"}
    assert marks.encode(said) == '{"spf":"softfail","dmarc":"pass"}'
    assert [(mark.method, mark.result) for mark in marks.decode(marks.encode(said))] == [
        ("spf", "softfail"),
        ("dmarc", "pass"),
    ]
    assert marks.encode({}) == ""
