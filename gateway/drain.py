"""Adopt an orphaned spool: what it still holds goes to the queue under the numbers it gave, without a gateway.

May not accept anything: the spool is only emptied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gateway import ledger, spool_file
from gateway.config import Config
from gateway.pump import Pump
from gateway.spool import Spool
from gateway.writer import Writer
from workers.blobs import Blobs


@dataclass(frozen=True, slots=True)
class Drained:
    """Rows that reached an end, and how many of them were parked."""

    ended: int
    parked: int


class UnwritableError(RuntimeError):
    """The spool could not be written for so long: the disk is full, or the database busy. What is left stays."""


async def _drain(config: Config, directory: Path, patience: float) -> Drained:
    spool = Spool(directory, config.site.timezone)
    try:
        _adopt_blobs(ledger.blobs(spool.db), Blobs(directory.parent / "blobs"), Blobs(config.data_dir / "blobs"))
        before = ledger.counts(spool.db)
        after = await _empty(config, spool, patience)
        return Drained(before["in_flight"] - after["in_flight"], after["parked"] - before["parked"])
    finally:
        spool.close()


async def _empty(config: Config, spool: Spool, patience: float) -> Mapping[str, int]:
    """Let a pump run until nothing is in flight; returns the sums then."""
    writer = Writer(spool.db)
    progress = asyncio.Event()
    pump = Pump(spool, writer, config, ended=lambda size, ages: progress.set())
    tasks = [asyncio.create_task(writer.run()), asyncio.create_task(pump.run())]
    try:
        while (counts := await asyncio.to_thread(_counts, spool.directory))["in_flight"]:
            await _wait(progress, tasks, patience, writer)
        return counts
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _wait(progress: asyncio.Event, tasks: Iterable[asyncio.Task[None]], patience: float, writer: Writer) -> None:
    """Until a batch has ended since the last call. Raises what ended the writer or the pump, or as `drain`."""
    waiter = asyncio.create_task(progress.wait())
    try:
        await asyncio.wait((waiter, *tasks), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        if not waiter.done():
            raise UnwritableError if writer.failing else TimeoutError
        progress.clear()
    finally:
        waiter.cancel()


def _counts(directory: Path) -> Mapping[str, int]:
    with closing(spool_file.connect(directory)) as db:
        return ledger.counts(db)


def _adopt_blobs(names: Iterable[str], theirs: Blobs, ours: Blobs) -> None:
    """Large bodies lie beside the orphan's spool; tickets name them, so they must lie where our workers look."""
    for name in names:
        if theirs.path(name).exists() and not ours.path(name).exists():
            ours.put(theirs.get(name), date(*map(int, name.split("/")[:3])))


def drain(config: Config, directory: Path, patience: float = 60.0) -> Drained:
    """Empty the spool in `directory`.

    Raises:
        SpoolBusy: a running gateway owns it.
        UnwritableError: it could not be written for `patience` seconds.
        TimeoutError: nothing moved for `patience` seconds (Redis away?); what is left stays.
        sqlite3.Error: the spool is broken, or could not be opened.
        OSError: a blob could not be adopted (disk full …).
    """
    return asyncio.run(_drain(config, directory.resolve(), patience))
