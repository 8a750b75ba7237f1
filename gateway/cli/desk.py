"""`jiesu triage` and `jiesu objections`: what waits for the centre's people, and what they decide, without the API.

May not decide: workers/centre.py does, as for the API.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from uuid import uuid4

import typer

from gateway.cli.common import AsJson, ConfigFile, DataDir, emit, explained, fail, settings, show

if TYPE_CHECKING:
    from gateway.config import Config
    from workers.centre import Centre

T = TypeVar("T")

PAGE: Final = 100
USAGE: Final = 2
TRIAGE: Final = "triage"
OBJECTIONS: Final = "objections"

triage = typer.Typer(help="Tickets about which a person must decide.", no_args_is_help=True)
objections = typer.Typer(help="Units' objections, to be reviewed.", no_args_is_help=True)

Operator = Annotated[
    str, typer.Option("--as", metavar="NAME", default_factory=getpass.getuser, help="Who decides", show_default=False)
]
Numbers = Annotated[list[str] | None, typer.Argument(metavar="[NUMBER]…", help="These; left out: the oldest")]
Number = Annotated[str, typer.Argument(help="The ticket's number")]
Count = Annotated[int, typer.Option(help="How many", min=1)]
Minutes = Annotated[int, typer.Option(help="Then the lease ends by itself", min=1)]
Reason = Annotated[str | None, typer.Option(help="Why")]
Others = Annotated[list[str] | None, typer.Option(help="Id of a unit; may be repeated")]


@triage.command("list")
def triage_list(as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """What waits for a decision, the oldest first, with the reason and the candidates."""
    _list(TRIAGE, settings_of(config, data_dir), as_json=as_json)


@objections.command("list")
def objections_list(as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """What waits for a review, the oldest first."""
    _list(OBJECTIONS, settings_of(config, data_dir), as_json=as_json)


@triage.command("take")
def triage_take(
    operator: Operator,
    numbers: Numbers = None,
    count: Count = 1,
    minutes: Minutes = 15,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Hold tickets, so that nobody else decides about them. Personal data."""
    _take(TRIAGE, settings_of(config, data_dir), operator, numbers or [], count, minutes, as_json=as_json)


@objections.command("take")
def objections_take(
    operator: Operator,
    numbers: Numbers = None,
    count: Count = 1,
    minutes: Minutes = 15,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Hold tickets, so that nobody else reviews them. Personal data."""
    _take(OBJECTIONS, settings_of(config, data_dir), operator, numbers or [], count, minutes, as_json=as_json)


@triage.command()
def decide(
    number: Number,
    operator: Operator,
    lead: Annotated[str | None, typer.Option(help="Dispatch it: id of the accountable unit")] = None,
    co: Others = None,
    cc: Others = None,
    answer: Annotated[str | None, typer.Option(help="Answer it at once: the answer's text")] = None,
    refer: Annotated[str | None, typer.Option(help="Refer the citizen: id of a place to refer to")] = None,
    reason: Reason = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Dispatch (--lead), answer (--answer) or refer (--refer) a ticket that you hold."""
    given = {"dispatch": lead, "answer": answer, "refer": refer}
    chosen = [step for step, value in given.items() if value]
    if len(chosen) != 1:
        raise fail("say one of --lead, --answer, --refer", USAGE)
    says: Mapping[str, Mapping[str, object]] = {
        "dispatch": {"lead": lead, "co": tuple(co or ()), "cc": tuple(cc or ()), "reason": reason},
        "answer": {"text": answer},
        "refer": {"referral": refer, "reason": reason},
    }
    _decide(settings_of(config, data_dir), number, chosen[0], operator, says[chosen[0]])


@objections.command()
def uphold(
    number: Number,
    operator: Operator,
    lead: Annotated[str, typer.Option(help="Id of the unit that is accountable now")],
    reason: Reason = None,
    co: Others = None,
    cc: Others = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """The objection is right: another lead."""
    says = {"lead": lead, "co": tuple(co or ()), "cc": tuple(cc or ()), "reason": reason}
    _decide(settings_of(config, data_dir), number, "uphold", operator, says)


@objections.command()
def overrule(
    number: Number, operator: Operator, reason: Reason = None, config: ConfigFile = None, data_dir: DataDir = None
) -> None:
    """The objection is wrong: the lead stays."""
    _decide(settings_of(config, data_dir), number, "overrule", operator, {"reason": reason})


def settings_of(config: ConfigFile, data_dir: DataDir) -> Config:
    """The configuration, or a message and an exit code."""
    with explained():
        return settings(config, data_dir)


def _list(name: str, config: Config, *, as_json: bool) -> None:
    for row in _run(config, lambda centre: _rows(centre, name)):
        if as_json:
            emit(row)
        else:
            typer.echo(f"{row['number']}  {row['since']}  {row['holder'] or '-'}  {row['title']}")
            typer.echo(f"    {row['reason']}  {' '.join(row['candidates'])}")


async def _rows(centre: Centre, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    start: int | None = 0
    while start is not None:
        page = await centre.page(name, start=start, count=PAGE)
        rows += page.rows
        start = page.next
    return rows


def _take(
    name: str, config: Config, operator: str, numbers: list[str], count: int, minutes: int, *, as_json: bool
) -> None:
    from workers import views

    async def lease(centre: Centre) -> list[dict[str, Any]]:
        many = len(numbers) or count
        found = await centre.lease(name, operator, seconds=minutes * 60, count=many, only=numbers)
        return [views.of_ticket(record, unit=None, personal=True) for record in found]

    held = _run(config, lease)
    if not held:
        raise fail("nothing that is free")
    for view in held:
        emit(view) if as_json else show(view)


def _decide(config: Config, number: str, step: str, operator: str, says: Mapping[str, object]) -> None:
    from normalizer.life import Actor, Role, StepName
    from workers.once import Word

    said = {name: value for name, value in says.items() if value not in (None, ())}
    word = Word(StepName(step), Actor(role=Role.OPERATOR, id=operator), uuid4().hex, said)
    taken = _run(config, lambda centre: centre.take(number, word))
    typer.echo(f"{number}  {taken.state}")


def _run(config: Config, work: Callable[[Centre], Awaitable[T]]) -> T:
    """What `work` gives; why a step is refused becomes a message."""
    from normalizer.errors import Rejected
    from workers.lifecycle import Illegal

    async def whole() -> T:
        async with _opened(config) as centre:
            return await work(centre)

    with explained():
        try:
            return asyncio.run(whole())
        except Illegal as error:
            raise fail(error.detail) from None
        except Rejected as error:
            raise fail("\n".join(f"{fault.pointer[1:]}: {fault.detail}" for fault in error.faults)) from None


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Centre]:
    from workers.centre import Centre
    from workers.connect import connect_async
    from workers.store import Store

    async with connect_async(config.redis, config.data_dir) as client:
        yield Centre(Store(client, domain=config.site.domain), config.region(), lambda: datetime.now(UTC))


def register(app: typer.Typer) -> None:
    """Add the groups of commands."""
    app.add_typer(triage, name="triage")
    app.add_typer(objections, name="objections")
