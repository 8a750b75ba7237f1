"""`jiesu catalogue`: what the dispatch catalogue says of a ticket, and whether a region's folder is right.

May not dispatch anything: the same decision is only shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import EX_CONFIG, EX_NOINPUT, AsJson, ConfigFile, DataDir, emit, explained, fail, settings

if TYPE_CHECKING:
    from gateway.config import Config
    from normalizer.ticket import Ticket
    from workers.catalogue import Decided
    from workers.region import Region

group = typer.Typer(help="The dispatch catalogue: who is accountable for what, and why.", no_args_is_help=True)

File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="A ticket's JSON, without a server")]
Text = Annotated[str | None, typer.Option("--text", help="A citizen's words, without a server")]


@group.command()
def explain(
    reference: Annotated[str | None, typer.Argument(metavar="TICKET", help="Number or ticket id")] = None,
    file: File = None,
    text: Text = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """What the catalogue in force says: which rule, who leads, helps and is informed, and every conclusion."""
    from gateway.far_side import suggester
    from workers.catalogue import decide

    if [reference, file, text].count(None) != 2:
        raise fail("one of: a ticket, --file, --text", EX_NOINPUT)
    with explained():
        chosen = settings(config, data_dir)
        region = chosen.region()
        ticket = _ticket(chosen, reference, file, text)
    if ticket is None:
        raise fail("there is no such ticket")
    decided, asked = decide(ticket, region), suggester(chosen, region)
    decided = asked.advise(decided, ticket) if asked else decided
    document = described(decided, region) | {"intake": str(ticket.disposition.decision)}
    if as_json:
        emit(document)
    else:
        typer.echo("\n".join(_lines(document)))


@group.command()
def check(
    folder: Annotated[Path, typer.Argument(help="region.toml, units.csv, catalogue.toml, referrals.toml")],
) -> None:
    """Every fault of a region's folder, with file and place; exit 78 when there is one."""
    from workers.region_files import RegionError, load

    try:
        region = load(folder)
    except RegionError as error:
        raise fail("\n".join(error.problems), EX_CONFIG) from None
    typer.echo(f"ok: {len(region.units)} units, {len(region.rules)} rules, {len(region.referrals)} referrals")


def _ticket(config: Config, reference: str | None, file: Path | None, text: str | None) -> Ticket | None:
    if file is not None:
        return _from_file(file)
    return _from_text(config, text) if text is not None else asyncio.run(_stored(config, reference or ""))


def _from_file(file: Path) -> Ticket:
    from pydantic import ValidationError

    from normalizer.ticket import Ticket

    try:
        return Ticket.model_validate_json(file.read_bytes())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise fail(f"{file}: {faults}", EX_NOINPUT) from None


def _from_text(config: Config, text: str) -> Ticket:
    """As if it had come in by a form with nothing but words."""
    from normalizer import Raw, identity, pipeline
    from normalizer.ticket import Inbound

    now, body = datetime.now(config.zone), text.encode("utf-8", "replace")
    digest = identity.content_digest(body)
    raw = Raw(channel="web", source_id=digest, received_at=now, body=body)
    inbound = Inbound(text=body.decode(), digest=digest)
    return pipeline.normalize(raw, inbound, number=identity.number(now.date(), 0, 0), config=config.normalizer)


async def _stored(config: Config, reference: str) -> Ticket | None:
    from workers.connect import connect_async
    from workers.store import Store

    async with connect_async(config.redis, config.data_dir) as client:
        record = await Store(client, domain=config.site.domain).find(reference)
    return record.ticket() if record else None


def described(decided: Decided, region: Region) -> dict[str, Any]:
    """A decision for people and programs: units and referrals with their names."""

    def units(ids: tuple[str, ...]) -> list[dict[str, str]]:
        return [{"id": one, "name": region.units[one].name} for one in ids]

    referral = region.referrals[decided.referral] if decided.referral else None
    return {
        "decision": "triage" if decided.needs_a_person else str(decided.decision),
        "reason": decided.reason,
        "rule": decided.rule,
        "lead": units((decided.lead,))[0] if decided.lead else None,
        "co": units(decided.co),
        "cc": units(decided.cc),
        "candidates": units(decided.candidates),
        "accused": units(decided.accused),
        "referral": {"id": referral.id, "name": referral.name, "contact": referral.contact} if referral else None,
        "why": list(decided.why),
        "region": {"name": region.facts.name, "version": region.facts.version},
    }


def _lines(document: Mapping[str, Any]) -> list[str]:
    shown = [f"decision    {document['decision']}", f"rule        {document['rule'] or 'none'}"]
    shown.append(f"reason      {document['reason']}")
    if referral := document["referral"]:
        shown.append(f"referral    {referral['id']}  {referral['name']}  {referral['contact']}")
    if lead := document["lead"]:
        shown.append(f"lead        {lead['id']}  {lead['name']}")
    for part in ("co", "cc", "candidates"):
        shown += [f"{part:11} {unit['id']}  {unit['name']}" for unit in document[part]]
    if document["intake"] != "dispatch":
        shown.append(f"intake      {document['intake']}, which comes before the catalogue")
    return [*shown, "why", *(f"  {conclusion}" for conclusion in document["why"])]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="catalogue")
