"""A unit's endpoint on a bad day, on a real socket, with the clock run ahead: nothing is lost, nobody else waits."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from tests.workers.regions import town
from tests.workers.turns import NOW, Receiver, build, client
from workers import keys
from workers.delivery import deliver
from workers.destinations.brake import SLOW, RedisBrake
from workers.destinations.webhook import WebhookConfig, WebhookDestination

__all__ = ["build", "client"]

SECRET = "whsec_" + base64.b64encode(b"u" * 32).decode()
LAMP = "城北柳树街的路灯坏了"
LEAD, STREET = "north_lamp", "willow"


@dataclass
class Endpoint:
    """Answers with `status`, or never (0); keeps the ids it was sent, and checks each signature."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        self.ids.append(request.headers["webhook-id"])
        if self.status == 0:
            await asyncio.Event().wait()
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/", endpoint.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    endpoint.url = f"http://{host}:{port}/"
    yield endpoint
    await runner.cleanup()


@pytest.fixture
async def line(queue, make_item, build, client, endpoint):
    """A ticket for the unit behind the endpoint and its street; `turn` is what the worker does that much later."""
    config = WebhookConfig.model_validate(
        {"type": "webhook", "url": endpoint.url, "secret_file": "s", "allow_private": ["127.0.0.0/8"], "timeout": 1}
    )
    unit = WebhookDestination(f"unit:{LEAD}", config, (Webhook(SECRET),), RedisBrake(client))
    street = Receiver(STREET)

    @dataclass
    class Line:
        ticket_id: str
        street: Receiver
        runtime: object = None

        async def turn(self, **later: float) -> str:
            made = build(Receiver("file"), units=(street,), region=town(), now=NOW + timedelta(**later))
            self.runtime = replace(made, units={LEAD: unit, STREET: street}, max_attempts=10)
            return await deliver(self.runtime, self.ticket_id)

    one = make_item("a", LAMP)
    queue.enqueue([one])
    yield Line(one.ticket_id, street)
    await unit.close()


def due_in(valkey, ticket_id) -> float | None:
    score = valkey.client().zscore(keys.DUE, ticket_id)
    return None if score is None else score - NOW.timestamp()


async def test_down_for_two_days_it_gets_the_same_event_when_it_is_back(line, endpoint, valkey):
    endpoint.status, seconds = 500, 0.0
    while seconds < 48 * 3600:
        assert await line.turn(seconds=seconds) == "later"
        assert len(line.street.had) == 1, "the street is not delayed"
        due = due_in(valkey, line.ticket_id)
        assert due is not None
        assert due > seconds
        seconds = due + 1
    endpoint.status = 204
    assert await line.turn(seconds=seconds) == "settled"
    assert set(endpoint.ids) == {f"{line.ticket_id}.2.{LEAD}"}
    assert len(endpoint.ids) <= 10
    assert await line.runtime.dead.list() == []


async def test_one_that_never_answers_is_given_up_on_for_now(line, endpoint, client):
    endpoint.status = 0
    assert await line.turn() == "later"
    assert len(line.street.had) == 1
    endpoint.status = 204
    assert await line.turn(minutes=1) == "later", "it rests by the clock of Redis, which did not run ahead"
    assert len(endpoint.ids) == 1
    await client.delete(SLOW + f"unit:{LEAD}")  # as its time does
    assert await line.turn(minutes=2) == "settled"
    assert len(set(endpoint.ids)) == 1


async def test_one_that_never_answers_costs_its_time_once_and_not_once_a_ticket(queue, make_item, line, endpoint):
    endpoint.status = 0
    assert await line.turn() == "later"
    more = [make_item(f"b{n}", LAMP, sequence=n + 2) for n in range(5)]
    queue.enqueue(more)
    for one in more:
        assert await deliver(line.runtime, one.ticket_id) == "later"
    assert len(endpoint.ids) == 1
    assert len(line.street.had) == 6, "nobody else waits"
    record = await line.runtime.store.load(more[0].ticket_id)
    assert record.fields[f"tries:unit:{LEAD}"] == "0", "no try is used up"


async def test_too_many_requests_are_answered_with_rest_as_long_as_asked(line, endpoint, valkey):
    endpoint.status, endpoint.headers = 429, {"Retry-After": "600"}
    assert await line.turn() == "later"
    assert due_in(valkey, line.ticket_id) == 600
    assert await line.turn(seconds=601) == "later", "it rests by the clock of Redis, which did not run ahead"
    assert len(endpoint.ids) == 1


async def test_gone_is_not_asked_again_until_an_operator_says_so(line, endpoint):
    endpoint.status = 410
    assert await line.turn() == "settled"
    [entry] = await line.runtime.dead.list()
    assert (entry.destination, entry.reason) == (f"unit:{LEAD}", "status_410")
    await line.turn(hours=1)
    assert len(endpoint.ids) == 1
    endpoint.status = 204
    await line.runtime.dead.replay(entry, NOW.timestamp())
    assert await line.turn(hours=2) == "settled"
    assert len(set(endpoint.ids)) == 1
    assert len(endpoint.ids) == 2


async def test_one_that_says_yes_and_does_nothing_leaves_the_ticket_unsigned_for_all_to_see(line, endpoint, valkey):
    assert await line.turn() == "settled"
    record = await line.runtime.store.load(line.ticket_id)
    assert record.state == "dispatched"
    assert valkey.client().zscore(keys.waiting(keys.of_unit(LEAD)), line.ticket_id) is not None
