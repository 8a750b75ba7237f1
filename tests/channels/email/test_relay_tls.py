"""Towards the relay by TLS: only to the server that is meant, and never in clear when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from channels.email.compose import Letter
from normalizer.errors import TryAgain
from tests.channels.email.relays import PASSWORD, USER, Authority, Taking, relay_to, scripted, taking

SENT = Letter(
    envelope_from="",
    envelope_to="ouyang@citizen.example",
    content=b"From: hotline@example.org\r\nSubject: lamp\r\n\r\nThe lamp is mended.\r\n",
    message_id="1@example.org",
    needs_smtputf8=False,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def test_starttls_with_a_certificate_of_an_authority_we_trust(authority: Authority, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    login = {"relay_user": USER, "relay_password_file": password}
    handler = Taking()
    async with taking(
        handler,
        tls_context=authority.context("127.0.0.1"),
        require_starttls=True,
        auth_required=True,
        authenticator=handler.authenticate,
    ) as server:
        relay = relay_to(server.port, relay_tls="starttls", relay_ca_file=authority.certificate, **login)
        assert (await relay.send(SENT)).outcome == "sent"
        assert (await relay.send(SENT)).outcome == "sent"
        assert [taken.content for taken in server.letters] == [SENT.content] * 2
        assert all(session.ssl is not None and session.authenticated for session in server.sessions)


async def test_tls_from_the_first_byte(authority: Authority) -> None:
    async with taking(secure=authority.context("127.0.0.1")) as server:
        relay = relay_to(server.port, relay_tls="tls", relay_ca_file=authority.certificate)
        assert (await relay.send(SENT)).outcome == "sent"
        assert len(server.letters) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["nobody vouches", "another server"])
async def test_a_server_that_cannot_prove_itself_gets_nothing(authority: Authority, tls: str, wrong: str) -> None:
    context = authority.context("127.0.0.1" if wrong == "nobody vouches" else "127.0.0.9")
    how = {"tls_context": context} if tls == "starttls" else {"secure": context}
    ca_file = None if wrong == "nobody vouches" else authority.certificate
    async with taking(**how) as server:
        with capture_logs() as logs, pytest.raises(TryAgain):
            await relay_to(server.port, relay_tls=tls, relay_ca_file=ca_file).send(SENT)
        assert [entry["event"] for entry in logs] == ["mail_relay_unreachable"]
        assert server.letters == []


@pytest.mark.parametrize(
    "script",
    [
        {},
        {"EHLO": "250-relay.example\r\n250 STARTTLS", "STARTTLS": "454 4.7.0 Not now"},
        {"EHLO": "250-relay.example\r\n250 STARTTLS", "STARTTLS": "502 5.5.1 What?"},
        {"EHLO": "250-relay.example\r\n250 STARTTLS", "STARTTLS": "220 Go on\r\n250 2.0.0 injected"},
    ],
    ids=["not offered", "not now", "refused", "no handshake"],
)
async def test_without_starttls_nothing_is_said_in_clear(script: dict[str, str]) -> None:
    async with scripted(script) as server:
        with pytest.raises(TryAgain):
            await relay_to(server.port, relay_tls="starttls", relay_timeout=0.2).send(SENT)
        assert not {"AUTH", "MAIL", "RCPT", "DATA"} & set(server.said)


async def test_a_server_that_speaks_no_tls_is_tried_again() -> None:
    async with scripted({}) as server:
        with pytest.raises(TryAgain):
            await relay_to(server.port, relay_tls="tls", relay_timeout=0.5).send(SENT)
