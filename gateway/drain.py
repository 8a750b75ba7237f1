"""Adopt an orphaned spool: what it still holds goes to the queue under the numbers it gave, without a gateway.

May not accept anything: the spool is only emptied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from gateway import ledger
from gateway.config import Config
from gateway.pump import Pump
from gateway.spool import Spool
from gateway.writer import Writer
from workers.blobs import Blobs


async def _drain(config: Config, directory: Path, patience: float) -> int:
    spool = Spool(directory, config.site.timezone)
    _adopt_blobs(ledger.blobs(spool.db), Blobs(directory.parent / "blobs"), Blobs(config.data_dir / "blobs"))
    writer = Writer(spool.db)
    progress = asyncio.Event()
    pump = Pump(spool, writer, config, ended=lambda size, ages: progress.set())
    before = ledger.counts(spool.db)["in_flight"]
    tasks = [asyncio.create_task(writer.run()), asyncio.create_task(pump.run())]
    try:
        while await writer.submit(lambda db: ledger.counts(db)["in_flight"]):
            progress.clear()
            await asyncio.wait_for(progress.wait(), patience)
        return before
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        spool.close()


def _adopt_blobs(names: Iterable[str], theirs: Blobs, ours: Blobs) -> None:
    """Large bodies lie beside the orphan's spool; tickets name them, so they must lie where our workers look."""
    for name in names:
        if theirs.path(name).exists() and not ours.path(name).exists():
            ours.put(theirs.get(name), date(*map(int, name.split("/")[:3])))


def drain(config: Config, directory: Path, patience: float = 60.0) -> int:
    """Empty the spool in `directory`; returns how many rows reached an end.

    Raises:
        SpoolBusy: a running gateway owns it.
        TimeoutError: nothing moved for `patience` seconds (Redis away?); what is left stays.
    """
    return asyncio.run(_drain(config, directory.resolve(), patience))
