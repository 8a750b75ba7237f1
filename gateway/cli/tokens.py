"""`jiesu tokens`: bearer tokens of programs. May not keep a token: only its hash is written."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.common import EX_CONFIG, ConfigFile, DataDir, explained, fail, settings

group = typer.Typer(help="Bearer tokens of programs.", no_args_is_help=True)


@group.command()
def new(
    scope: Annotated[list[str], typer.Option("--scope", help="What it allows, such as tickets:read; may be repeated")],
    note: Annotated[str, typer.Option("--note", help="Whose it is")] = "",
    unit: Annotated[str | None, typer.Option("--unit", help="Id of the unit, with --scope unit")] = None,
    operator: Annotated[str | None, typer.Option("--operator", help="Name of the operator, with --scope desk")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print a new token: this once and never again."""
    from gateway.auth import new_token

    with explained():
        chosen = settings(config, data_dir)
        if unit is not None and unit not in chosen.region().units:
            raise fail(f"unit {unit}: there is no such unit in region {chosen.dispatch.region}", EX_CONFIG)
        typer.echo(new_token(chosen.tokens_path, scope, note, unit=unit, operator=operator))


@group.callback()
def main() -> None:
    """Keeps `new` a word of its own: typer would make a single command the group itself."""


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="tokens", help="Bearer tokens of programs.")
