"""Alarms as people see them, by the API and by the command: what nobody has in hand, and how somebody takes it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from normalizer.events import ACKNOWLEDGED, ALARMED
from tests.gateway.conftest import Queued
from tests.gateway.people import DESK, Api, api
from workers import keys
from workers.store import Index, Step

__all__ = ["api"]

AT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
HERE = f"{DESK}/alarms"


@pytest.fixture
async def alarmed(api: Api) -> Queued:
    """A ticket with an alarm of which somebody was told, and somebody else could not be."""
    ticket = await api.ticket("signed")
    store = api.far_side.store
    record = await store.load(ticket.ticket_id)
    why = {"reasons": ["tier immediate"], "at": AT.isoformat()}
    listed = Index(keys.waiting(keys.ALARMS), ticket.ticket_id, AT.timestamp())
    steps = (
        Step("alarm", ALARMED, AT, why, fields={"alarm": "tier immediate"}, indexes=(listed,)),
        Step("alarm:a", ALARMED, AT, why | {"person": "a", "level": 1, "outcome": "told"}),
        Step("alarm:b", ALARMED, AT, why | {"person": "b", "level": 1, "outcome": "failed", "reason": "status_410"}),
    )
    for version, step in enumerate(steps, record.version):
        assert (await store.step(ticket.ticket_id, version, step))[0] == "done"
    return ticket


def jiesu(valkey: Any, *arguments: str) -> Result:
    environment = {"JIESU_REDIS__URL": valkey.url}
    return CliRunner().invoke(app, ["alarms", *arguments], env=environment)


async def test_the_page_says_why_and_who_was_told(api: Api, alarmed: Queued) -> None:
    status, page = await api.do("desk", "GET", HERE)
    assert (status, page["total"], page["next"]) == (200, 1, None)
    [row] = page["alarms"]
    assert (row["number"], row["state"], row["reasons"]) == (alarmed.number, "signed", ["tier immediate"])
    assert datetime.fromisoformat(row["since"]) == AT
    assert [(one["person"], one["outcome"], one["reason"]) for one in row["told"]] == [
        ("a", "told", None),
        ("b", "failed", "status_410"),
    ]


async def test_whoever_acknowledges_first_has_it_in_hand(api: Api, alarmed: Queued) -> None:
    path = f"{HERE}/{alarmed.number}/acknowledge"
    taken = {"number": alarmed.number, "by": "operator:li", "repeated": False}
    assert await api.do("desk", "POST", path) == (200, taken)
    assert await api.do("desk+", "POST", path) == (200, taken | {"repeated": True})
    assert (await api.do("desk", "GET", HERE))[1]["alarms"] == []
    record = await api.far_side.store.load(alarmed.ticket_id)
    assert [event["type"] for event in record.events()].count(ACKNOWLEDGED) == 1


async def test_a_ticket_without_an_alarm_or_no_ticket_has_nothing_to_acknowledge(api: Api) -> None:
    ticket = await api.ticket("signed")
    status, refused = await api.do("desk", "POST", f"{HERE}/{ticket.number}/acknowledge")
    assert (status, refused["code"]) == (409, "no_alarm")
    assert (await api.do("desk", "POST", f"{HERE}/2026010100000017/acknowledge"))[0] == 404


async def test_a_page_that_there_cannot_be_is_refused(api: Api) -> None:
    status, refused = await api.do("desk", "GET", f"{HERE}?limit=0")
    assert (status, refused["errors"][0]["pointer"]) == (422, "/limit")


@pytest.mark.usefixtures("clean_env")
async def test_the_command_lists_and_acknowledges(api: Api, alarmed: Queued, valkey: Any, tmp_path: Path) -> None:
    def told(*arguments: str) -> Result:
        return jiesu(valkey, *arguments, "--data-dir", str(tmp_path / "data"))

    listed = await asyncio.to_thread(told, "list")
    assert alarmed.number in listed.output
    assert "a told, b failed" in listed.output
    [row] = [json.loads(line) for line in (await asyncio.to_thread(told, "list", "--json")).output.splitlines()]
    assert row["number"] == alarmed.number
    first = await asyncio.to_thread(told, "ack", alarmed.number, "--by", "zhang")
    assert (first.exit_code, first.output) == (0, "acknowledged\n")
    again = await asyncio.to_thread(told, "ack", alarmed.number, "--by", "li", "--json")
    assert json.loads(again.output) == {"number": alarmed.number, "by": "operator:zhang", "repeated": True}
    assert (await asyncio.to_thread(told, "list")).output == ""


@pytest.mark.usefixtures("clean_env")
async def test_the_command_says_what_there_is_not(api: Api, valkey: Any, tmp_path: Path) -> None:
    ticket = await api.ticket("signed")
    for number, words in ((ticket.number, "No alarm was raised"), ("2026010100000017", "no such ticket")):
        answer = await asyncio.to_thread(
            jiesu, valkey, "ack", number, "--by", "li", "--data-dir", str(tmp_path / "data")
        )
        assert (answer.exit_code, words in answer.stderr) == (1, True)
