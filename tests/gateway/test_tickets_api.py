"""Tickets for programs with a token, and whether this gateway lives and can accept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import openapi
from gateway.auth import new_token
from gateway.config import Config
from gateway.intake import Intake, IntakeConfig, SpoolConfig
from gateway.routes import Routes
from gateway.spool import Spool
from gateway.tickets_api import TicketsApi
from gateway.writer import Writer
from normalizer.ticket import Requester, Ticket
from workers.blobs import Blobs


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    spool = Spool(tmp_path / "spool", "Asia/Shanghai")
    limits = SpoolConfig(min_free_disk=0)
    yield Intake(
        spool, Writer(spool.db), Blobs(tmp_path / "blobs"), intake=IntakeConfig(), limits=limits, secret=b"s" * 32,
        public_url="http://hotline.example", spooled=lambda: None,
    )  # fmt: skip
    spool.close()


@pytest.fixture
def open_api(serve: Callable[..., Any], far_side: Any, intake: Intake, data_config: Config) -> Callable[..., Any]:
    async def start(store: Any = None) -> Any:
        routes = Routes()
        TicketsApi(store or far_side.store, intake, data_config).register(routes.add)
        return (await serve(routes)).client

    return start


@pytest.fixture
def bearer(tmp_path: Path) -> dict[str, str]:
    return {"Authorization": f"Bearer {new_token(tmp_path / 'tokens.jsonl', ['tickets:read', 'personal'])}"}


async def test_a_ticket_is_found_by_its_number_its_id_and_an_alias(
    open_api: Any, far_side: Any, bearer: dict[str, str]
) -> None:
    first = far_side.enqueue("one", 1, requester=Requester(name="王芳"))
    later = far_side.enqueue(
        "two", 2, text="还没修", threads=(f"number:{first.number}",), senders=(f"code:{first.code}",)
    )
    client = await open_api()
    for reference in (first.number, first.ticket_id, later.number, later.ticket_id):
        answer = await client.get(f"/api/v1/tickets/{reference}", headers=bearer)
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        ticket = Ticket.model_validate_json(await answer.read())
        assert (ticket.ticket_id, ticket.version, ticket.requester.name) == (first.ticket_id, 2, "王芳")
        assert [turn.text for turn in ticket.conversation] == ["还没修"]


async def test_who_asked_is_for_who_may_see_people(open_api: Any, far_side: Any, tmp_path: Path) -> None:
    queued = far_side.enqueue(
        "one", 1, text="我是王芳，路灯坏了", requester=Requester(name="王芳", phone="+8613900000000")
    )
    client = await open_api()
    program = new_token(tmp_path / "tokens.jsonl", ["tickets:read"])
    answer = await client.get(f"/api/v1/tickets/{queued.number}", headers={"Authorization": f"Bearer {program}"})
    text = await answer.text()
    assert (answer.status, "王芳" in text, "13900000000" in text) == (200, False, False)
    ticket = Ticket.model_validate_json(text)
    assert (ticket.number, ticket.text, ticket.requester) == (
        queued.number,
        "我是***，路灯坏了",
        Requester(language="zh-Hans"),
    )


async def test_a_stranger_gets_no_ticket(open_api: Any, far_side: Any, tmp_path: Path) -> None:
    queued = far_side.enqueue("one", 1)
    client = await open_api()
    path = f"/api/v1/tickets/{queued.number}"
    assert (await client.get(path)).status == 401
    other = new_token(tmp_path / "tokens.jsonl", ["submit:web"])
    assert (await client.get(path, headers={"Authorization": f"Bearer {other}"})).status == 403


@pytest.mark.parametrize("reference", ["2026011500000010", "t" + "a" * 26, "nonsense"])
async def test_what_is_not_there_is_404_and_not_repeated(open_api: Any, bearer: dict[str, str], reference: str) -> None:
    client = await open_api()
    answer = await client.get(f"/api/v1/tickets/{reference}", headers=bearer)
    assert (answer.status, answer.content_type) == (404, "application/problem+json")
    assert reference not in await answer.text()


async def test_redis_away_is_503_with_retry_after(open_api: Any, away: Any, bearer: dict[str, str]) -> None:
    client = await open_api(away)
    answer = await client.get(f"/api/v1/tickets/{'t' + 'a' * 26}", headers=bearer)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert json.loads(await answer.read())["code"] == "try_again"


async def test_ready_follows_the_intake_and_health_does_not(open_api: Any, intake: Intake, away: Any) -> None:
    client = await open_api(away)
    assert (await client.get("/readyz")).status == 503
    intake.open = True
    assert (await client.get("/readyz")).status == 200, "Redis away is no reason not to accept"
    answer = await client.get("/healthz")
    assert (answer.status, json.loads(await answer.read())) == (200, {"status": "ok"})


async def test_the_openapi_document_is_served(open_api: Any, data_config: Config) -> None:
    client = await open_api()
    answer = await client.get("/api/v1/openapi.json")
    assert answer.status == 200
    assert json.loads(await answer.read()) == json.loads(json.dumps(openapi.document(data_config)))
