"""Triage and objections at the command line, on a real server: as with the API, only who holds a ticket decides."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.auth import read_tokens
from gateway.cli.app import app
from normalizer.life import Actor, Role, StepName
from normalizer.ticket import Requester
from tests.gateway.conftest import RECEIVED, FarSide, Queued
from tests.gateway.town import write_town
from workers.connect import connect_async
from workers.life import Lives
from workers.queue import TicketQueue
from workers.store import Store

pytestmark = pytest.mark.usefixtures("clean_env")
LEAD = Actor(role=Role.UNIT, id="north_lamp")
CATALOGUE = Actor(role=Role.SYSTEM, id="catalogue")


@pytest.fixture
def config(valkey: Any, tmp_path: Path) -> Path:
    write_town(tmp_path / "data" / "rules" / "town")
    file = tmp_path / "config.yaml"
    file.write_text(
        f"data_dir: {tmp_path / 'data'}\nredis: {{url: '{valkey.url}'}}\ndispatch: {{region: ./rules/town}}\n", "utf-8"
    )
    return file


def jiesu(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(config)])


def waits(valkey: Any, *steps: tuple[StepName, Actor, dict[str, object]]) -> Queued:
    async def make() -> Queued:
        async with connect_async(valkey.config, valkey.directory) as client:
            far_side = FarSide(Store(client, domain="hotline.example"), TicketQueue(valkey.client(), grace=120))
            made = far_side.enqueue("one", 1, requester=Requester(name="王芳"))
            for step, by, says in steps:
                await Lives(far_side.store).take(made.ticket_id, step, by, RECEIVED, operation=step, says=says)
            return made

    return asyncio.run(make())


IN_TRIAGE = (StepName.TRIAGE, CATALOGUE, {"reason": "没有规则", "candidates": ("north_lamp", "willow")})
DISPATCHED = (StepName.DISPATCH, CATALOGUE, {"lead": "north_lamp", "reason": "市容"})
OBJECTED = (StepName.OBJECT, LEAD, {"reason": "不归我们"})


def test_a_ticket_is_listed_taken_and_dispatched(config: Path, valkey: Any) -> None:
    made = waits(valkey, IN_TRIAGE)
    listed = jiesu(config, "triage", "list")
    for part in (made.number, "没有规则", "north_lamp willow"):
        assert part in listed.stdout
    assert "王芳" not in listed.stdout
    decide = (
        "triage",
        "decide",
        made.number,
        "--lead",
        "north_lamp",
        "--cc",
        "willow",
        "--reason",
        "市容",
        "--as",
        "li",
    )
    early = jiesu(config, *decide)
    assert (early.exit_code, "Lease the ticket first" in early.stderr) == (1, True)
    taken = jiesu(config, "triage", "take", made.number, "--as", "li", "--json")
    assert json.loads(taken.stdout)["ticket"]["requester"]["name"] == "王芳"
    assert jiesu(config, "triage", "take", "--as", "wu").exit_code == 1
    done = jiesu(config, *decide)
    assert (done.exit_code, done.stdout) == (0, f"{made.number}  dispatched\n")
    assert jiesu(config, "triage", "list", "--json").stdout == ""


@pytest.mark.parametrize(
    ("options", "state"),
    [(("--answer", "已经修好了"), "answered"), (("--refer", "advice", "--reason", "法律问题"), "referred")],
)
def test_a_ticket_is_answered_or_referred(config: Path, valkey: Any, options: tuple[str, ...], state: str) -> None:
    made = waits(valkey, IN_TRIAGE)
    jiesu(config, "triage", "take", "--as", "li")
    assert jiesu(config, "triage", "decide", made.number, "--as", "li", *options).stdout.split() == [made.number, state]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "say one of"),
        (("--lead", "willow", "--answer", "x"), 2, "say one of"),
        (("--lead", "moon", "--reason", "x"), 1, "lead: There is no such unit."),
        (("--lead", "willow"), 1, "needs: reason"),
    ],
)
def test_a_decision_that_cannot_be_is_refused(
    config: Path, valkey: Any, options: tuple[str, ...], code: int, said: str
) -> None:
    made = waits(valkey, IN_TRIAGE)
    jiesu(config, "triage", "take", "--as", "li")
    refused = jiesu(config, "triage", "decide", made.number, "--as", "li", *options)
    assert (refused.exit_code, said in refused.stderr) == (code, True), refused.stderr


@pytest.mark.parametrize(
    ("command", "options", "lead"),
    [("uphold", ("--lead", "willow"), "willow"), ("overrule", (), "north_lamp")],
)
def test_an_objection_is_listed_taken_and_reviewed(
    config: Path, valkey: Any, command: str, options: tuple[str, ...], lead: str
) -> None:
    made = waits(valkey, DISPATCHED, OBJECTED)
    listed = json.loads(jiesu(config, "objections", "list", "--json").stdout)
    assert (listed["number"], listed["reason"], listed["by"]["id"]) == (made.number, "不归我们", "north_lamp")
    jiesu(config, "objections", "take", "--as", "li")
    done = jiesu(config, "objections", command, made.number, "--as", "li", "--reason", "复核", *options)
    assert done.stdout == f"{made.number}  dispatched\n"
    assert valkey.client().hget(f"jiesu:ticket:{made.ticket_id}", "lead").decode() == lead


def test_a_token_of_a_unit_names_a_unit_of_the_region(config: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "data" / "tokens.jsonl"
    made = jiesu(config, "tokens", "new", "--scope", "unit", "--scope", "personal", "--unit", "willow")
    assert made.stdout.startswith("jiesu.")
    desk = jiesu(config, "tokens", "new", "--scope", "desk", "--operator", "li")
    assert desk.exit_code == 0
    assert [(one.unit, one.operator) for one in read_tokens(tokens).values()] == [("willow", None), (None, "li")]
    for wrong in (("unit", "--unit", "moon"), ("unit",), ("desk",), ("tickets:read", "--unit", "willow")):
        refused = jiesu(config, "tokens", "new", "--scope", *wrong)
        assert refused.exit_code == 78, wrong
    assert len(read_tokens(tokens)) == 2
