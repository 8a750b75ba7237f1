"""The conformance kit passes a webhook, a listener and a poller that keep the contract, and no others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import pytest
import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from channels.contract import Host
from channels.fake_host import FakeHost
from channels.problem import rejected, try_again
from channels.testing import ChannelContract, Outcome, PollerContract
from normalizer import Fault, Inbound, Raw, Rejected, TryAgain
from normalizer.identity import content_digest

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


class ToyConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Toy:
    """A channel whose submissions are plain words; what starts with `!` is rejected."""

    name: ClassVar[str] = "toy"
    config_type: ClassVar[type[BaseModel]] = ToyConfig

    def __init__(self, config: ToyConfig, /) -> None:
        self.config = config

    def parse(self, raw: Raw) -> Inbound:
        if raw.body.startswith(b"!"):
            raise Rejected("forbidden", "It starts with !", [Fault("", "forbidden", "It starts with !")])
        return Inbound(text=raw.body.decode("utf-8", "replace"), digest=content_digest(raw.body))

    async def run(self, host: Host) -> None:
        await asyncio.Event().wait()


def toy_raw(body: bytes) -> Raw:
    return Raw(channel="toy", source_id=sha256(body).hexdigest(), received_at=NOW, body=body)


class Examples(ChannelContract):
    """What the toys of this file have in common."""

    def example(self, n: int) -> Raw:
        return toy_raw(f"路灯 {n} 坏了".encode())

    def bad_example(self) -> Raw:
        return toy_raw(b"!secret-words")


class Webhook(Toy):
    async def run(self, host: Host) -> None:
        host.route("POST", "/toy", lambda request: self.receive(host, request))
        await super().run(host)

    async def receive(self, host: Host, request: web.Request) -> web.Response:
        raw = toy_raw(await request.read())
        try:
            self.parse(raw)
            receipt = await host.accept(raw)
        except Rejected as error:
            return rejected(error)
        except TryAgain as error:
            return try_again(error)
        except Exception:
            return try_again(TryAgain(5))
        return web.json_response({"number": receipt.number}, status=200 if receipt.duplicate else 201)


class TestWebhook(Examples):
    channel = Webhook
    path = "/toy"
    private = ("secret-words",)


class Listener(Toy):
    """Its own socket: one line in, one line out."""

    port: ClassVar[int] = 0

    async def run(self, host: Host) -> None:
        async with asyncio.TaskGroup() as tasks:

            async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    writer.write(await self.answer(host, (await reader.readline()).rstrip(b"\n")))
                    await writer.drain()
                finally:
                    writer.close()

            server = await asyncio.start_server(lambda r, w: tasks.create_task(talk(r, w)) and None, "127.0.0.1", 0)
            Listener.port = server.sockets[0].getsockname()[1]
            host.route("GET", "/listening", self.listening)
            async with server:
                await server.serve_forever()

    async def listening(self, request: web.Request) -> web.Response:
        return web.Response()

    async def answer(self, host: Host, body: bytes) -> bytes:
        raw = toy_raw(body)
        try:
            self.parse(raw)
            await host.accept(raw)
        except Rejected:
            return b"550\n"
        except Exception:
            return b"451\n"
        return b"250\n"


class TestListener(Examples):
    channel = Listener

    async def ready(self, host: FakeHost) -> None:
        await host.routed.wait()

    async def send(self, host: FakeHost, raw: Raw) -> Outcome:
        reader, writer = await asyncio.open_connection("127.0.0.1", Listener.port)
        writer.write(raw.body + b"\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return {b"250\n": Outcome.ACCEPTED, b"451\n": Outcome.TRY_AGAIN, b"550\n": Outcome.REFUSED}[answer]


class Poller(Toy):
    """Fetches from a list that stands for the provider; its cursor is how far it read."""

    provider: ClassVar[list[bytes]] = []
    news: ClassVar[asyncio.Event]

    async def run(self, host: Host) -> None:
        Poller.provider, Poller.news = [], asyncio.Event()
        while True:
            at = int(await host.load_cursor() or 0)
            if at >= len(self.provider):
                self.news.clear()
                await self.news.wait()
                continue
            await self.fetch(host, at)

    async def fetch(self, host: Host, at: int) -> None:
        try:
            await self.take(host, toy_raw(self.provider[at]))
            await host.save_cursor(str(at + 1))
        except Exception:
            self.news.clear()
            await self.news.wait()

    async def take(self, host: Host, raw: Raw) -> None:
        try:
            self.parse(raw)
        except Rejected as error:
            structlog.get_logger().warning("toy.rejected", code=error.code)
            return
        await host.accept(raw)


class TestPoller(PollerContract, Examples):
    channel = Poller

    async def send(self, host: FakeHost, raw: Raw) -> Outcome:
        before = len(host.taken)
        host.saved.clear()
        host.raised.clear()
        if raw.body not in Poller.provider[int(host.cursor or 0) :]:
            Poller.provider.append(raw.body)
        Poller.news.set()
        ends = [asyncio.ensure_future(event.wait()) for event in (host.saved, host.raised)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        if host.raised.is_set():
            return Outcome.TRY_AGAIN
        known = any(kept.body == raw.body for kept in host.taken.values())
        return Outcome.ACCEPTED if known or len(host.taken) > before else Outcome.REFUSED


# Channels that break the contract, each in one way, and the case that finds it out.


class AnswersFirst(Webhook):
    async def receive(self, host: Host, request: web.Request) -> web.Response:
        AnswersFirst.later = asyncio.create_task(host.accept(toy_raw(await request.read())))
        return web.json_response({}, status=201)

    later: ClassVar[asyncio.Task[object]]


class SwallowsTryAgain(Webhook):
    async def receive(self, host: Host, request: web.Request) -> web.Response:
        try:
            await host.accept(toy_raw(await request.read()))
        except TryAgain:
            return web.json_response({}, status=200)
        return web.json_response({}, status=201)


class NamesNothing(Webhook):
    async def receive(self, host: Host, request: web.Request) -> web.Response:
        body = await request.read()
        raw = Raw(channel="toy", source_id=str(id(request)), received_at=NOW, body=body)
        await host.accept(raw)
        return web.json_response({}, status=201)


class Crashes(Webhook):
    def parse(self, raw: Raw) -> Inbound:
        return Inbound(text=raw.body.decode(), digest="d")


class Gossip(Webhook):
    async def receive(self, host: Host, request: web.Request) -> web.Response:
        structlog.get_logger().info("toy.received", text=(await request.read()).decode())
        return await super().receive(host, request)


class Clings(Webhook):
    async def run(self, host: Host) -> None:
        Clings.left = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        await super().run(host)

    left: ClassVar[asyncio.Server]


class Lenient(Webhook):
    class Anything(BaseModel):
        pass

    config_type: ClassVar[type[BaseModel]] = Anything


def contract_of(breaking: type[Toy]) -> Examples:
    class Case(Examples):
        channel = breaking
        path = "/toy"

    return Case()


@pytest.mark.parametrize(
    ("breaking", "case"),
    [
        (AnswersFirst, Examples.test_nothing_is_acknowledged_before_accept_returned),
        (SwallowsTryAgain, Examples.test_try_again_is_told_and_takes_nothing),
        (SwallowsTryAgain, Examples.test_of_a_mixed_lot_none_is_lost_and_none_doubled),
        (NamesNothing, Examples.test_a_redelivery_is_the_same_ticket),
        (Clings, Examples.test_cancelling_ends_it_and_frees_its_sockets),
    ],
)
async def test_the_kit_finds_a_channel_out(
    breaking: type[Toy], case: Callable[[Examples], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("PATIENCE", "ENDS_WITHIN"):
        monkeypatch.setattr(f"channels.testing.{bound}", 0.5)
    with pytest.raises(AssertionError):
        await case(contract_of(breaking))
    if breaking is Clings:
        Clings.left.close()
        await Clings.left.wait_closed()
    if breaking is AnswersFirst:
        await AnswersFirst.later


def test_the_kit_finds_out_a_parse_that_crashes() -> None:
    with pytest.raises(UnicodeDecodeError):
        contract_of(Crashes).test_parse_raises_only_rejected_whatever_the_bytes()


def test_the_kit_finds_out_a_digest_that_says_nothing() -> None:
    with pytest.raises(AssertionError):
        contract_of(Crashes).test_other_content_has_another_digest()


def test_the_kit_finds_out_a_configuration_that_takes_any_key() -> None:
    with pytest.raises(pytest.fail.Exception):
        contract_of(Lenient).test_an_unknown_configuration_key_is_refused()


async def test_the_kit_finds_out_who_logs_what_citizens_say(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        await contract_of(Gossip).test_logs_hold_no_secret_and_no_personal_data(caplog, capsys)


class Eager(Poller):
    async def take(self, host: Host, raw: Raw) -> None:
        await host.save_cursor("99")
        await super().take(host, raw)


async def test_the_kit_finds_out_a_cursor_that_runs_ahead() -> None:
    class Case(TestPoller):
        channel = Eager

    with pytest.raises(AssertionError):
        await Case().test_the_cursor_is_saved_only_after_accept_returned()


def test_an_expected_ticket_that_differs_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("路灯坏了", "utf-8")
    (tmp_path / "a.ticket.json").write_text(json.dumps({"text": "别的"}), "utf-8")
    with pytest.raises(AssertionError, match="a/text"):
        contract_of(Webhook).test_corpus(tmp_path / "a.txt")
