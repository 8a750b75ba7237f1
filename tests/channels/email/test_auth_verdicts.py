"""Verdicts written by hand (auth_verdicts.toml) over real and made-up mails: what we find, and whom we believe."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from channels.email.auth import results
from channels.email.auth.signatures import Letter
from channels.email.auth.verify import verify
from tests.channels.email.zones import Zone, shared

VERDICTS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "auth_verdicts.toml").read_text())
NOW = 1_764_000_000.0  # November 2025: after all of the mails


@pytest.mark.parametrize("name", VERDICTS["own"])
async def test_what_we_find_is_what_the_hand_had_decided(name: str) -> None:
    content = (shared("dkim_lieser") / name).read_bytes()
    found = await verify(
        content,
        peer="192.0.2.1",
        helo="client1.football.example.com",
        envelope_from="joe@football.example.com",
        dns=Zone.of_texts(VERDICTS["zone"]),
        now=NOW,
    )
    assert {mark.method: mark.result for mark in found} == VERDICTS["own"][name]


@pytest.mark.parametrize(
    ("server", "name"), [(server, name) for server, names in VERDICTS["ours"].items() for name in names]
)
def test_what_our_server_said_is_what_the_hand_had_read(server: str, name: str) -> None:
    letter = Letter((shared("dkim_lieser") / name).read_bytes())
    assert results.found(letter.fields, server, ()) == VERDICTS["ours"][server][name]


def test_the_hand_has_decided_every_mail_of_the_set() -> None:
    there = {str(path.relative_to(folder)) for folder in [shared("dkim_lieser")] for path in folder.rglob("*.eml")}
    assert there == set(VERDICTS["own"])
