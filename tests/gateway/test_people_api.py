"""What units and the centre's desk can do by the API, what is refused, and that sending it again is harmless."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from gateway.auth import new_token
from tests.gateway.conftest import RECEIVED
from tests.gateway.people import DESK, FOREIGN, LEAD, MINE, SAID, TO_LEAD, WHY, Api, api, hold

__all__ = ["api"]


async def test_another_unit_is_not_told_why_a_unit_objected(api: Api) -> None:
    ticket = await api.ticket("signed")
    here = f"{MINE}/tickets/{ticket.number}"
    await api.do("lead", "POST", f"{here}/object", {"reason": "我们没有钱"})
    assert "我们没有钱" in str(await api.do("lead", "GET", here))
    assert "我们没有钱" not in str(await api.do("helper", "GET", here))


async def test_a_step_sent_again_is_the_same_step_and_another_under_its_key_is_refused(api: Api) -> None:
    ticket = await api.ticket("signed")
    here = f"{MINE}/tickets/{ticket.number}"
    first = await api.do("lead", "POST", f"{here}/contact", SAID, key="a")
    again = await api.do("lead", "POST", f"{here}/contact", SAID, key="a")
    assert (first[0], again[0], again[1]["version"], again[1]["repeated"]) == (200, 200, first[1]["version"], True)
    other = await api.do("lead", "POST", f"{here}/contact", {"text": "另一句"}, key="a")
    assert (other[0], other[1]["code"]) == (422, "conflict")
    assert (await api.do("lead", "POST", f"{here}/progress", SAID, key="a"))[1]["repeated"] is False
    steps = [one["step"] for one in (await api.do("lead", "GET", here))[1]["history"]]
    assert steps.count("contact") == steps.count("progress") == 1


async def test_an_objection_sent_again_after_it_was_upheld_is_known(api: Api) -> None:
    ticket = await api.ticket("signed")
    here = f"{MINE}/tickets/{ticket.number}"
    await api.do("lead", "POST", f"{here}/object", WHY, key="o")
    await hold(api, "objected", ticket)
    await api.do("desk", "POST", f"{DESK}/tickets/{ticket.number}/uphold", {"lead": FOREIGN, **WHY})
    assert (await api.do("lead", "POST", f"{here}/object", WHY, key="o"))[1]["repeated"] is True
    assert (await api.do("lead", "POST", f"{here}/object", WHY, key="p"))[0] == 404


async def test_a_step_needs_a_key_its_fields_and_known_units(api: Api) -> None:
    ticket = await api.ticket("triage")
    path = f"{DESK}/tickets/{ticket.number}/dispatch"
    async with api.client.post(path, headers={"Authorization": api.bearers["desk"]}, json=TO_LEAD) as answer:
        assert (answer.status, json.loads(await answer.text())["code"]) == (422, "idempotency_key_missing")
    status, missing = await api.do("desk", "POST", path, {})
    assert (status, {one["pointer"] for one in missing["errors"]}) == (422, {"/lead", "/reason"})
    status, blank = await api.do("desk", "POST", path, {"lead": LEAD, "reason": "  "})
    assert (status, blank["errors"][0]["pointer"], blank["errors"][0]["code"]) == (422, "/reason", "missing")
    status, unknown = await api.do("desk", "POST", path, {"lead": "nobody", "co": [LEAD, "none"], "reason": "x"})
    assert status == 422
    assert [(one["pointer"], one["code"]) for one in unknown["errors"]] == [
        ("/lead", "unknown_unit"),
        ("/co/1", "unknown_unit"),
    ]


async def test_only_who_holds_a_ticket_decides_about_it(api: Api, tmp_path: Path) -> None:
    ticket = await api.ticket("triage")
    api.bearers["zhang"] = f"Bearer {new_token(tmp_path / 'tokens.jsonl', ['desk'], operator='zhang')}"
    path, leases = f"{DESK}/tickets/{ticket.number}/dispatch", f"{DESK}/triage/leases"
    assert (await api.do("desk", "POST", path, TO_LEAD))[1]["code"] == "not_leased"
    assert len((await api.do("desk", "POST", leases, {}))[1]["tickets"]) == 1
    assert (await api.do("zhang", "POST", leases, {}))[1]["tickets"] == []
    assert (await api.do("zhang", "DELETE", f"{leases}/{ticket.number}"))[0] == 204
    assert (await api.do("zhang", "POST", path, TO_LEAD))[1]["code"] == "not_leased"
    assert (await api.do("desk", "GET", f"{DESK}/triage"))[1]["tickets"][0]["holder"] == "li"
    assert (await api.do("desk", "DELETE", f"{leases}/{ticket.number}"))[0] == 204
    assert (await api.do("zhang", "POST", leases, {"numbers": [ticket.number]}))[1]["tickets"] != []
    assert (await api.do("zhang", "POST", path, TO_LEAD))[1] == {
        "number": ticket.number,
        "version": 3,
        "state": "dispatched",
        "repeated": False,
    }
    assert (await api.do("zhang", "POST", path, TO_LEAD))[1]["repeated"] is True, "though it is not leased any more"
    assert (await api.do("desk", "GET", f"{DESK}/triage"))[1] == {"tickets": [], "total": 0, "next": None}


async def test_a_unit_pages_filters_and_leases_its_own_list(api: Api) -> None:
    new = [(await api.ticket("dispatched")).number for _ in range(3)]
    signed = (await api.ticket("signed")).number
    _, page = await api.do("lead", "GET", f"{MINE}/tickets?limit=2")
    assert ([row["number"] for row in page["tickets"]], page["total"], page["next"]) == (new[:2], 4, 2)
    _, rest = await api.do("lead", "GET", f"{MINE}/tickets?limit=2&start=2")
    assert ([row["number"] for row in rest["tickets"]], rest["total"], rest["next"]) == ([new[2], signed], 4, None)
    _, some = await api.do("lead", "GET", f"{MINE}/tickets?limit=2&state=signed&state=replied")
    assert ([row["number"] for row in some["tickets"]], some["total"], some["next"]) == ([signed], 1, None)
    assert some["tickets"][0]["part"] == "lead"
    assert (await api.do("lead", "GET", f"{MINE}/tickets?state=closed&limit=0"))[0] == 422
    _, first = await api.do("lead", "POST", f"{MINE}/leases", {"count": 2})
    assert [one["ticket"]["number"] for one in first["tickets"]] == new[:2], "new work, not what was signed"
    _, second = await api.do("lead+", "POST", f"{MINE}/leases", {"count": 5})
    assert [one["ticket"]["number"] for one in second["tickets"]] == new[2:], "another program of the same unit"
    assert (await api.do("helper", "POST", f"{MINE}/leases", {}))[1]["tickets"] == [], "a helper leads nothing here"


async def test_a_reply_brings_files_which_are_kept_and_shown(api: Api) -> None:
    from aiohttp import FormData

    ticket = await api.ticket("signed")
    path = f"{MINE}/tickets/{ticket.number}"
    for turn in (False, True):
        form = FormData({"text": "已修好", "outcome": "resolved"})
        form.add_field("attachments", "修复记录".encode(), filename="record.txt", content_type="text/plain")
        headers = {"Authorization": api.bearers["lead"], "Idempotency-Key": "r"}
        async with api.client.post(f"{path}/reply", data=form, headers=headers) as answer:
            assert (answer.status, json.loads(await answer.text())["repeated"]) == (200, turn)
    shown = (await api.do("lead", "GET", path))[1]["history"][-1]
    assert (shown["step"], shown["outcome"], shown["attachments"][0]["name"]) == ("reply", "resolved", "record.txt")
    stored = next(event for event in (await api.far_side.store.find(ticket.number)).events()[-1:])
    blob = stored["data"]["attachments"][0]["blob"]
    assert api.node.blobs.get(blob) == "修复记录".encode()


async def test_an_extension_into_the_past_and_help_from_oneself_are_refused(api: Api) -> None:
    ticket = await api.ticket("signed")
    here = f"{MINE}/tickets/{ticket.number}"
    past = (RECEIVED - timedelta(days=1)).isoformat()
    status, said = await api.do("lead", "POST", f"{here}/extend", {"until": past, **WHY})
    assert (status, said["errors"][0]) == (422, {"pointer": "/until", "code": "in_the_past", "detail": said["detail"]})
    status, said = await api.do("lead", "POST", f"{here}/ask_help", {"co": [LEAD], **WHY})
    assert (status, said["code"]) == (422, "not_another")
