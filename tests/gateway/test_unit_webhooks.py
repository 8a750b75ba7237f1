"""What a unit's own system posts, rightly signed but wrongly said: each is named, and none is an error of ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from channels.web.config import WebConfig
from gateway.routes import Routes
from gateway.unit_webhooks import UnitWebhooks
from normalizer.life import Actor, Role, StepName
from tests.gateway.conftest import RECEIVED, FarSide
from tests.workers.regions import town
from workers.life import Lives
from workers.unit_side import UnitSide

SECRET = Webhook("whsec_" + base64.b64encode(b"u" * 32).decode())
UNIT = "north_lamp"
CATALOGUE = Actor(role=Role.SYSTEM, id="catalogue")
NUMBER = "2026011500099996"
Post = Callable[[bytes], Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture
async def post(serve: Callable[..., Any], far_side: FarSide) -> Post:
    routes = Routes()
    side = UnitSide(far_side.store, town(), lambda: RECEIVED)
    UnitWebhooks(side, {UNIT: (SECRET,)}, WebConfig()).register(routes.add)
    client = (await serve(routes)).client

    async def send(body: bytes) -> tuple[int, dict[str, Any]]:
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": "a",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": SECRET.sign("a", now, body.decode()),
        }
        async with client.post(f"/api/v1/units/{UNIT}/webhook", data=body, headers=headers) as answer:
            assert answer.content_type == ("application/json" if answer.status == 200 else "application/problem+json")
            return answer.status, json.loads(await answer.read())

    return send


def said(**members: object) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (said(number=NUMBER, step=[]), {("/step", "unknown_word")}),
        (said(number=NUMBER, step={}), {("/step", "unknown_word")}),
        (said(number=NUMBER, step="dispatch"), {("/step", "unknown_word")}),
        (said(), {("/number", "missing"), ("/step", "unknown_word")}),
        (said(number=[], step="sign"), {("/number", "number_invalid")}),
        (said(number="t" + "a" * 26, step="sign"), {("/number", "number_invalid")}),
        (said(number="\0\ud800", step="sign"), {("", "not_json")}),
        (said(number=NUMBER, step="object", reason="\ud800"), {("", "not_json")}),
        (said(number=NUMBER, step="object", reason="\0"), {("/reason", "nul")}),
        (b'{"number": "' + NUMBER.encode() + b'", "step": "object", "reason": 1e400}', {("/reason", "wrong_type")}),
        (b'{"number": NaN}', {("", "not_json")}),
        (b"[" * 100_000, {("", "not_json")}),
        (b'{"a":' * 100_000, {("", "not_json")}),
        (b"9" * 5_000, {("", "not_json")}),
        (b"[]", {("", "not_an_object")}),
        (b"", {("", "not_json")}),
    ],
)
async def test_what_is_wrong_is_named(post: Post, body: bytes, faults: set[tuple[str, str]]) -> None:
    status, problem = await post(body)
    assert (status, {(one["pointer"], one["code"]) for one in problem["errors"]}) == (422, faults)


async def test_a_number_that_nobody_has_is_not_found(post: Post) -> None:
    assert (await post(said(number=NUMBER, step="sign")))[0] == 404


async def test_what_is_right_is_taken(post: Post, far_side: FarSide) -> None:
    made = far_side.enqueue("one", 1)
    says: dict[str, object] = {"lead": UNIT, "reason": "市容"}
    await Lives(far_side.store).take(made.ticket_id, StepName.DISPATCH, CATALOGUE, RECEIVED, operation="d", says=says)
    assert (await post(said(number=made.number, step="sign")))[1]["state"] == "signed"
