"""The channel's reply: what it sends, what it may not, and that it raises nothing but TryAgain."""

from __future__ import annotations

import asyncio
import socket
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.contract import Delivery, Reply, Replying
from channels.email.channel import Email
from channels.email.config import EmailConfig
from channels.email.message import read_bytes
from channels.email.threads import number_in_address, reference_of
from normalizer.errors import TryAgain
from normalizer.identity import number
from normalizer.ticket import ReplyAddress
from tests.channels.email.relays import taking

NUMBER = number(date(2026, 11, 23), 1, 1)
SECRET = b"0123456789abcdef" * 2
CITIZEN = "ouyang@citizen.example"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_bytes(SECRET)
    return file


@pytest.fixture
def nobody() -> int:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return int(port)


def channel(secret_file: Path | None, port: int, **block: Any) -> Email:
    given = {"domain": "example.org", "relay": f"127.0.0.1:{port}", "secret_file": secret_file, "relay_timeout": 5}
    return Email(EmailConfig.model_validate(given | block))


def reply(**of: Any) -> Reply:
    return Reply.model_validate({"operation": "receipt", "number": NUMBER, "text": "好", "purpose": "receipt"} | of)


def to(address: str = CITIZEN) -> ReplyAddress:
    return ReplyAddress(channel="email", address=address)


async def test_a_receipt_goes_out_from_the_first_address(secret_file: Path) -> None:
    block = {"addresses": ["12345@example.org", "hotline@example.org"], "from_name": "长沙 12345"}
    async with taking() as server:
        ours = channel(secret_file, server.port, **block)
        assert isinstance(ours, Replying)
        delivery = await ours.reply(to(), reply(source_id=f"message:1@citizen.example:{'0' * 64}"))
        mail = read_bytes(bytes(server.letters[0].content or b""))
    assert delivery == Delivery(outcome="sent", reference=reference_of(mail.message_id or ""))
    assert mail.from_ is not None
    assert (mail.from_.name, mail.from_.address) == ("长沙 12345", "12345@example.org")
    assert number_in_address(mail.reply_to[0].address, ["12345@example.org"], SECRET) == NUMBER
    assert (mail.text.strip(), mail.in_reply_to) == ("好", "1@citizen.example")


async def test_without_a_relay_nothing_may_be_sent() -> None:
    assert await Email(EmailConfig()).reply(to(), reply()) == Delivery(outcome="not_allowed", reason="no_relay")


@pytest.mark.parametrize(
    "address",
    [
        "hotline@example.org",
        "HOTLINE@Example.ORG.",
        "hotline+1.abc@example.org",
        '"hotline"@example.org',
        "12345@例子.测试",
        "postmaster@example.org",
        "Postmaster@xn--fsqu00a.xn--0zwm56d",
    ],
)
async def test_we_do_not_write_to_ourselves(secret_file: Path, nobody: int, address: str) -> None:
    ours = channel(secret_file, nobody, addresses=["hotline@example.org", "12345@xn--fsqu00a.xn--0zwm56d"])
    assert await ours.reply(to(address), reply()) == Delivery(outcome="not_allowed", reason="own_address")


async def test_what_cannot_be_written_fails_for_ever(secret_file: Path, nobody: int) -> None:
    ours = channel(secret_file, nobody)
    assert await ours.reply(to("ouyang"), reply()) == Delivery(outcome="failed", reason="bad_address")
    assert await ours.reply(to(), reply(number="12")) == Delivery(outcome="failed", reason="bad_number")


async def test_a_secret_that_comes_later_is_used_then(tmp_path: Path) -> None:
    """The gateway makes it at its first start; an empty one would let anybody sign."""
    file = tmp_path / "secret"
    async with taking() as server:
        ours = channel(file, server.port)
        with pytest.raises(TryAgain, match="no secret yet"):
            await ours.reply(to(), reply())
        file.touch()
        with pytest.raises(TryAgain, match="no secret yet"):
            await ours.reply(to(), reply())
        file.write_bytes(SECRET)
        assert (await ours.reply(to(), reply())).outcome == "sent"


def test_each_event_loop_may_use_it(secret_file: Path, nobody: int) -> None:
    """Jobs run in loops of their own."""
    ours = channel(secret_file, nobody)

    async def one() -> str:
        async with taking(port=nobody):
            return (await ours.reply(to(), reply())).outcome

    assert [asyncio.run(one()) for _ in range(2)] == ["sent", "sent"]


texts = st.text(max_size=40)


@settings(max_examples=60)
@given(
    address=st.emails() | texts | st.tuples(texts, texts).map("@".join),
    number=st.just(NUMBER) | texts,
    text=texts,
    operation=texts,
    language=st.none() | texts,
    source_id=st.none() | texts,
    purpose=st.sampled_from(["receipt", "answer", "visit"]),
)
def test_nothing_but_try_again_is_raised(
    address: str, tmp_path_factory: pytest.TempPathFactory, **given_reply: Any
) -> None:
    folder = tmp_path_factory.getbasetemp()
    file = folder / "secret"
    file.write_bytes(SECRET)
    ours = channel(file, 1)  # tcpmux: nobody is there
    try:
        delivery = asyncio.run(ours.reply(to(address), reply(**given_reply)))
    except TryAgain:
        return
    assert delivery.outcome in {"failed", "not_allowed"}
    assert delivery.reason in {"bad_address", "bad_number", "own_address"}
