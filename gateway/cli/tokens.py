"""`jiesu tokens`: bearer tokens of programs. May not keep a token: only its hash is written."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.common import ConfigFile, DataDir, explained, settings

group = typer.Typer(help="Bearer tokens of programs.", no_args_is_help=True)


@group.command()
def new(
    scope: Annotated[list[str], typer.Option("--scope", help="What it allows, such as tickets:read; may be repeated")],
    note: Annotated[str, typer.Option("--note", help="Whose it is")] = "",
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print a new token: this once and never again."""
    from gateway.auth import new_token

    with explained():
        typer.echo(new_token(settings(config, data_dir).tokens_path, scope, note))


@group.callback()
def main() -> None:
    """Keeps `new` a word of its own: typer would make a single command the group itself."""


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="tokens", help="Bearer tokens of programs.")
