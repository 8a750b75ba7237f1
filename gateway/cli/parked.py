"""`jiesu parked`: submissions that we acknowledged and could not finish. May not drop one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.common import AsJson, ConfigFile, DataDir, emit, explained, fail, settings, show

if TYPE_CHECKING:
    from gateway.ledger import Row

group = typer.Typer(help="Submissions that could not be finished.", no_args_is_help=True)
CHUNK: Final = 500
"""Rows of one transaction: the gateway must get its turn in between."""


@group.command("list")
def list_(
    with_set_aside: Annotated[bool, typer.Option("--all", help="Also what was set aside on purpose")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """What is parked, and why."""
    from gateway import ledger
    from gateway.cli.rows import opened

    states = ("parked", "set_aside") if with_set_aside else ("parked",)
    with explained(), opened(settings(config, data_dir).data_dir) as db:
        for row in ledger.kept(db, states):
            facts = _facts(row)
            line = "  ".join(str(facts[key] or "") for key in ("seq", "number", "channel", "state", "code", "detail"))
            emit(facts) if as_json else typer.echo(line)


@group.command("show")
def show_(
    seq: Annotated[int, typer.Argument(help="As `list` shows it")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """One row with its body: personal data."""
    from gateway import ledger
    from gateway.cli.rows import opened

    with explained():
        chosen = settings(config, data_dir)
        with opened(chosen.data_dir) as db:
            row = ledger.one(db, seq)
        if row is None:
            raise fail("there is no such row")
        show({**_facts(row), "body": _body(row, chosen.data_dir).decode("utf-8", "replace")})


@group.command()
def replay(
    seqs: Annotated[list[int] | None, typer.Argument(metavar="SEQ…", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is parked")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Offer rows again, under the numbers they have; a running gateway takes them up at once."""
    from gateway import ledger
    from gateway.cli.rows import opened, transaction

    if bool(seqs) == everything:
        raise fail("give the SEQs, or --all", 2)
    with explained(), opened(settings(config, data_dir).data_dir) as db:
        wanted = [row.seq for row in ledger.kept(db, ("parked",))] if everything else list(seqs or ())
        count = 0
        for part in _chunks(wanted):
            with transaction(db):
                count += ledger.replay(db, part)
    typer.echo(f"{count} offered again")
    if not everything and count < len(set(wanted)):
        raise fail(f"{len(set(wanted)) - count} were not parked")


@group.command()
def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Write each parked submission as SEQ.body, as it arrived, and SEQ.json; nothing is removed."""
    from gateway import ledger
    from gateway.cli.rows import opened

    with explained():
        chosen = settings(config, data_dir)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        count = 0
        with opened(chosen.data_dir) as db:
            for row in ledger.kept(db, ("parked",)):
                _write(directory / f"{row.seq}.body", _body(row, chosen.data_dir))
                _write(directory / f"{row.seq}.json", json.dumps(_facts(row), ensure_ascii=False, indent=2).encode())
                count += 1
    typer.echo(f"{count} written")


def _facts(row: Row) -> dict[str, Any]:
    facts = asdict(row)
    del facts["body"]
    return facts | {"meta": json.loads(row.meta)}


def _body(row: Row, data_dir: Path) -> bytes:
    from workers.blobs import Blobs

    return Blobs(data_dir / "blobs").get(row.blob) if row.blob else row.body


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def _chunks(seqs: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(seqs), CHUNK):
        yield seqs[start : start + CHUNK]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="parked")
