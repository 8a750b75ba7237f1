"""`jiesu calls`: citizens whom an operator calls because nothing else reached them. May not dial."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final
from uuid import uuid4

import typer

from gateway.cli.common import AsJson, ConfigFile, DataDir, emit, explained, fail, settings

if TYPE_CHECKING:
    from gateway.config import Config
    from workers.calls import Call, Calls, Recorded, Row, Try

group = typer.Typer(help="Citizens to be called by telephone.", no_args_is_help=True)
PAGE: Final = 100
Operator = Annotated[
    str, typer.Option("--as", metavar="NAME", default_factory=getpass.getuser, help="Who calls", show_default=False)
]


@group.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """What waits, the oldest first, without a word of whom."""
    with explained():
        for row in asyncio.run(_rows(settings(config, data_dir))):
            if as_json:
                emit(asdict(row))
            else:
                typer.echo(f"{row.id}  {row.number}  tries: {row.tries}  {row.entry.holder or '-'}")


@group.command()
def lease(
    operator: Operator,
    count: Annotated[int, typer.Option(help="How many", min=1)] = 1,
    minutes: Annotated[int, typer.Option(help="Then the lease ends by itself", min=1)] = 15,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Take up calls: whom, and what to say. Personal data."""
    with explained():
        for call in asyncio.run(_lease(settings(config, data_dir), operator, count, minutes)):
            if as_json:
                emit(asdict(call))
            else:
                typer.echo(f"{call.id}\n{call.phone}  {call.name or ''}\n\n{call.text}\n")


@group.command()
def record(
    call: Annotated[str, typer.Argument(help="As `lease` shows it")],
    outcome: Annotated[str, typer.Argument(help="reached, no_answer or wrong_number")],
    operator: Operator,
    said: Annotated[str | None, typer.Option(help="Who was reached, and what was said")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Record what came of a call that you hold."""
    from workers.calls import CallOutcome, Try
    from workers.lifecycle import Illegal

    if outcome not in list(CallOutcome):
        raise fail(f"the outcome is one of: {', '.join(CallOutcome)}", 2)
    with explained():
        made = Try(operator, uuid4().hex, CallOutcome(outcome), said)
        try:
            done = asyncio.run(_record(settings(config, data_dir), call, made))
        except Illegal as error:
            raise fail(error.detail) from None
    typer.echo("recorded; the call stays on the list" if done.stays else "recorded")


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Calls]:
    from workers.calls import Calls
    from workers.connect import connect_async
    from workers.runtime import Site
    from workers.store import Store

    async with connect_async(config.redis, config.data_dir) as client:
        store = Store(client, domain=config.site.domain)
        site = Site(config.site.name, config.public_url, config.zone)
        yield Calls(store, config.region(), site, attempts=config.workers.call_attempts)


async def _rows(config: Config) -> list[Row]:
    async with _opened(config) as calls:
        found: list[Row] = []
        while page := await calls.rows(_now(), start=len(found), count=PAGE):
            found += page
        return found


async def _lease(config: Config, operator: str, count: int, minutes: int) -> list[Call]:
    async with _opened(config) as calls:
        return await calls.lease(operator, _now(), seconds=minutes * 60, count=count)


async def _record(config: Config, call: str, made: Try) -> Recorded:
    async with _opened(config) as calls:
        return await calls.record(call, made, _now())


def _now() -> datetime:
    return datetime.now(UTC)


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="calls")
