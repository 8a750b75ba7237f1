"""The list of calls over HTTP: one operator holds a call, records what came of it, and the ticket says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from normalizer.life import StepName
from tests.gateway.people import DESK, Api, Row, api
from tests.workers.regions import town
from workers import keys
from workers.ending import CALLING
from workers.notices import CALL, addresses, notices
from workers.store import Index, Step

__all__ = ["api"]

AT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


@pytest.fixture
async def waiting(api: Api) -> Any:
    """A ticket whose answer nothing that we could send has reached."""
    ticket = await api.ticket("replied")
    store = api.far_side.store
    record = await store.load(ticket.ticket_id)
    version = next(e["data"]["version"] for e in record.events() if e["type"].endswith(".replied.v1"))
    operation = f"{StepName.REPLY}:{version}"
    [notice] = [one for one in notices(record, town()) if one.operation == operation]
    last = [way.to.channel for way in addresses(record, notice)].index(CALL)
    ways = {"reply": CALLING, "try": last}
    made = Step(
        operation="waits",
        type="org.jiesu.ticket.notified.v1",
        at=AT,
        data={"operation": operation, "channel": "call", "outcome": "waiting", "at": AT.isoformat()},
        fields={f"{name}:{operation}": value for name, value in ways.items()},
        indexes=(Index(keys.waiting(keys.CALLS), f"{ticket.ticket_id}:{operation}", AT.timestamp()),),
    )
    assert (await store.step(ticket.ticket_id, record.version, made))[0] == "done"
    return ticket


async def test_from_the_list_to_the_record(api: Api, waiting: Any) -> None:
    status, page = await api.do("desk", "GET", f"{DESK}/calls")
    assert (status, page["total"], page["next"]) == (200, 1, None)
    [row] = page["calls"]
    assert (row["number"], row["holder"], row["tries"]) == (waiting.number, None, 0)
    status, leased = await api.do("desk+", "POST", f"{DESK}/calls/leases", {"calls": [row["id"]]})
    assert status == 200
    [call] = leased["calls"]
    assert call["phone"].startswith("+86")
    assert waiting.number in call["text"]
    here = f"{DESK}/calls/{row['id']}/outcome"
    status, done = await api.do("desk+", "POST", here, {"outcome": "reached", "said": "本人"})
    assert (status, done["stays"]) == (200, False)
    again = await api.do("desk+", "POST", here, {"outcome": "reached", "said": "本人"})
    assert again == (200, done), "the answer was lost: the same key says the same"
    status, refused = await api.do("desk+", "POST", here, {"outcome": "no_answer"})
    assert (status, refused["code"]) == (422, "conflict")
    assert (await api.do("desk+", "POST", here, {"outcome": "no_answer"}, key="other"))[0] == 404
    record = await api.far_side.store.load(waiting.ticket_id)
    last = record.events()[-1]["data"]
    assert (last["outcome"], last["said"], last["version"]) == ("sent", "本人", done["version"])
    assert last["by"]


async def test_an_outcome_without_a_key_is_refused(api: Api, waiting: Any) -> None:
    headers = {"Authorization": api.bearers["desk+"]}
    async with api.client.post(f"{DESK}/calls/x/outcome", headers=headers, json={"outcome": "reached"}) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (422, "idempotency_key_missing")


async def test_a_call_that_is_held_is_nobody_elses_to_record(api: Api, waiting: Any) -> None:
    [row] = (await api.do("desk", "GET", f"{DESK}/calls"))[1]["calls"]
    here = f"{DESK}/calls/{row['id']}/outcome"
    status, refused = await api.do("desk", "POST", here, {"outcome": "reached"})
    assert (status, refused["code"]) == (409, "not_held")
    await api.do("desk+", "POST", f"{DESK}/calls/leases", {})
    [held] = (await api.do("desk", "GET", f"{DESK}/calls"))[1]["calls"]
    assert held["holder"]
    assert held["until"]
    status, _ = await api.ask("desk+", Row("DELETE", f"{DESK}/calls/leases/{row['id']}"), "")
    assert status == 204


async def test_an_outcome_that_there_is_not_is_refused(api: Api, waiting: Any) -> None:
    [row] = (await api.do("desk", "GET", f"{DESK}/calls"))[1]["calls"]
    status, refused = await api.do("desk+", "POST", f"{DESK}/calls/{row['id']}/outcome", {"outcome": "asleep"})
    assert status == 422
    assert refused["errors"][0]["pointer"] == "/outcome"
