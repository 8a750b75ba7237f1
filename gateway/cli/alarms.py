"""`jiesu alarms`: what people were told of at once and nobody has in hand yet. May not raise an alarm."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.common import AsJson, ConfigFile, DataDir, emit, explained, fail, settings

if TYPE_CHECKING:
    from gateway.config import Config
    from workers.alarms import InHand
    from workers.store import Store

group = typer.Typer(help="Alarms that nobody has in hand yet.", no_args_is_help=True)
PAGE: Final = 100


@group.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """All, the oldest first: why, and who was told."""
    with explained():
        found = asyncio.run(_all(settings(config, data_dir)))
    for row in found:
        emit(row) if as_json else typer.echo(_line(row))


def _line(row: dict[str, Any]) -> str:
    told = ", ".join(f"{one['person']} {one['outcome']}" for one in row["told"])
    return f"{row['number']}  {row['since']}  {', '.join(row['reasons'])}  {told or '-'}"


@group.command()
def ack(
    number: Annotated[str, typer.Argument(help="The ticket's number")],
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", default_factory=getpass.getuser, help="Who", show_default=False)
    ],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Somebody has it in hand: nobody else is told."""
    from workers.lifecycle import Illegal

    with explained():
        try:
            taken = asyncio.run(_take(settings(config, data_dir), number, by))
        except Illegal as error:
            raise fail(error.detail) from None
    words = f"acknowledged before, by {taken.by}" if taken.repeated else "acknowledged"
    emit(asdict(taken)) if as_json else typer.echo(words)


async def _all(config: Config) -> list[dict[str, Any]]:
    from workers import alarms

    async with _opened(config) as store:
        found: list[dict[str, Any]] = []
        start: int | None = 0
        while start is not None:
            page = await alarms.page(store, datetime.now(UTC), start=start, count=PAGE)
            found += page.rows
            start = page.next
        return found


async def _take(config: Config, number: str, by: str) -> InHand:
    from normalizer.life import Actor, Role
    from workers import alarms

    async with _opened(config) as store:
        return await alarms.take(store, number, Actor(role=Role.OPERATOR, id=by), datetime.now(UTC))


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Store]:
    from workers.connect import connect_async
    from workers.store import Store

    async with connect_async(config.redis, config.data_dir) as client:
        yield Store(client, domain=config.site.domain)


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="alarms")
