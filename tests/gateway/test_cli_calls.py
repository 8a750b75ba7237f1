"""The list of calls at the command line, on a real server: as with the API, only who holds a call records it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from gateway.config import load
from normalizer.life import Actor, Role, StepName
from normalizer.ticket import Requester
from tests.gateway.conftest import RECEIVED, FarSide, Queued
from tests.gateway.town import write_town
from workers import keys
from workers.connect import connect_async
from workers.ending import CALLING
from workers.life import Lives
from workers.notices import CALL, addresses, notices
from workers.queue import TicketQueue
from workers.store import Index, Step, Store

pytestmark = pytest.mark.usefixtures("clean_env")
PHONE = "+8613800138000"
LEAD = Actor(role=Role.UNIT, id="north_lamp")
CATALOGUE = Actor(role=Role.SYSTEM, id="catalogue")
LIFE = (
    (StepName.DISPATCH, CATALOGUE, {"lead": "north_lamp", "reason": "市容"}),
    (StepName.SIGN, LEAD, {}),
    (StepName.REPLY, LEAD, {"text": "修好了。", "outcome": "resolved"}),
)


@pytest.fixture
def config(valkey: Any, tmp_path: Path) -> Path:
    write_town(tmp_path / "data" / "rules" / "town")
    file = tmp_path / "config.yaml"
    file.write_text(
        f"data_dir: {tmp_path / 'data'}\nredis: {{url: '{valkey.url}'}}\ndispatch: {{region: ./rules/town}}\n"
        "workers: {call_attempts: 2}\n",
        "utf-8",
    )
    return file


@pytest.fixture
def waiting(config: Path, valkey: Any) -> Queued:
    """A ticket whose answer waits on the list."""

    async def make() -> Queued:
        async with connect_async(valkey.config, valkey.directory) as client:
            store = Store(client, domain="hotline.example")
            made = FarSide(store, TicketQueue(valkey.client(), grace=120)).enqueue(
                "one", 1, requester=Requester(name="王芳", phone=PHONE)
            )
            for step, by, says in LIFE:
                await Lives(store).take(made.ticket_id, step, by, RECEIVED, operation=step, says=says)
            record = await store.load(made.ticket_id)
            assert record is not None
            notice = notices(record, load(config).region())[-1]
            index = [way.to.channel for way in addresses(record, notice)].index(CALL)
            entry = f"{made.ticket_id}:{notice.operation}"
            step = Step(
                operation="waits",
                type="org.jiesu.ticket.notified.v1",
                at=RECEIVED,
                data={"operation": notice.operation, "channel": CALL, "outcome": "waiting"},
                fields={f"reply:{notice.operation}": CALLING, f"try:{notice.operation}": index},
                indexes=(Index(keys.waiting(keys.CALLS), entry, RECEIVED.timestamp()),),
            )
            assert (await store.step(made.ticket_id, record.version, step))[0] == "done"
            return made

    return asyncio.run(make())


def jiesu(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["calls", *arguments, "--config", str(config)])


def test_a_call_is_listed_taken_up_and_recorded(config: Path, waiting: Queued) -> None:
    listed = jiesu(config, "list")
    assert waiting.number in listed.stdout
    assert "王芳" not in listed.stdout
    assert PHONE not in listed.stdout
    id = listed.stdout.split()[0]
    early = jiesu(config, "record", id, "reached", "--as", "li")
    assert (early.exit_code, "Lease this call first" in early.stderr) == (1, True)
    [call] = map(json.loads, jiesu(config, "lease", "--as", "li", "--json").stdout.splitlines())
    assert (call["id"], call["phone"]) == (id, PHONE)
    assert "修好了。" in call["text"]
    assert jiesu(config, "lease", "--as", "wang").stdout == "", "li holds it"
    done = jiesu(config, "record", id, "reached", "--as", "li", "--said", "本人")
    assert (done.exit_code, done.stdout) == (0, "recorded\n")
    assert jiesu(config, "list").stdout == ""


def test_without_an_answer_it_stays_until_it_was_tried_enough(config: Path, waiting: Queued) -> None:
    said = []
    for _ in range(2):
        id = jiesu(config, "lease", "--as", "li").stdout.split()[0]
        said.append(jiesu(config, "record", id, "no_answer", "--as", "li").stdout)
    assert said == ["recorded; the call stays on the list\n", "recorded\n"]


def test_an_outcome_that_there_is_not_is_named(config: Path, waiting: Queued) -> None:
    refused = jiesu(config, "record", "x", "asleep", "--as", "li")
    assert refused.exit_code == 2
    assert "no_answer" in refused.stderr
