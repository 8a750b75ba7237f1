"""STARTTLS (RFC 3207) with a certificate of the operator's, renewed while the server runs."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.email.config import EmailConfig
from tests.channels.email.posts import MAIL, Post, Serving
from tests.waiting import HANGS

# STARTTLS


def encrypted(port: int, mail: bytes) -> tuple[int, str]:
    """The final reply after STARTTLS, and whom the certificate names."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", port, timeout=HANGS) as client:
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        shown = client.sock.getpeercert(binary_form=True)
        assert shown is not None
        client.ehlo()
        assert "starttls" not in client.esmtp_features
        assert "auth" not in client.esmtp_features
        client.mail("ouyang@citizen.example")
        client.rcpt("hotline@hotline.example")
        name = [word for word in (b"first.example", b"second.example") if word in shown]
        return client.data(mail)[0], name[0].decode()


@pytest.fixture
async def tls_post(serving: Serving, certificate: Callable[[str], tuple[Path, Path]]) -> Post:
    cert, key = certificate("first.example")
    return await serving(tls_certificate=cert, tls_key=key)


async def test_starttls_with_the_configured_certificate(tls_post: Post) -> None:
    big = MAIL + b"x" * 3_000_000 + b"\r\n"
    assert await asyncio.to_thread(encrypted, tls_post.port, MAIL) == (250, "first.example")
    assert await asyncio.to_thread(encrypted, tls_post.port, big) == (250, "first.example")
    assert tls_post.bodies() == [MAIL, big]
    assert {raw.meta["tls"] for raw in tls_post.host.taken.values()} == {"TLSv1.3"}


async def test_a_renewed_certificate_is_used_without_a_restart(
    tls_post: Post, certificate: Callable[[str], tuple[Path, Path]]
) -> None:
    cert, _ = certificate("second.example")
    good = cert.read_bytes()
    cert.write_bytes(b"half written")
    assert await asyncio.to_thread(encrypted, tls_post.port, MAIL) == (250, "first.example")
    cert.write_bytes(good)
    assert await asyncio.to_thread(encrypted, tls_post.port, MAIL) == (250, "second.example")


async def test_what_was_sent_in_clear_behind_starttls_is_forgotten(tls_post: Post) -> None:
    """The injection of CVE-2011-0411."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with tls_post.wire() as wire:
        await wire.send(b"STARTTLS\r\nMAIL FROM:<forged@citizen.example>\r\n")
        assert (await wire.reply()).startswith("220")
        await wire.writer.start_tls(context)
        assert (await wire.say("RCPT TO:<hotline@hotline.example>")).startswith("503")


async def test_a_client_that_speaks_no_tls_after_starttls_is_cut_off(tls_post: Post) -> None:
    async with tls_post.wire() as wire:
        await wire.say("STARTTLS")
        await wire.send(b"MAIL FROM:<a@b>\r\n" * 20)
        assert await wire.ended()
    await tls_post.deserted()
    assert (await tls_post.sent(MAIL))[0] == 250


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ValidationError, match="go together"):
        EmailConfig(tls_certificate=Path("mail.pem"))


async def test_without_a_readable_certificate_it_does_not_start(serving: Serving, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await serving(tls_certificate=tmp_path / "no.pem", tls_key=tmp_path / "no.key")


async def test_an_encrypted_connection_ends_with_the_server(tls_post: Post) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with tls_post.wire() as wire:
        await wire.say("STARTTLS")
        await wire.writer.start_tls(context)
        assert (await wire.say("EHLO citizen.example")).startswith("250")
        tls_post.task.cancel()
        done, _ = await asyncio.wait({tls_post.task}, timeout=HANGS)
        assert done
        assert (await wire.reply()).startswith("421 4.3.2")
        assert await wire.ended()
