"""Every route of the HTTP API × every kind of token: who may, and that nobody's name leaves to who may not know it.

A route that is added needs a row here: the table is compared with what a gateway serves.
"""

from __future__ import annotations

import json

import pytest

from normalizer.ticket import Kind
from tests.gateway.conftest import RECEIVED
from tests.gateway.people import (
    CITIZEN,
    DESK,
    DESKS,
    EMAIL,
    FOREIGN,
    HELPER,
    KINDS,
    LIFE,
    MINE,
    NAME,
    PHONE,
    SAID,
    TEXT,
    TO_LEAD,
    UNITS,
    WHY,
    Api,
    Row,
    api,
    hold,
    leaked,
)
from workers.life import Lives

__all__ = ["api"]

MAY_KNOW = {"tickets+", "lead+", "helper", "desk+"}
"""Who may learn who asked, where anybody may: programs that were given that, who speaks to the citizen, the desk."""
NO_UNIT = MAY_KNOW - {"lead+", "helper"}


def units(lead: int = 200, helper: int = 409, cc: int = 409) -> dict[str, int]:
    """What is not the unit's is not there."""
    return {"lead": lead, "lead+": lead, "helper": helper, "cc": cc, "foreign": 404}


ALL_UNITS = dict.fromkeys(UNITS, 200)
ALL_DESKS = dict.fromkeys(DESKS, 200)
TABLE = (
    Row("GET", "/", public=200),
    Row("POST", "/", public=415),
    Row("GET", "/static/{name}", public=404),
    Row("GET", "/t/{number}", public=200),
    Row("POST", "/t/{number}", public=415),
    Row("POST", "/t/{number}/files/{sha256}", public=415),
    Row("GET", "/docs", public=200),
    Row("GET", "/metrics", public=200),
    Row("GET", "/healthz", public=200),
    Row("GET", "/readyz", public=503),
    Row("POST", "/api/v1/units/{unit}/webhook", public=401, body={}),
    Row("GET", "/api/v1/openapi.json", public=200),
    Row("POST", "/api/v1/requests", public=422, body={}),
    Row("POST", "/api/v1/requests/{number}/messages", public=422, body={}),
    Row("POST", "/api/v1/calls", {"phone": 422}, body={}),
    Row("GET", "/api/v1/tickets/{reference}", {"tickets": 200, "tickets+": 200}),
    Row("GET", "/api/v1/tickets/{reference}/attachments/{sha256}", {"tickets": 200, "tickets+": 200}),
    Row("GET", f"{MINE}/tickets", ALL_UNITS),
    Row("POST", f"{MINE}/leases", ALL_UNITS, body={"states": ["signed"]}),
    Row("GET", f"{MINE}/tickets/{{number}}", units(200, 200, 200)),
    Row("GET", f"{MINE}/tickets/{{number}}/attachments/{{sha256}}", units(200, 200, 200)),
    Row("POST", f"{MINE}/tickets/{{number}}/sign", units(), stage="dispatched"),
    Row("POST", f"{MINE}/tickets/{{number}}/contact", units(), body=SAID),
    Row("POST", f"{MINE}/tickets/{{number}}/progress", units(), body=SAID),
    Row("POST", f"{MINE}/tickets/{{number}}/ask_help", units(), body={"co": ["water"], **WHY}),
    Row("POST", f"{MINE}/tickets/{{number}}/help", units(409, 200), body=SAID),
    Row("POST", f"{MINE}/tickets/{{number}}/object", units(), body=WHY),
    Row("POST", f"{MINE}/tickets/{{number}}/extend", units(), body={"until": "2126-01-01T00:00:00+08:00", **WHY}),
    Row("POST", f"{MINE}/tickets/{{number}}/reply", units(), body={**SAID, "outcome": "resolved"}),
    Row("POST", f"{DESK}/tickets", dict.fromkeys(DESKS, 422), body={}),
    Row("GET", f"{DESK}/tickets/{{number}}", ALL_DESKS),
    Row("GET", f"{DESK}/tickets/{{number}}/attachments/{{sha256}}", ALL_DESKS),
    Row("GET", f"{DESK}/triage", ALL_DESKS, stage="triage"),
    Row("POST", f"{DESK}/triage/leases", ALL_DESKS, stage="triage", body={}),
    Row("DELETE", f"{DESK}/triage/leases/{{number}}", dict.fromkeys(DESKS, 204), stage="triage"),
    Row("POST", f"{DESK}/tickets/{{number}}/dispatch", ALL_DESKS, stage="triage", body=TO_LEAD),
    Row("POST", f"{DESK}/tickets/{{number}}/answer", ALL_DESKS, stage="triage", body={"text": "请拨打 110"}),
    Row("POST", f"{DESK}/tickets/{{number}}/refer", ALL_DESKS, stage="triage", body={"referral": "advice", **WHY}),
    Row("GET", f"{DESK}/objections", ALL_DESKS, stage="objected"),
    Row("POST", f"{DESK}/objections/leases", ALL_DESKS, stage="objected", body={}),
    Row("DELETE", f"{DESK}/objections/leases/{{number}}", dict.fromkeys(DESKS, 204), stage="objected"),
    Row("POST", f"{DESK}/tickets/{{number}}/uphold", ALL_DESKS, stage="objected", body={**TO_LEAD, "lead": "water"}),
    Row("POST", f"{DESK}/tickets/{{number}}/overrule", ALL_DESKS, stage="objected", body=WHY),
    Row("GET", f"{DESK}/calls", ALL_DESKS),
    Row("POST", f"{DESK}/calls/leases", {"desk": 403, "desk+": 200}, body={}),
    Row("DELETE", f"{DESK}/calls/leases/{{call}}", dict.fromkeys(DESKS, 409)),
    Row("POST", f"{DESK}/calls/{{call}}/outcome", dict.fromkeys(DESKS, 404), body={"outcome": "reached"}),
    Row("GET", f"{DESK}/alarms", ALL_DESKS),
    Row("POST", f"{DESK}/alarms/{{number}}/acknowledge", dict.fromkeys(DESKS, 409)),
    Row("POST", f"{DESK}/tickets/{{number}}/close", dict.fromkeys(DESKS, 409), stage="replied", body=WHY),
    Row("POST", f"{DESK}/tickets/{{number}}/reopen", ALL_DESKS, stage="replied", body=WHY),
)


def test_the_search_for_personal_data_finds_it_however_it_is_written() -> None:
    assert leaked(json.dumps({"name": NAME})) == leaked(NAME) == [NAME]
    assert leaked("nothing of that kind") == []


async def test_every_route_has_a_row(api: Api) -> None:
    served = {(route.method, route.path) for route in api.node.routes.all()}
    assert served == {(row.method, row.path) for row in TABLE}


async def test_a_scope_of_a_route_is_the_one_that_the_table_knows(api: Api) -> None:
    scopes = {(route.method, route.path): route.scope for route in api.node.routes.all()}
    for row in TABLE:
        assert (scopes[row.method, row.path] is None) == (row.public is not None), row.name


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
async def test_who_may_and_nobody_else_learns_who_asked(api: Api, row: Row) -> None:
    for kind in KINDS:
        for of_kind, may_know in ((Kind.COMPLAINT, MAY_KNOW), (Kind.REPORT, NO_UNIT)):
            ticket = await api.ticket(row.stage, kind=of_kind)
            if row.path.endswith(("dispatch", "answer", "refer", "uphold", "overrule")) and kind in DESKS:
                await hold(api, row.stage, ticket)
            status, text = await api.ask(kind, row, ticket.number)
            assert status == row.expected(kind), (kind, of_kind, text)
            if kind not in may_know:
                assert leaked(text) == [], (kind, of_kind)


async def test_who_may_know_does(api: Api) -> None:
    """The other side: the table would also hold if nobody were ever shown."""
    ticket = await api.ticket("signed", kind=Kind.COMPLAINT)
    for kind, path in (
        ("tickets+", "/api/v1/tickets"),
        ("lead+", f"{MINE}/tickets"),
        ("helper", f"{MINE}/tickets"),
        ("desk+", f"{DESK}/tickets"),
    ):
        _, text = await api.ask(kind, Row("GET", f"{path}/{{number}}"), ticket.number)
        assert {NAME, PHONE, EMAIL} <= set(leaked(text)), kind


@pytest.mark.parametrize("stays_hidden", [{"anonymous": True}, {"confidential": True}])
async def test_who_asked_to_stay_hidden_is_shown_to_no_unit(api: Api, stays_hidden: dict[str, bool]) -> None:
    n = next(api.count)
    made = api.far_side.enqueue(f"h{n}", n, text=TEXT, requester=CITIZEN.model_copy(update=stays_hidden))
    name, step, by, says = LIFE[0]
    await Lives(api.far_side.store).take(made.ticket_id, step, by, RECEIVED, operation=name, says=says)
    for kind in ("lead+", "helper", "cc"):
        status, text = await api.ask(kind, Row("GET", f"{MINE}/tickets/{{number}}"), made.number)
        assert (status, leaked(text)) == (200, []), kind


async def test_an_objection_to_a_report_never_shows_its_reporter_to_a_unit(api: Api) -> None:
    """退单 of a 举报: the objecting unit, the one it goes to, and all between, whoever quotes the reporter."""
    ticket = await api.ticket("signed", kind=Kind.REPORT)
    here = f"{MINE}/tickets/{ticket.number}"
    quoted = {"reason": f"举报人{NAME}（{PHONE}）说的是自来水"}
    heard: list[str] = []

    async def look(*kinds: str) -> None:
        for kind in kinds:
            leases = Row("POST", f"{MINE}/leases", body={"states": ["dispatched", "signed", "objected"], "count": 50})
            for row in (Row("GET", here), Row("GET", f"{MINE}/tickets"), leases):
                _, text = await api.ask(kind, row, "")
                heard.append(text)

    heard.append(str(await api.do("lead+", "POST", f"{here}/object", quoted)))
    await look("lead+", "helper", "cc")
    await hold(api, "objected", ticket)
    says = {"lead": FOREIGN, "co": [HELPER], "reason": f"{NAME}举报属实，改派"}
    assert (await api.do("desk", "POST", f"{DESK}/tickets/{ticket.number}/uphold", says))[0] == 200
    await look("foreign", "helper")
    assert (await api.do("lead+", "GET", here))[0] == 404, "it is not the accused unit's any more"
    assert [leaked(text) for text in heard if leaked(text)] == []
    assert (await api.do("foreign", "GET", here))[1]["life"]["lead"] == FOREIGN
    desk = await api.do("desk+", "GET", f"{DESK}/tickets/{ticket.number}")
    assert NAME in json.dumps(desk, ensure_ascii=False), "the centre's desk may know"
