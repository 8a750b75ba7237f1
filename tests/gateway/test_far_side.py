"""Dispatcher and workers that are started while Redis is away: ready at once, quiet, at work when it comes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from workers import keys
from workers.connect import RedisConfig, connect
from workers.valkey import EmbeddedValkey

ROLE = """
import sys
from pathlib import Path
from gateway import far_side, logs
from gateway.config import load
config = load(None, data_dir=Path(sys.argv[1]))
logs.setup(config.log.model_copy(update={"format": "json"}))
ready = lambda: print("ready", flush=True)
sys.exit(far_side.run_dispatcher(config, ready) if sys.argv[2] == "dispatcher"
    else far_side.run_worker(config, "urgent", ready))
"""


def wait_until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


@pytest.mark.parametrize(("role", "sign"), [("dispatcher", keys.TICKETS), ("worker", "rq:workers")])
def test_a_role_started_while_redis_is_away_waits_for_it(short_tmp: Path, role: str, sign: str) -> None:
    said, log = short_tmp / "out", short_tmp / "log"
    server = EmbeddedValkey(short_tmp / "data")
    with open(said, "wb") as out, open(log, "wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", ROLE, str(short_tmp / "data"), role], stdout=out, stderr=errors
        )
    try:
        wait_until(lambda: said.read_bytes() == b"ready\n")
        wait_until(lambda: b"queue_server_away" in log.read_bytes() or process.poll() is not None)
        server.start()
        with connect(RedisConfig(), short_tmp / "data") as client:
            wait_until(lambda: bool(client.exists(sign)) or process.poll() is not None)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        server.stop()
    told = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert told.count("queue_server_away") == 1
    assert "uncaught_exception" not in told
