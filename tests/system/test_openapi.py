"""The served OpenAPI document and the running gateway say the same: Schemathesis reads the one and asks the other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from gateway.auth import new_token
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.system
UNIT = "d110102"
ST = Path(sys.executable).parent / "st"


def dispatch(steady, token: str, number: str) -> None:
    """The ticket becomes the unit's, also as one that is informed: it stays on its list whatever is done to it."""

    def call(path: str, body: dict[str, object], key: str) -> dict:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key}
        request = urllib.request.Request(f"{steady.base}/api/v1/desk{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    lease = {"numbers": [number]}
    wait_until(lambda: call("/triage/leases", lease, "l")["tickets"], "the ticket in triage")
    says = {"lead": UNIT, "cc": [UNIT], "reason": "路灯"}
    assert call(f"/tickets/{number}/dispatch", says, "d")["state"] == "dispatched"


def ask(steady, folder: Path, *options: str, seconds: float) -> str:
    """What Schemathesis says when all its checks hold for everything it could think of.

    It knows a ticket's number and id, so that it reaches what lies behind them, and mostly uses them.
    """
    _, receipt = steady.post({"text": "路灯坏了", "phone": "13800138000"})
    scopes = ["tickets:read", "submit:phone", "unit", "desk", "personal"]
    token = new_token(steady.directory / "tokens.jsonl", scopes, unit=UNIT, operator="li")
    dispatch(steady, token, receipt["number"])
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
        [[operations]]
        # What a step answers depends on what was done to the ticket before: 409 and 404 say nothing of the data.
        include-path-regex = "/(desk|units/me|tickets)/.*[{{](number|call|reference)[}}]/"
        warnings = false
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
    said = ask(steady, tmp_path, "--max-examples", "5", "--generation-deterministic", seconds=900)
    with urllib.request.urlopen(f"{steady.base}/api/v1/openapi.json", timeout=10) as answer:
        paths = json.loads(answer.read())["paths"]
    assert paths.pop("/api/v1/openapi.json"), "where the document comes from is not asked again"
    assert re.findall(r"Tested: (\d+)", said) == [str(sum(map(len, paths.values())))]
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
