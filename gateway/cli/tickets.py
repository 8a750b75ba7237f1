"""`jiesu tickets`: what is in the store and on the queue. May not change a ticket nor join a consumer group."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.common import AsJson, ConfigFile, DataDir, emit, explained, fail, settings, show

if TYPE_CHECKING:
    from gateway.config import Config

group = typer.Typer(help="Tickets in the store and on the queue.", no_args_is_help=True)
PAGE: Final = 200


@group.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Every ticket; with --json one whole current ticket a line."""
    with explained():
        asyncio.run(_list(settings(config, data_dir), as_json=as_json))


async def _list(config: Config, *, as_json: bool) -> None:
    from workers.connect import connect_async
    from workers.store import Store

    async with connect_async(config.redis, config.data_dir) as client:
        async for record in Store(client, domain=config.site.domain).scan():
            ticket = record.ticket().model_dump(mode="json")
            emit(ticket) if as_json else typer.echo(f"{_line(ticket)}  [{record.state}]")


@group.command("show")
def show_(
    reference: Annotated[str, typer.Argument(help="Number or ticket id")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """One ticket as it is now, its state and its later events."""
    with explained():
        found = asyncio.run(_find(settings(config, data_dir), reference))
    if found is None:
        raise fail("there is no such ticket")
    emit(found["ticket"]) if as_json else show(found)


async def _find(config: Config, reference: str) -> dict[str, Any] | None:
    from workers.connect import connect_async
    from workers.store import Store

    async with connect_async(config.redis, config.data_dir) as client:
        record = await Store(client, domain=config.site.domain).find(reference)
    if record is None:
        return None
    ticket = record.ticket().model_dump(mode="json")
    return {"state": record.state, "version": record.version, "ticket": ticket, "events": record.events()}


@group.command()
def follow(
    from_start: Annotated[bool, typer.Option("--from-start", help="Also what was not trimmed yet")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Tickets as they reach the queue, until Ctrl-C; with --json one CloudEvent a line. A look, not a record."""
    with explained():
        chosen = settings(config, data_dir)
        try:
            _follow(chosen, "0" if from_start else "$", as_json=as_json)
        except KeyboardInterrupt:
            return


def _follow(config: Config, last: str | bytes, *, as_json: bool) -> None:
    from workers import keys
    from workers.connect import BLOCK_MAX, connect

    client = connect(config.redis, config.data_dir)
    if last == "$":  # each XREAD with $ would skip what came between two of them
        newest: Any = client.xrevrange(keys.TICKETS, count=1)
        last = newest[0][0] if newest else "0"
    stopped = _stopped_by_ctrl_c()
    while not stopped.is_set():
        answer: Any = client.xread({keys.TICKETS: last}, count=PAGE, block=round(BLOCK_MAX * 1000))
        # RESP2 answers with pairs, RESP3 with a mapping of lists of pages.
        pages = answer.values() if isinstance(answer, dict) else [entries for _, entries in answer or ()]
        for entry, fields in (pair for page in pages for pair in _flat(page)):
            last = entry
            event = json.loads(fields[b"event"])
            emit(event) if as_json else typer.echo(_line(event["data"]))


def _stopped_by_ctrl_c() -> threading.Event:
    """Set by Ctrl-C, which interrupts as well: an exception out of a signal handler is lost where one cannot be raised
    (in a destructor, say), and the command would go on for ever."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    return stopped


def _flat(page: Any) -> Any:
    """redis-py nests a RESP3 page once more."""
    return page[0] if page and isinstance(page[0], list) else page


def _line(ticket: dict[str, Any]) -> str:
    return f"{ticket['number']}  {ticket['channel']:8}  {ticket['received_at']}  {ticket['title']}"


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="tickets")
