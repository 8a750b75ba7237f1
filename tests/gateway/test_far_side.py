"""Dispatcher and workers that are started while Redis is away: ready at once, quiet, at work when it comes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import HANGS, wait_until
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


@pytest.mark.parametrize(("role", "sign"), [("dispatcher", keys.TICKETS), ("worker", "rq:workers")])
def test_a_role_started_while_redis_is_away_waits_for_it(short_tmp: Path, role: str, sign: str) -> None:
    said, log = short_tmp / "out", short_tmp / "log"
    server = EmbeddedValkey(short_tmp / "data")
    with open(said, "wb") as out, open(log, "wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", ROLE, str(short_tmp / "data"), role], stdout=out, stderr=errors
        )
    try:
        wait_until(lambda: said.read_bytes() == b"ready\n", "the role counts as ready")
        wait_until(lambda: b"queue_server_away" in log.read_bytes() or process.poll() is not None, "it says so")
        server.start()
        with connect(RedisConfig(), short_tmp / "data") as client:
            wait_until(lambda: client.exists(sign) or process.poll() is not None, "it is at work")
        process.terminate()
        assert process.wait(HANGS) == 0
    finally:
        process.kill()
        process.wait()
        server.stop()
    told = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert told.count("queue_server_away") == 1
    assert "uncaught_exception" not in told


BETWEEN = """
import signal
from rq import SimpleWorker
bootstrap = SimpleWorker.bootstrap
def stuck(self, *args):
    bootstrap(self, *args)
    print("registered", flush=True)
    signal.pause()
SimpleWorker.bootstrap = stuck
"""


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_told_to_end_before_rq_listens_to_signals_ends_as_well(short_tmp: Path, sign: signal.Signals) -> None:
    """RQ registers a worker first, which is what everybody can see of it, and installs its handlers later."""
    server = EmbeddedValkey(short_tmp / "data")
    server.start()
    with subprocess.Popen(
        [sys.executable, "-c", BETWEEN + ROLE, str(short_tmp / "data"), "worker"], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(2)] == [b"ready\n", b"registered\n"]
            process.send_signal(sign)
            assert process.wait(HANGS) == 0
        finally:
            process.kill()
            server.stop()
