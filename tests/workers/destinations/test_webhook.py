"""The webhook destination against real receivers on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from aiohttp import web
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from standardwebhooks import Webhook, WebhookVerificationError

from tests.waiting import HANGS
from workers.destinations.brake import FIRST, SLOW, RedisBrake
from workers.destinations.contract import Delivered, Disabled, Event, Refused, TryLater
from workers.destinations.webhook import WebhookConfig, WebhookDestination, read_secrets

MakeEvent = Callable[..., Event]
MakeWebhook = Callable[..., WebhookDestination]
RawServer = Callable[..., Awaitable[int]]


async def let_go(brake: RedisBrake) -> None:
    """As the time of the hold does."""
    await brake._client.delete(SLOW + "unit")


def first_secret(secret_file: Path) -> str:
    return secret_file.read_text().splitlines()[1]


async def test_the_event_arrives_as_it_is_and_signed(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, secret_file: Path
) -> None:
    event = make_event()
    assert await make_webhook(receiver.url).deliver(event) == Delivered()
    (request,), (body,) = receiver.requests, receiver.bodies
    assert (request.method, request.path) == ("POST", "/hook")
    assert body == event.document
    assert request.content_type == "application/cloudevents+json"
    assert request.headers["webhook-id"] == event.id
    verified = Webhook(first_secret(secret_file)).verify(body, dict(request.headers))
    assert verified == json.loads(event.document)


async def test_a_retry_keeps_the_id_and_nobody_elses_secret_verifies(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    destination = make_webhook(receiver.url)
    for _ in range(2):
        await destination.deliver(make_event())
    assert [request.headers["webhook-id"] for request in receiver.requests] == [make_event().id] * 2
    other = Webhook("whsec_" + base64.b64encode(b"x" * 32).decode())
    with pytest.raises(WebhookVerificationError):
        other.verify(receiver.bodies[0], dict(receiver.requests[0].headers))


async def test_while_secrets_are_rotated_each_of_them_verifies(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, secret_file: Path
) -> None:
    new = "whsec_" + base64.b64encode(b"the next secret, also long enough").decode()
    old = first_secret(secret_file)
    secret_file.write_text(f"{new}\n\n{old}\n")
    await make_webhook(receiver.url).deliver(make_event())
    for secret in (new, old):
        Webhook(secret).verify(receiver.bodies[0], dict(receiver.requests[0].headers))


async def test_the_connection_is_kept_and_no_cookie_comes_back(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    peers: list[object] = []

    async def answering(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        return web.Response(text="thanks", headers={"Set-Cookie": "session=1"})

    receiver.answering = answering
    destination = make_webhook(receiver.url.replace("127.0.0.1", "localhost"))
    for number in range(3):
        assert await destination.deliver(make_event(number)) == Delivered()
    assert len(set(peers)) == 1
    assert all("Cookie" not in request.headers for request in receiver.requests)


async def test_redirects_are_failures(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, brake: RedisBrake
) -> None:
    receiver.answers(307, Location="/elsewhere")
    assert await make_webhook(receiver.url).deliver(make_event()) == TryLater("status_307", None)
    assert [request.path for request in receiver.requests] == ["/hook"]
    assert await brake.get("unit") is None


async def test_too_large_refuses_one_event_and_errors_follow_the_schedule(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    destination = make_webhook(receiver.url)
    receiver.answers(413)
    assert await destination.deliver(make_event()) == Refused("status_413")
    receiver.answers(500, Retry_After="9")
    assert await destination.deliver(make_event()) == TryLater("status_500", None)
    receiver.answers(204)
    assert await destination.deliver(make_event()) == Delivered()


async def test_gone_disables_for_all_workers_until_enabled(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, brake: RedisBrake
) -> None:
    receiver.answers(410)
    assert await make_webhook(receiver.url).deliver(make_event()) == Disabled("status_410")
    receiver.answers(200)
    another = make_webhook(receiver.url)
    assert await another.deliver(make_event()) == Disabled("status_410")
    assert len(receiver.requests) == 1
    await brake.enable("unit")
    assert await another.deliver(make_event()) == Delivered()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_an_overloaded_receiver_is_left_alone_by_all_workers(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, status: int
) -> None:
    receiver.answers(status, Retry_After="7")
    assert await make_webhook(receiver.url).deliver(make_event()) == TryLater(f"status_{status}", 7.0)
    receiver.answers(200)
    held = await make_webhook(receiver.url).deliver(make_event(2))
    assert isinstance(held, TryLater)
    assert held.after is not None
    assert (held.reason, held.tried) == (f"status_{status}", False)
    assert 5 < held.after <= 7
    assert len(receiver.requests) == 1
    assert await make_webhook(receiver.url, name="another_unit").deliver(make_event(2)) == Delivered()


async def test_a_date_and_a_missing_wait_brake_too(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, brake: RedisBrake
) -> None:
    began = time.monotonic()
    receiver.answers(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True))
    outcome = await make_webhook(receiver.url).deliver(make_event())
    assert isinstance(outcome, TryLater)
    assert outcome.after is not None
    assert 599 - (time.monotonic() - began) <= outcome.after <= 600, "such a date has no fractions of a second"
    receiver.answers(429)
    began = time.monotonic()
    assert await make_webhook(receiver.url, name="other").deliver(make_event()) == TryLater("status_429", None)
    hold = await brake.get("other")
    assert hold is not None
    assert hold.seconds is not None
    assert 30 - (time.monotonic() - began) <= hold.seconds <= 30


async def test_a_receiver_that_does_not_answer_costs_one_time_out(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    over = asyncio.Event()

    async def answering(request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    receiver.answering = answering
    outcome = await make_webhook(receiver.url, timeout=0.2).deliver(make_event())
    held = await make_webhook(receiver.url, timeout=0.2).deliver(make_event(2))
    over.set()
    assert outcome == TryLater("timeout", None)
    assert isinstance(held, TryLater)
    assert held.after is not None
    assert (held.reason, held.tried) == ("timeout", False), "no other event waits for it"
    assert 0 < held.after <= FIRST
    assert len(receiver.requests) == 1
    assert await make_webhook(receiver.url, name="another_unit").deliver(make_event(2)) == Delivered()


async def test_a_receiver_that_answers_again_starts_anew(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, brake: RedisBrake, unused_tcp_port: int
) -> None:
    for _ in range(3):
        await brake.failed("unit", "timeout")
        await let_go(brake)
    receiver.answers(500)
    await make_webhook(receiver.url).deliver(make_event())
    await make_webhook(f"http://127.0.0.1:{unused_tcp_port}/").deliver(make_event())
    hold = await brake.get("unit")
    assert hold is not None
    assert hold.seconds is not None
    assert (hold.reason, hold.seconds <= FIRST) == ("connection_failed", True)


async def test_a_body_that_never_ends_is_not_read(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    stopped = asyncio.Event()
    written = 0

    async def answering(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
                written += 65536
        finally:  # cancelled or told that the connection is lost
            stopped.set()

    receiver.answering = answering
    assert await make_webhook(receiver.url).deliver(make_event()) == Delivered()
    await asyncio.wait_for(stopped.wait(), HANGS)
    assert written < 32 * 2**20  # what sockets hold by themselves


async def test_a_body_that_trickles_does_not_spoil_the_answer(
    make_webhook: MakeWebhook, raw_server: RawServer, make_event: MakeEvent
) -> None:
    gone = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\nslow")
        while await reader.read(1024):
            pass
        gone.set()
        writer.close()

    destination = make_webhook(f"http://127.0.0.1:{await raw_server(speak)}/", timeout=2)
    assert await destination.deliver(make_event()) == Delivered()
    await asyncio.wait_for(gone.wait(), HANGS)


@pytest.mark.parametrize(
    "spoken",
    [b"", b"HTTP/1.1 200", b"220 mail.example ESMTP\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000],
    ids=["closed", "torn", "not HTTP", "endless header"],
)
async def test_a_receiver_that_breaks_off_or_talks_nonsense_is_tried_again(
    make_webhook: MakeWebhook, raw_server: RawServer, make_event: MakeEvent, spoken: bytes
) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(spoken)
        writer.close()

    destination = make_webhook(f"http://127.0.0.1:{await raw_server(speak)}/")
    assert await destination.deliver(make_event()) == TryLater("connection_failed", None)


async def test_a_reset_is_tried_again(make_webhook: MakeWebhook, raw_server: RawServer, make_event: MakeEvent) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    destination = make_webhook(f"http://127.0.0.1:{await raw_server(speak)}/")
    assert await destination.deliver(make_event()) == TryLater("connection_failed", None)


async def test_nobody_listening_and_no_tls_are_tried_again(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, unused_tcp_port: int
) -> None:
    silent = make_webhook(f"http://127.0.0.1:{unused_tcp_port}/")
    assert await silent.deliver(make_event()) == TryLater("connection_failed", None)
    plain = make_webhook(receiver.url.replace("http:", "https:"), name="plain")
    assert await plain.deliver(make_event()) == TryLater("tls_failed", None)


async def test_the_environments_proxy_is_not_asked(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert await make_webhook(receiver.url).deliver(make_event()) == Delivered()


async def test_it_can_be_closed_and_used_again(make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent) -> None:
    destination = make_webhook(receiver.url)
    for number in range(2):
        assert await destination.deliver(make_event(number)) == Delivered()
        await destination.close()
        await destination.close()


async def test_without_the_brake_nobody_is_called(
    receiver: Any, make_event: MakeEvent, secret_file: Path, tmp_path: Path
) -> None:
    block = {
        "type": "webhook",
        "url": receiver.url,
        "secret_file": secret_file,
        "allow_private": ["127.0.0.0/8"],
    }
    config = WebhookConfig.model_validate(block)
    async with Redis(unix_socket_path=str(tmp_path / "none.sock"), retry=Retry(NoBackoff(), 0)) as client:
        destination = WebhookDestination("unit", config, read_secrets(secret_file), RedisBrake(client))
        with pytest.raises(redis.ConnectionError):
            await destination.deliver(make_event())
    assert receiver.requests == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# none\n\n",
        "whsec_short",
        "whsec_" + "A" * 33 + "!",
        "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
    ],
)
def test_a_secret_file_without_a_good_secret_is_refused_without_repeating_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret"
    path.write_text(content)
    with pytest.raises(ValueError) as refused:
        read_secrets(path)
    assert "secret" in str(refused.value)
    assert not content.strip() or content not in str(refused.value)
