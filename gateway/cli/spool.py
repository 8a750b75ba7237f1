"""`jiesu spool`: how full it is, offering rows again after a failover, adopting an orphan. May not drop a row."""

from __future__ import annotations

import errno
import re
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.common import EX_TEMPFAIL, EX_UNAVAILABLE, AsJson, ConfigFile, DataDir, emit, explained, fail, settings

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

group = typer.Typer(help="The spool of this gateway.", no_args_is_help=True)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])")

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@group.command()
def status(as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Rows by state: received = queued + set aside + parked + in flight."""
    from gateway import ledger
    from gateway.cli.rows import opened

    with explained(), opened(settings(config, data_dir).data_dir) as db:
        counts = dict(ledger.counts(db))
    if as_json:
        emit(counts)
        return
    for name, count in counts.items():
        typer.echo(f"{name.replace('_', ' '):10} {count}")


@group.command()
def reoffer(
    since: Annotated[str, typer.Option("--since", help="30m, 2h, 1d …, or a moment such as 2026-11-23T09:30+08:00")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Offer again what was queued since then, after a failover or a restore; the queue drops what it knows."""
    from gateway import ledger
    from gateway.cli.rows import opened, transaction

    with explained():
        chosen = settings(config, data_dir)
        begin = _moment(since, chosen.zone)
        with opened(chosen.data_dir) as db, transaction(db):
            count = ledger.reoffer(db, begin)
    typer.echo(f"{count} offered again")


def _moment(text: str, zone: ZoneInfo) -> float:
    """Unix seconds; a moment without offset is the site's."""
    if duration := _DURATION.fullmatch(text):
        return time.time() - float(duration[1]) * _SECONDS[duration[2]]
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise fail("--since: neither a duration such as 2h nor an ISO 8601 moment", 2) from None


@group.command()
def drain(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The spool's own folder")],
    patience: Annotated[float, typer.Option(min=1, help="Seconds without progress after which to give up")] = 60,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Bring an orphaned spool's rows to the queue. What is left when it gives up stays: run it again."""
    from gateway import logs
    from gateway.drain import UnwritableError
    from gateway.drain import drain as empty
    from gateway.spool_file import FILE, SpoolBusy

    with explained():
        chosen = settings(config, data_dir)
        if not (directory / FILE).exists():
            raise fail(f"{directory}: there is no spool", 66)
        logs.setup(chosen.log)  # of the pump: to standard error, and redacted
        try:
            done = empty(chosen, directory, patience)
        except SpoolBusy as error:
            raise fail(str(error), EX_UNAVAILABLE) from None
        except UnwritableError:
            raise fail(f"{directory}: cannot be written (disk full or busy): what is left stays", EX_TEMPFAIL) from None
        except TimeoutError:
            raise fail("nothing moved any more (is Redis away?): what is left stays", EX_UNAVAILABLE) from None
        except OSError as error:
            if error.errno in _FULL:
                raise fail("no room to adopt the spool's large bodies: nothing was lost", EX_TEMPFAIL) from None
            raise
    typer.echo(f"{done.ended} rows brought to an end, {done.parked} of them parked")


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="spool")
