"""Tokens are kept as hashes only; addresses are believed only from trusted proxies."""

from __future__ import annotations

import os
import stat
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.auth import Clients, Denied, Token, Tokens, new_token, read_tokens
from gateway.config import ConfigError

PROXIES = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "private" / "tokens.jsonl"


def test_a_new_token_works_and_is_not_in_the_file(file: Path) -> None:
    token = new_token(file, ["tickets:read", "submit:web"], "district 4")
    assert token.split(".")[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (entry,) = read_tokens(file).values()
    assert entry.note == "district 4"
    assert Tokens(file).check(f"Bearer {token}", "tickets:read") == entry
    assert Tokens(file).check(f"bearer  {token} ", "submit:web") == entry


def test_without_a_known_token_401_says_what_is_needed(file: Path) -> None:
    token = new_token(file, ["tickets:read"])
    known = token[:-1] + ("A" if token[-1] != "A" else "B")
    for header in (
        None,
        "",
        "Basic dTpw",
        "Bearer x",
        f"Bearer {known}",
        "Bearer jiesu.aaaaaaaa." + "x" * 43,
        token,
    ):
        denied = Tokens(file).check(header, "tickets:read")
        assert isinstance(denied, Denied)
        assert denied.status == 401
        assert denied.challenge.startswith('Bearer realm="jiesu", scope="tickets:read"')
        assert ("invalid_token" in denied.challenge) == bool(header)


def test_a_token_without_the_scope_gets_403(file: Path) -> None:
    token = new_token(file, ["tickets:read"])
    denied = Tokens(file).check(f"Bearer {token}", "metrics:read")
    assert isinstance(denied, Denied)
    assert denied.status == 403
    assert 'error="insufficient_scope"' in denied.challenge


def test_tokens_added_and_removed_while_running_count_at_once(file: Path) -> None:
    tokens = Tokens(file)
    token = new_token(file, ["a:b"])
    assert isinstance(tokens.check(f"Bearer {token}", "a:b"), Token)
    file.write_text("")
    assert isinstance(tokens.check(f"Bearer {token}", "a:b"), Denied)


def test_a_file_broken_while_running_leaves_the_old_tokens_in_force(file: Path, written: Any) -> None:
    token = new_token(file, ["a:b"])
    tokens = Tokens(file)
    with file.open("a") as out:
        out.write("{broken\n")
    assert isinstance(tokens.check(f"Bearer {token}", "a:b"), Token)
    assert [event["event"] for event in written.take()] == ["tokens_file_unusable"]


def test_every_broken_line_is_named_and_its_content_is_not(file: Path) -> None:
    new_token(file, ["a:b"])
    line = file.read_text()
    file.write_text(line + "hunter2\n# comment\n\n" + '{"id": "hunter2"}\n' + line)
    with pytest.raises(ConfigError) as caught:
        Tokens(file)
    text = str(caught.value)
    for number in (2, 5, 6):
        assert f"line {number}:" in text
    assert "line 3:" not in text
    assert "hunter2" not in text


def test_a_line_is_added_properly_after_one_without_its_newline(file: Path) -> None:
    new_token(file, ["a:b"])
    file.write_text(file.read_text().rstrip("\n"))
    new_token(file, ["a:b"])
    assert len(read_tokens(file)) == 2


def test_a_file_that_others_may_write_is_refused(file: Path) -> None:
    new_token(file, ["a:b"])
    os.chmod(file, 0o622)
    with pytest.raises(ConfigError, match="chmod 600"):
        Tokens(file)


@pytest.mark.parametrize("scope", ["", "tickets", "Tickets:read", 'a:"b', "a:b:c"])
def test_a_scope_of_another_form_makes_no_token(file: Path, scope: str) -> None:
    with pytest.raises(ConfigError, match="scopes"):
        new_token(file, [scope])
    assert not file.exists()


def client(peer: str, header: str = "X-Forwarded-For", **headers: str) -> tuple[str, bool]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    request = make_mocked_request("GET", "/", headers=fields).clone(remote=peer)
    found = Clients(PROXIES, header).of(request)
    return found.address, found.local


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("203.0.113.9", {}, "203.0.113.9"),
        ("203.0.113.9", {"X_Forwarded_For": "198.51.100.1"}, "203.0.113.9"),
        ("10.0.0.1", {"X_Forwarded_For": "198.51.100.1"}, "198.51.100.1"),
        ("10.0.0.1", {"X_Forwarded_For": "1.1.1.1, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"),
        ("10.0.0.1", {"X_Forwarded_For": "198.51.100.1:4711"}, "198.51.100.1"),
        ("10.0.0.1", {"X_Forwarded_For": "198.51.100.1, nonsense"}, "unknown"),
        ("10.0.0.1", {"X_Forwarded_For": "10.0.0.3, 10.0.0.2"}, "10.0.0.3"),
        ("10.0.0.1", {"Forwarded": "for=198.51.100.1"}, "10.0.0.1"),
        ("::ffff:10.0.0.1", {"X_Forwarded_For": "2400::5"}, "2400::5"),
    ],
)
def test_the_address_is_the_right_most_that_no_trusted_proxy_has(
    peer: str, headers: dict[str, str], address: str
) -> None:
    assert client(peer, **headers) == (address, False)


def test_forwarded_of_rfc_7239_is_read_where_the_proxies_set_it() -> None:
    value = 'for=192.0.2.43, for="[2400::17]:4711";proto=https, for=10.0.0.9'
    assert client("10.0.0.1", "Forwarded", Forwarded=value) == ("2400::17", False)
    assert client("10.0.0.1", "Forwarded", Forwarded="for=_hidden") == ("unknown", False)
    assert client("10.0.0.1", "Forwarded", X_Forwarded_For="192.0.2.1") == ("10.0.0.1", False)


def test_only_a_loopback_peer_that_forwards_nobody_is_local() -> None:
    assert client("127.0.0.1") == ("127.0.0.1", True)
    assert client("::1") == ("::1", True)
    assert client("127.0.0.1", X_Forwarded_For="198.51.100.1") == ("198.51.100.1", False)
    assert client("127.0.0.1", Forwarded="for=198.51.100.1") == ("127.0.0.1", False)
    assert client("192.0.2.1") == ("192.0.2.1", False)
