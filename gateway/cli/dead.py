"""`jiesu dead`: deliveries and queue entries that were given up. May not decide that something is dead."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import AsJson, ConfigFile, DataDir, emit, explained, fail, settings, show

if TYPE_CHECKING:
    from gateway.config import Config
    from workers.dead import DeadEntry

group = typer.Typer(help="Deliveries that were given up.", no_args_is_help=True)


@group.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """All, oldest first."""
    with explained():
        found = asyncio.run(_all(settings(config, data_dir)))
    for entry in found:
        line = f"{entry.id}  {entry.at}  {entry.number}  {entry.destination}  {entry.reason}"
        emit(asdict(entry)) if as_json else typer.echo(line)


async def _all(config: Config) -> list[DeadEntry]:
    from workers.connect import connect_async
    from workers.dead import Dead

    async with connect_async(config.redis, config.data_dir) as client:
        return await Dead(client).list()


@group.command("show")
def show_(
    id: Annotated[str, typer.Argument(help="As `list` shows it")], config: ConfigFile = None, data_dir: DataDir = None
) -> None:
    """One entry."""
    with explained():
        found = {entry.id: entry for entry in asyncio.run(_all(settings(config, data_dir)))}
    if id not in found:
        raise fail("there is no such entry")
    show(asdict(found[id]))


@group.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is dead")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """A dead delivery is tried again now, with its attempts forgotten."""
    if bool(ids) == everything:
        raise fail("give the IDs, or --all", 2)
    with explained():
        unknown = asyncio.run(_replay(settings(config, data_dir), None if everything else list(ids or ())))
    if unknown:
        raise fail(f"no such entry: {', '.join(unknown)}")


async def _replay(config: Config, ids: list[str] | None) -> list[str]:
    """Replays the entries `ids` (None: all); returns the ids that are not there."""
    from workers.connect import connect_async
    from workers.dead import Dead

    async with connect_async(config.redis, config.data_dir) as client:
        dead = Dead(client)
        found = {entry.id: entry for entry in await dead.list()}
        wanted = list(found) if ids is None else [id for id in dict.fromkeys(ids) if id in found]
        for id in wanted:
            await dead.replay(found[id], time.time())
    typer.echo(f"{len(wanted)} replayed")
    return [id for id in ids or () if id not in found]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="dead")
