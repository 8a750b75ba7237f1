"""The spool's database for commands: opened only where there is one, changed in whole transactions.

May not own the spool: a running gateway does, and goes on while a command reads or repairs.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway import spool_file
from gateway.cli.common import EX_NOINPUT, fail

FOLDER: Final = "spool"


@contextlib.contextmanager
def opened(data_dir: Path) -> Iterator[sqlite3.Connection]:
    """The spool of a data directory; says so and exits when there is none."""
    directory = data_dir / FOLDER
    if not (directory / spool_file.FILE).exists():
        raise fail(f"{directory}: there is no spool", EX_NOINPUT)
    with contextlib.closing(spool_file.connect(directory)) as db:
        yield db


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing; waits for the gateway's own transactions (`spool.connect` sets how long)."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
