"""The commands that need no server, as an operator types them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from gateway import ledger, spool_file
from gateway.asyncapi import document as asyncapi
from gateway.auth import read_tokens
from gateway.cli.app import app
from gateway.migrations import migrate
from normalizer import identity
from normalizer.schema import ticket_schema
from tests.waiting import HANGS

pytestmark = pytest.mark.usefixtures("clean_env")


def jiesu(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def parked(tmp_path: Path) -> Path:
    """A data directory whose spool holds one parked row, one set aside and one queued."""
    (tmp_path / "spool").mkdir()
    db = spool_file.connect(tmp_path / "spool")
    migrate(db)
    for seq, state in enumerate(("parked", "set_aside", "queued"), 1):
        db.execute(
            "INSERT INTO submission (ticket_id, digest, channel, source_id, received_at, content_type, meta, body,"
            " size, number, state, code, ended_at) VALUES (?, 'd', 'web', ?, '2026-11-23T01:30:00+00:00',"
            " 'application/json', '{}', ?, 2, ?, ?, 'why', unixepoch())",
            (f"t{seq}", f"s{seq}", b"{}", f"n{seq}", state),
        )
    db.close()
    return tmp_path


def counts(data_dir: Path) -> dict[str, int]:
    db = spool_file.connect(data_dir / "spool")
    try:
        return dict(ledger.counts(db))
    finally:
        db.close()


def test_normalize_gives_a_valid_ticket_with_the_files_name(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"text": "楼下路灯坏了三天", "phone": "13800138000"}), "utf-8")
    (ticket,) = lines(jiesu("normalize", "web", file))
    assert ticket.pop("file") == str(file)
    jsonschema.validate(ticket, ticket_schema())
    assert ticket["text"] == "楼下路灯坏了三天"
    assert identity.is_number(ticket["number"])


def test_normalize_answers_each_line_of_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text('{"text": "first"}\n\n{"text": " "}\nnot json\n{"text": "last"}\n', "utf-8")
    first, blank, broken, last = lines(jiesu("normalize", "web", file))
    assert (first["text"], last["text"]) == ("first", "last")
    assert first["ticket_id"] != last["ticket_id"]
    assert blank["error"]["code"] == "missing"
    assert set(broken) == {"file", "error"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 100_000, b'{"text":\n"cut', b'{"text": 1}', b"null"])
def test_normalize_explains_whatever_it_cannot_read(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(content)
    (found,) = lines(jiesu("normalize", "web", file))
    assert found["file"] == str(file)
    assert set(found["error"]) == {"code", "detail"}


def test_normalize_goes_on_after_a_file_that_is_not_there(tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_text('{"text": "here"}', "utf-8")
    missing, found = lines(jiesu("normalize", "web", tmp_path / "none.json", good))
    assert missing["error"]["code"] == "unreadable"
    assert found["text"] == "here"


def test_normalize_is_a_command_without_traceback_for_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.json"
    Path(os.fsdecode(name)).write_text('{"text": "here"}', "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "normalize", "web", name], capture_output=True, check=True, timeout=HANGS
    )
    assert json.loads(done.stdout)["text"] == "here"
    assert done.stderr == b""


def test_a_faulty_configuration_is_named_and_ends_with_78(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("http:\n  lisen: 127.0.0.1:80\n", "utf-8")
    for command in (["config", "check"], ["config", "print"], ["normalize", "web", file], ["doctor"], ["dead", "list"]):
        result = jiesu(*command, "--config", file)
        assert result.exit_code == 78, command
        assert "http.lisen" in result.stderr
        assert "did you mean listen" in result.stderr


def test_config_check_reads_the_channels_blocks_too(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("channels:\n  web:\n    max_txt: 3\n", "utf-8")
    result = jiesu("config", "check", "--config", file)
    assert (result.exit_code, result.stderr) == (78, "channels.web.max_txt: unknown key (did you mean max_text?)\n")
    assert jiesu("config", "check").stdout == "ok\n"


def test_config_print_masks_secrets_and_shows_the_data_directory(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("redis:\n  url: redis://user:hunter2@localhost/0\n", "utf-8")
    shown = jiesu("config", "print", "--config", file, "--data-dir", tmp_path).stdout
    assert "hunter2" not in shown
    assert f"data_dir: {tmp_path}\n" in shown


@pytest.mark.parametrize("what", ["ticket", "event"])
def test_the_schemas_are_schemas(what: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(jiesu("schema", what).stdout))
    jsonschema.Draft202012Validator.check_schema(json.loads(jiesu("config", "schema").stdout))


def test_asyncapi_names_both_streams_and_its_payloads_are_schemas() -> None:
    found = json.loads(jiesu("schema", "asyncapi").stdout)
    assert found == asyncapi()
    assert {channel["address"] for channel in found["channels"].values()} == {"jiesu:tickets", "jiesu:events"}
    for message in found["components"]["messages"].values():
        jsonschema.Draft202012Validator.check_schema(message["payload"]["schema"])


def test_openapi_resolves_every_reference_and_guards_tickets() -> None:
    found = json.loads(jiesu("schema", "openapi").stdout)
    people = {path for path in found["paths"] if path.startswith(("/api/v1/units/me/", "/api/v1/desk/"))}
    assert {"/api/v1/units/me/tickets/{number}/sign", "/api/v1/desk/tickets"} <= people
    assert all(one["security"] == [{"bearer": []}] for path in people for one in found["paths"][path].values())
    assert set(found["paths"]) - people == {
        "/healthz",
        "/readyz",
        "/api/v1/openapi.json",
        "/api/v1/calls",
        "/api/v1/requests",
        "/api/v1/requests/{number}/messages",
        "/api/v1/tickets/{reference}",
        "/api/v1/tickets/{reference}/attachments/{sha256}",
    }
    assert found["paths"]["/api/v1/tickets/{reference}"]["get"]["security"] == [{"bearer": []}]
    assert found["paths"]["/api/v1/calls"]["post"]["security"] == [{"bearer": []}]
    content = found["paths"]["/api/v1/requests"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    for name in references(found):
        assert name.removeprefix("#/components/schemas/") in found["components"]["schemas"]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [name for value in node.values() for name in references(value)]
    return [name for value in node for name in references(value)] if isinstance(node, list) else []


def test_openapi_has_no_web_paths_while_web_is_off(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("channels:\n  web: false\n", "utf-8")
    found = json.loads(jiesu("schema", "openapi", "--config", file).stdout)
    assert "/api/v1/requests" not in found["paths"]


def test_channels_list_says_who_brings_them() -> None:
    web = next(one for one in lines(jiesu("channels", "list", "--json")) if one["name"] == "web")
    assert web["on"] is True
    assert web["owner"].startswith("jiesu ")
    assert web["why"] is None


def test_channels_list_says_why_one_is_off(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("channels:\n  web: false\n  wechat: {}\n", "utf-8")
    listed = {one["name"]: one for one in lines(jiesu("channels", "list", "--json", "--config", file))}
    why = {name: listed[name]["why"] for name in ("email", "sms", "web", "wechat")}
    assert why == {
        "email": None,
        "sms": "channels.sms is not in the configuration",
        "web": "channels.web is not in the configuration",
        "wechat": "no account: channels.wechat.token_file is missing",
    }
    assert [listed[name]["on"] for name in why] == [True, False, False, False]


def test_the_web_channel_passes_the_check() -> None:
    result = jiesu("channels", "check", "web")
    assert (result.exit_code, result.stdout) == (0, "web: ok\n"), result.stderr


def test_a_new_channel_passes_its_own_conformance_tests(tmp_path: Path) -> None:
    result = jiesu("channels", "new", "night_line", "--to", tmp_path)
    assert result.exit_code == 0, result.stderr
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"],
        cwd=result.stdout.strip(),
        capture_output=True,
        text=True,
        check=False,
        timeout=5 * HANGS,
    )
    assert done.returncode == 0, done.stdout
    assert jiesu("channels", "new", "night_line", "--to", tmp_path).exit_code == 66  # never over existing work
    assert jiesu("channels", "new", "Night", "--to", tmp_path).exit_code == 2


def test_a_token_is_shown_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    result = jiesu("tokens", "new", "--scope", "tickets:read", "--note", "unit 7", "--data-dir", tmp_path)
    _, id, secret = result.stdout.strip().split(".")
    (token,) = read_tokens(tmp_path / "tokens.jsonl").values()
    assert (token.id, token.scopes, token.note) == (id, ("tickets:read",), "unit 7")
    assert secret not in (tmp_path / "tokens.jsonl").read_text("utf-8")
    assert jiesu("tokens", "new", "--scope", "everything", "--data-dir", tmp_path).exit_code == 78


def test_parked_rows_are_listed_exported_and_offered_again(parked: Path, tmp_path: Path) -> None:
    place = ("--data-dir", parked)
    assert [row["seq"] for row in lines(jiesu("parked", "list", "--json", *place))] == [1]
    assert [row["seq"] for row in lines(jiesu("parked", "list", "--all", "--json", *place))] == [1, 2]
    assert json.loads(jiesu("parked", "show", 1, *place).stdout)["body"] == "{}"
    out = tmp_path / "out"
    assert jiesu("parked", "export", out, *place).stdout == "1 written\n"
    assert sorted(path.name for path in out.iterdir()) == ["1.body", "1.json"]
    assert (out / "1.body").read_bytes() == b"{}"
    assert jiesu("parked", "replay", *place).exit_code == 2
    assert jiesu("parked", "replay", 3, *place).exit_code == 1
    assert counts(parked)["in_flight"] == 0
    assert jiesu("parked", "replay", "--all", *place).stdout == "1 offered again\n"
    assert (counts(parked)["in_flight"], counts(parked)["set_aside"]) == (1, 1)


def test_the_spool_says_its_sums_and_offers_again_what_was_queued_lately(parked: Path) -> None:
    (found,) = lines(jiesu("spool", "status", "--json", "--data-dir", parked))
    assert (found["received"], found["parked"], found["set_aside"], found["queued"]) == (3, 1, 1, 1)
    assert jiesu("spool", "reoffer", "--since", "lately", "--data-dir", parked).exit_code == 2
    assert jiesu("spool", "reoffer", "--since", "2999-01-01", "--data-dir", parked).stdout == "0 offered again\n"
    assert jiesu("spool", "reoffer", "--since", "1h", "--data-dir", parked).stdout == "1 offered again\n"


def test_looking_for_a_spool_makes_none(tmp_path: Path) -> None:
    for command in (["spool", "status"], ["parked", "list"]):
        assert jiesu(*command, "--data-dir", tmp_path).exit_code == 66
    assert list(tmp_path.iterdir()) == []


def test_redis_away_is_said_in_one_line(tmp_path: Path) -> None:
    for command in (["tickets", "list"], ["tickets", "show", "x"], ["tickets", "follow"], ["dead", "list"]):
        result = jiesu(*command, "--data-dir", tmp_path)
        assert (result.exit_code, len(result.stderr.splitlines())) == (69, 1), command


def test_submit_says_what_could_not_be_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cli.submit.ATTEMPTS", 1)
    file = tmp_path / "one.json"
    file.write_text('{"text": "here"}', "utf-8")
    with socket.socket() as nobody:  # bound and not listening: refused
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        result = jiesu("submit", "web", file, "--json", "--url", url)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "unreachable"


def test_up_names_an_address_that_is_taken_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        where = f"127.0.0.1:{stranger.getsockname()[1]}"
        words = [sys.executable, "-m", "gateway", "up", "--data-dir", str(tmp_path / "data"), "--http", where]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=HANGS)
    assert (answer.returncode, answer.stderr) == (1, f"http.listen {where}: Address already in use\n")
    assert not (tmp_path / "data").exists(), "no server was started"


def test_doctor_finds_a_port_that_belongs_to_a_stranger(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(0)
        config = tmp_path / "config.yaml"
        config.write_text(f"http:\n  listen: 127.0.0.1:{stranger.getsockname()[1]}\n", "utf-8")
        result = jiesu("doctor", "--json", "--config", config, "--data-dir", tmp_path)
    assert result.exit_code == 1
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["check"] for one in found if not one["ok"]] == ["http"]
    assert sum(one["check"] == "packages" for one in found) == 4
