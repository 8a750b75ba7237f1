"""The served OpenAPI document and the running gateway say the same: Schemathesis reads the one and asks the other."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from gateway.auth import new_token
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.system
ST = Path(sys.executable).parent / "st"


def ask(steady, folder: Path, *options: str, seconds: float) -> str:
    """What Schemathesis says when all its checks hold for everything it could think of.

    It knows a ticket's number and id, so that it reaches what lies behind them, and mostly uses them.
    """
    _, receipt = steady.post({"text": "路灯坏了", "phone": "13800138000"})
    token = new_token(steady.directory / "tokens.jsonl", ["tickets:read", "submit:phone"])
    (folder / "schemathesis.toml").write_text(
        f"""
        hooks = "{Path(__file__).with_name("openapi_hooks.py")}"
        warnings = {{ fail-on = true }}
        [parameters]
        "path.reference" = {{ dictionary = "references", probability = 0.7 }}
        "path.number" = {{ dictionary = "numbers", probability = 0.7 }}
        [dictionaries]
        references = {{ values = ["{receipt["number"]}", "{receipt["ticket_id"]}"] }}
        numbers = {{ values = ["{receipt["number"]}"] }}
        [auth.openapi]
        bearer = {{ bearer = "{token}" }}
        """,
        "utf-8",
    )
    url = f"{steady.base}/api/v1/openapi.json"
    command = [str(ST), "run", url, "--url", steady.base, "--checks", "all", "--continue-on-failure", *options]
    command += ["--request-timeout", str(HANGS), "--suppress-health-check", "too_slow"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_until_all_is_queued(steady) -> dict[str, int]:
    """Whatever was accepted becomes a ticket: nothing is parked."""
    wait_until(lambda: not steady.counts()["in_flight"], "everything is queued", 5 * HANGS)
    counts = steady.counts()
    assert counts["received"] == counts["queued"] > 1
    return counts


def test_the_api_is_as_its_document_says(steady, tmp_path):
    said = ask(steady, tmp_path, "--max-examples", "8", "--generation-deterministic", seconds=600)
    assert "Tested: 6" in said
    wait_until_all_is_queued(steady)


@pytest.mark.soak
def test_the_api_is_as_its_document_says_in_many_cases(steady, tmp_path):
    said = ask(steady, tmp_path, "--max-examples", "1000", seconds=1800)
    print(said, wait_until_all_is_queued(steady))


def test_answers_are_described_as_they_are_written_and_parts_of_a_form_are_never_null(steady):
    with urllib.request.urlopen(f"{steady.base}/api/v1/openapi.json", timeout=HANGS) as answer:
        schemas = json.loads(answer.read())["components"]["schemas"]
    for name, schema in schemas.items():
        if name.endswith("Upload"):
            assert '"null"' not in json.dumps(schema), name
    assert '"null"' in json.dumps(schemas["RequestForm"])
