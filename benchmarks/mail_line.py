"""Mails through a whole running line: accepted per second and standing on the queue, and the memory they take.

May not compare: benchmarks/mail.py has the bare server that these are ratios to.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.line import Line, free_port, resident, wait_for
from benchmarks.mail_load import load

FEW: Final = 1_000
MANY: Final = 20_000
SMALL: Final = 1800
LARGE: Final = 25_000_000
"""Bytes of a mail as it is sent; a little less than what the channel takes by default."""
ENCODED: Final = 78 / 57
"""Bytes of base64 in lines, with their ends, for each of a file."""
PATIENCE: Final = 3600.0
LOOK: Final = 0.002
ROLES: Final = ("gateway", "pump")


class MailLine(Line):
    """A `jiesu up` with the port of its mail server."""

    def __init__(self, directory: Path) -> None:
        self.smtp_port = free_port()
        super().__init__(directory, JIESU_CHANNELS__EMAIL__LISTEN=f"127.0.0.1:{self.smtp_port}")

    def send(self, size: int, seconds: float, count: int | None = None) -> float:
        """Mails accepted per second."""
        given = (count,) if count is not None else ()
        found = load(self.smtp_port, size, seconds, *given)
        if found is None:
            raise SystemExit("the line refused a mail")
        return found

    def settle(self) -> None:
        """Until every mail stands on the queue."""
        wait_for(lambda: self.unqueued() == 0, "the mails to be queued", PATIENCE)


@contextmanager
def running() -> Iterator[MailLine]:
    """A fresh line, warm."""
    with tempfile.TemporaryDirectory(prefix="jb-", ignore_cleanup_errors=True) as folder:
        line = MailLine(Path(folder) / "data")
        try:
            line.send(SMALL, 60, count=40)
            line.settle()
            yield line
        finally:
            line.stop()


def throughput(size: int, seconds: float) -> tuple[float, float]:
    """Mails accepted per second, and tickets per second that stand on the queue, from the first mail to the last."""
    with running() as line:
        before, started = line.queued(), time.perf_counter()
        accepted = line.send(size, seconds)
        line.settle()
        return accepted, (line.queued() - before) / (time.perf_counter() - started)


def memory() -> dict[str, float]:
    """RSS in MB of the gateway and of the pump's child after few and after many mails, and what one large mail takes on
    top of that while it goes through."""
    found: dict[str, float] = {}
    with running() as line:
        sent = line.queued()
        for count in (FEW, MANY):
            line.send(SMALL, PATIENCE, count=count - sent)
            line.settle()
            sent = line.queued()
            found |= {f"RSS MB, {role}, {count} mails": size for role, size in _sizes(line).items()}
        found |= _one_large(line)
    for role in ROLES:
        few, many = (found[f"RSS MB, {role}, {count} mails"] for count in (FEW, MANY))
        found[f"RSS MB more, {role}, {MANY} / {FEW} mails"] = many - few
    return found


def _one_large(line: MailLine) -> dict[str, float]:
    """MB more at the peak: of each, and of both together, looked at every few milliseconds."""
    pids, before = _pids(line), _sizes(line)
    peaks = dict.fromkeys(("together", *pids), 0.0)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(line.send, round((LARGE - 1000) / ENCODED), PATIENCE, 1)
        while not sent.done() or line.unqueued():
            more = {role: resident(pid) / 1e6 - before[role] for role, pid in pids.items()}
            more["together"] = sum(more.values())
            peaks = {role: max(peak, more[role]) for role, peak in peaks.items()}
            time.sleep(LOOK)
        sent.result()
    return {f"RSS MB more, {role}, a mail of 25 MB": peak for role, peak in peaks.items()}


def _pids(line: MailLine) -> dict[str, int]:
    return {role: pid for role, pid in line.processes().items() if role in ROLES}


def _sizes(line: MailLine) -> dict[str, float]:
    return {role: resident(pid) / 1e6 for role, pid in _pids(line).items()}
