"""Mails accepted per second over SMTP, 250 after the spool's fsync, as ratios to a bare aiosmtpd sink on the same event
loop, loaded by the same client in the same round: by the channel alone, and by a whole running line, with its tickets.

May not judge: it prints figures. `python -m benchmarks.mail` prints its own; `… bare|alone PORT DIRECTORY` is a server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

import uvloop

from benchmarks import mail_line
from benchmarks.line import Process, free_port, wait_for
from benchmarks.mail_load import ATTACHMENT, load

SIZES: Final = {"1.8 KB": mail_line.SMALL, "100 KB attached": ATTACHMENT}


def figures(seconds: float, rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    """Mails/s and ratios for both sizes, medians over the rounds, ratios taken within a round; and memory."""
    each: list[dict[str, float]] = []
    for number in range(rounds):
        say(f"mails, round {number + 1} of {rounds}")
        each.append({name: value for size in SIZES for name, value in _round(size, seconds).items()})
    found = {name: median(one[name] for one in each) for name in each[0]}
    say("memory of mails")
    return found | mail_line.memory()


def _round(name: str, seconds: float) -> dict[str, float]:
    size = SIZES[name]
    bare, alone = (rate(kind, size, seconds) for kind in ("bare", "alone"))
    accepted, standing = mail_line.throughput(size, seconds)
    return {
        f"mails/s, {name}, bare sink": bare,
        f"mails/s, {name}, channel alone": alone,
        f"mails/s, {name}, whole line": accepted,
        f"tickets/s on the queue, {name}": standing,
        f"mails/s, {name}, channel alone / bare": alone / bare,
        f"mails/s, {name}, whole line / bare": accepted / bare,
        f"tickets/s on the queue, {name}, / bare": standing / bare,
    }


def rate(kind: str, size: int, seconds: float) -> float:
    """Mails per second that one server takes."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="jiesu-bench-") as directory:
        server = Process(["-m", "benchmarks.mail", kind, str(port), directory])
        try:
            wait_for(lambda: load(port, size, 0.1) is not None, "a mail server", 30)
            found = load(port, size, seconds)
        finally:
            server.stop()
    if found is None:
        raise SystemExit("the mail server refused a mail")
    return found


# The servers


async def _bare(port: int) -> None:
    from aiosmtpd.handlers import Sink
    from aiosmtpd.smtp import SMTP

    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: SMTP(Sink(), hostname="bench", loop=loop), "127.0.0.1", port)
    await asyncio.Event().wait()


async def _alone(port: int, directory: Path) -> None:
    from channels.email.config import EmailConfig
    from channels.email.smtp import Server
    from gateway.intake import Intake, IntakeConfig, SpoolConfig
    from gateway.spool import Spool
    from gateway.writer import Writer
    from workers.blobs import Blobs

    spool = Spool(directory / "spool", "Asia/Shanghai")
    spool.remember(spool.db, "gateway", "00")
    writer = Writer(spool.db)
    intake = Intake(
        spool,
        writer,
        Blobs(directory / "blobs"),
        intake=IntakeConfig(),
        limits=SpoolConfig(),
        secret=b"a secret of the benchmark",
        public_url="http://bench.example",
        spooled=lambda: None,
    )
    intake.open = True
    writing = asyncio.create_task(writer.run())
    host: Any = intake  # a channel's host; nothing but accept is asked of it here
    await asyncio.gather(Server(EmailConfig(listen=f"127.0.0.1:{port}"), host).run(), writing)


def main(words: list[str]) -> None:
    """One server, or the figures."""
    match words:
        case ["bare", port, _]:
            uvloop.run(_bare(int(port)))
        case ["alone", port, directory]:
            uvloop.run(_alone(int(port), Path(directory)))
        case _:
            options = argparse.ArgumentParser(prog="python -m benchmarks.mail")
            options.add_argument("--seconds", type=float, default=3.0)
            options.add_argument("--rounds", type=int, default=3)
            given: Any = options.parse_args(words)
            found = figures(given.seconds, given.rounds, lambda text: print(text, file=sys.stderr))
            print(f"{os.cpu_count()} cores, shared with the load; load average {os.getloadavg()[0]:.1f}")
            for name, value in found.items():
                print(f"{name:50} {value:12.3f}")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
