"""`jiesu channels`: which are installed, beginning a new one, checking one. May not switch a channel on."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.common import AsJson, ConfigFile, DataDir, emit, explained, fail, settings

if TYPE_CHECKING:
    from channels.contract import Channel

group = typer.Typer(help="Ways in.", no_args_is_help=True)
NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
PROBES: Final = (b"", b"{}", b"[" * 2000, b"\xff\xfe\0", b'{"text": 1}', b"From: a\r\n\r\nb")
TYPES: Final = ("application/json", "application/octet-stream", "message/rfc822", "multipart/form-data", "")


@group.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """What is installed, by which distribution, whether it is on, and why not."""
    from gateway.registry import Registry

    with explained():
        chosen = settings(config, data_dir)
        registry = Registry()
        installed = registry.installed()
        built = registry.configured(chosen)
    for name, owner in installed.items():
        why = _why_off(name, built.get(name))
        if as_json:
            emit({"name": name, "owner": owner, "on": why is None, "why": why})
        else:
            typer.echo(f"{name}  {'on' if why is None else 'off'}  {owner}{f'  ({why})' if why else ''}")


def _why_off(name: str, channel: Channel | None) -> str | None:
    from channels.account import NeedsAccount

    if channel is None:
        return f"channels.{name} is not in the configuration"
    if isinstance(channel, NeedsAccount) and channel.lacks is not None:
        return f"no account: channels.{name}.{channel.lacks} is missing"
    return None


@group.command()
def new(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits, _")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where its folder is made")] = Path(),
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Write a package with a channel that works and its conformance test."""
    from gateway.registry import Registry

    if not NAME.fullmatch(name):
        raise fail(f"{name}: a channel's name is lower-case letters, digits and _", 2)
    with explained():
        settings(config, data_dir)
        if name in Registry().installed():
            raise fail(f"{name}: is installed already", 2)
        folder = to / f"jiesu-{name.replace('_', '-')}"
        folder.mkdir(parents=True)
        words = {"name": name, "kind": name.title().replace("_", ""), "dist": folder.name, "module": f"jiesu_{name}"}
        for template in files("gateway.cli").joinpath("template").iterdir():
            path = folder / Template(template.name.removesuffix(".txt")).substitute(words)
            path.write_text(Template(template.read_text("utf-8")).substitute(words), "utf-8")
    typer.echo(str(folder))


@group.command()
def check(
    name: Annotated[str, typer.Argument(help="An installed channel")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Does it keep the protocol, as far as can be seen from outside? Its own tests run the whole conformance kit."""
    from gateway.registry import Registry

    with explained():
        registry = Registry()
        block = settings(config, data_dir).channels.get(name, {})
        kind = registry.find(name)
        channel = registry.build({name: block})[name]
    problems = [*_shape(kind, channel, dict(block)), *_parse(channel)]
    if problems:
        raise fail("\n".join(f"{name}: {problem}" for problem in problems))
    typer.echo(f"{name}: ok")


def _shape(kind: type[Channel], channel: Channel, block: dict[str, Any]) -> list[str]:
    from pydantic import ValidationError

    from channels.contract import Channel as Protocol

    found = [] if NAME.fullmatch(kind.name) else ["its name is not lower-case letters, digits and _"]
    if not isinstance(channel, Protocol):
        found.append("it lacks something of channels.contract.Channel")
    try:
        kind.config_type.model_validate({**block, "no_such_key": 1})
    except ValidationError:
        return found
    return [*found, "its configuration takes unknown keys (extra='forbid' is missing)"]


def _parse(channel: Channel) -> list[str]:
    """`parse` is pure and raises Rejected only, whatever the bytes."""
    from normalizer.ticket import Raw

    found: dict[str, None] = {}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for body in PROBES:
        for content_type in TYPES:
            raw = Raw(channel=channel.name, source_id="check", received_at=now, body=body, content_type=content_type)
            first, second = _outcome(channel, raw), _outcome(channel, raw)
            if first.startswith("!"):
                found[f"parse raises {first[1:]}, which is not Rejected"] = None
            elif first != second:
                found["parse is not pure: the same bytes give something else"] = None
    return list(found)


def _outcome(channel: Channel, raw: Any) -> str:
    from normalizer.errors import Rejected

    try:
        return repr(channel.parse(raw))
    except Rejected as error:
        return f"{error.code} {error.faults}"
    except Exception as error:  # that is what is being looked for
        return f"!{type(error).__name__}"


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="channels")
