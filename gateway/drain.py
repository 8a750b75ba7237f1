"""Adopt an orphaned spool: what it still holds goes to the queue under the numbers it gave, without a gateway.

May not accept anything: the spool is only emptied.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway import ledger
from gateway.config import Config
from gateway.pump import Pump
from gateway.spool import Spool
from gateway.writer import Writer


async def _drain(config: Config, directory: Path, patience: float) -> int:
    spool = Spool(directory, config.site.timezone)
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


def drain(config: Config, directory: Path, patience: float = 60.0) -> int:
    """Empty the spool in `directory`; returns how many rows reached an end.

    Raises:
        SpoolBusy: a running gateway owns it.
        TimeoutError: nothing moved for `patience` seconds (Redis away?); what is left stays.
    """
    return asyncio.run(_drain(config, directory, patience))
