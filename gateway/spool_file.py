"""The spool's file: how it is opened, which versions are refused, and who owns it.

May not know what a row means.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from gateway.migrations import refuse_newer

FILE: Final = "spool.sqlite3"


class SpoolBusy(RuntimeError):
    """Another running gateway owns this spool."""


def connect(directory: Path) -> sqlite3.Connection:
    """A connection to the spool of `directory`; usable from any one thread at a time.

    Raises:
        SpoolTooNew: a newer version of the software wrote it; nothing was touched.
    """
    db = sqlite3.connect(directory / FILE, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        refuse_newer(db)
    except BaseException:
        db.close()
        raise
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    return db


def is_busy(error: Exception) -> bool:
    """Whether somebody else held the database for too long: this passes by itself."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the extended code
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_full(error: Exception) -> bool:
    """Whether the disk is full: this passes when somebody makes room."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF == sqlite3.SQLITE_FULL


def own(directory: Path) -> int:
    """Become the one owner of the spool until the descriptor returned is closed, or the process dies.

    Raises:
        SpoolBusy: a running gateway is.
    """
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SpoolBusy(f"{directory} belongs to a running gateway") from None
    return descriptor
