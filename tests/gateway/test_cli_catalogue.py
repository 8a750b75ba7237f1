"""`jiesu catalogue` and `jiesu config check`, as an operator types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from normalizer import Raw, identity, normalize
from normalizer.ticket import Inbound, Kind, Ticket
from tests.gateway.conftest import RECEIVED
from workers.queue import TicketQueue, item

pytestmark = pytest.mark.usefixtures("clean_env")

TEXT = "西城区马连道，4S店的新车停满公共停车位，投诉城管推诿"
FAULTS = {
    "region.toml": 'name = "小城"\nversion = "1"\ncentre = "centre"\n',
    "units.csv": "id,name,kind,parent\ncentre,热线中心,centre,\nnorth,城北区,district,moon\n",
    "catalogue.toml": '[[rule]]\nid = "a"\nwhy = "x"\nwhen = { words = ["灯"] }\nlead = "sun"\n',
    "referrals.toml": "",
}


def jiesu(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def explained(*arguments: object) -> dict[str, Any]:
    result = jiesu("catalogue", "explain", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def made(text: str) -> tuple[Ticket, Inbound]:
    raw = Raw(channel="web", source_id="one", received_at=RECEIVED, body=text.encode())
    said = Inbound(text=text, digest=identity.content_digest(raw.body), kind=Kind.COMPLAINT)
    return normalize(raw, said, number=identity.number(RECEIVED.date(), 0, 1)), said


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "our-rules"
    folder.mkdir()
    for name, text in FAULTS.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def test_words_alone_are_explained_without_a_server() -> None:
    found = explained("--text", TEXT)
    assert found["decision"] == "dispatch"
    assert found["rule"] == "parking_bays"
    assert found["lead"] == {"id": "d110102", "name": "西城区人民政府"}
    assert [unit["id"] for unit in found["cc"]] == ["s110102020"]
    assert [unit["id"] for unit in found["accused"]] == ["d110102_cg"]
    assert found["why"]


def test_text_for_people_has_the_same_facts() -> None:
    shown = jiesu("catalogue", "explain", "--text", TEXT).stdout
    for part in ("parking_bays", "西城区人民政府", "广安门外街道", "accused: d110102_cg", "dispatch"):
        assert part in shown


def test_where_a_citizen_is_referred_to_is_named() -> None:
    found = explained("--text", "楼上着火了，全是烟")
    assert found["referral"] == {"id": "fire_119", "name": "消防救援", "contact": "119"}
    assert "119" in jiesu("catalogue", "explain", "--text", "楼上着火了，全是烟").stdout


def test_a_tickets_file_is_explained_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "ticket.json"
    file.write_text(made(TEXT)[0].model_dump_json(), "utf-8")
    assert explained("--file", file)["lead"]["id"] == "d110102"
    file.write_text('{"number": 3}', "utf-8")
    result = jiesu("catalogue", "explain", "--file", file)
    assert result.exit_code == 66
    assert "ticket_id" in result.stderr


def test_a_stored_ticket_is_explained_by_its_number_or_id(valkey: Any, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"redis:\n  url: {valkey.url}\n", "utf-8")
    ticket, said = made(TEXT)
    TicketQueue(valkey.client(), grace=120).enqueue([item(ticket, said, code="ABCD2345", domain="hotline.example")])
    for reference in (ticket.number, ticket.ticket_id):
        assert explained(reference, "--config", config)["rule"] == "parking_bays"
    assert jiesu("catalogue", "explain", "2026010100000009", "--config", config).exit_code == 1


@pytest.mark.parametrize("arguments", [[], ["1", "--text", "x"], ["--text", "x", "--file", "y"]])
def test_one_ticket_at_a_time(arguments: list[str]) -> None:
    assert jiesu("catalogue", "explain", *arguments).exit_code == 66


def test_a_folder_is_checked_and_every_fault_named(broken: Path) -> None:
    result = jiesu("catalogue", "check", broken)
    assert result.exit_code == 78
    assert result.stderr.splitlines() == [
        "units.csv line 3: parent 'moon' of 'north' is no unit",
        "catalogue.toml line 1: rule 'a': nobody answers to 'sun'",
    ]


def test_the_configuration_is_checked_with_its_region(broken: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"data_dir: {tmp_path}\ndispatch:\n  region: our-rules\n", "utf-8")
    result = jiesu("config", "check", "--config", config)
    assert result.exit_code == 78
    assert len(result.stderr.splitlines()) == 2
    assert all(line.startswith("dispatch.region: ") for line in result.stderr.splitlines())
    (broken / "units.csv").write_text(FAULTS["units.csv"].replace("moon", "centre"), "utf-8")
    (broken / "catalogue.toml").write_text(FAULTS["catalogue.toml"].replace("sun", "north"), "utf-8")
    assert jiesu("config", "check", "--config", config).exit_code == 0
    assert jiesu("catalogue", "check", broken).stdout == "ok: 2 units, 1 rules, 0 referrals\n"
