"""Units that are reached by email: what the configuration must have for it, and what is named when it has not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway import reach
from gateway.config import Config, ConfigError, load
from tests.gateway.test_cli import jiesu

pytestmark = pytest.mark.usefixtures("clean_env")

UNITS = {"d110102_cg": {"type": "email", "to": "Chengguan@Xicheng.example"}}
RELAY = {"email": {"relay": "127.0.0.1:25"}}


def config(channels: dict[str, Any], units: dict[str, Any] = UNITS) -> Config:
    return Config(channels=channels, dispatch={"units": units})


def test_with_a_relay_every_unit_can_be_written_to() -> None:
    reach.check(config(RELAY))
    assert config(RELAY).dispatch.mailboxes == {"d110102_cg": "chengguan@xicheng.example"}


@pytest.mark.parametrize(
    ("channels", "problem"),
    [
        ({"email": False}, "dispatch.units.d110102_cg: needs the channel email, which is off"),
        ({}, "dispatch.units.d110102_cg: needs channels.email.relay, which sends mail on"),
    ],
)
def test_without_a_relay_every_unit_is_named(channels: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reach.check(config(channels))
    assert list(caught.value.problems) == [problem]


@pytest.mark.parametrize("own", ["hotline@hotline.example", "Hotline+x@hotline.example", "postmaster@hotline.example"])
def test_a_unit_that_is_ourselves_is_named(own: str) -> None:
    with pytest.raises(ConfigError, match="own address"):
        reach.check(config(RELAY, {"water": {"type": "email", "to": own}}))


@pytest.mark.parametrize("name", ["noreply", "no-reply+3", "notifications", "postmaster", "mailer-daemon"])
def test_a_mailbox_whose_answers_would_pass_for_a_programs_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=r"water\.to: is a program's address"):
        reach.check(config(RELAY, {"water": {"type": "email", "to": f"{name}@water.example"}}))


def test_nothing_is_asked_where_no_unit_is_reached_by_email() -> None:
    reach.check(config({"email": False}, {}))


def test_config_check_and_the_start_name_it(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("dispatch: {units: {water: {type: email, to: office@water.example}}}\n")
    for command in (("config", "check"), ("gateway", "--http", "127.0.0.1:0")):
        answer = jiesu(*command, "--config", file, "--data-dir", tmp_path / "data")
        assert answer.exit_code == 78, command
        assert "dispatch.units.water: needs channels.email.relay" in answer.stderr


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("dispatch: {units: {water: {type: email, to: nobody}}}", "dispatch.units.water"),
        ("dispatch: {units: {water: {type: email}}}", "dispatch.units.water"),
        ("dispatch: {units: {water: {type: email, to: a@b.example, langauge: zh}}}", "dispatch.units.water"),
        ("destinations: {archive: {type: email, to: a@b.example}}", "destinations.archive"),
    ],
)
def test_a_faulty_mailbox_is_named_and_a_destination_has_none(tmp_path: Path, text: str, where: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text + "\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert any(problem.startswith(where) for problem in caught.value.problems), caught.value.problems
