"""`jiesu config`: is it right, what is in force, what may be written. May not print a secret."""

from __future__ import annotations

import typer

from gateway.cli.common import ConfigFile, DataDir, explained, settings, show

group = typer.Typer(help="The configuration.", no_args_is_help=True)


@group.command()
def check(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Every fault, with the path of its key, and every fault of the region's files; exit 78 when there is one."""
    from gateway import reach
    from gateway.registry import Registry

    with explained():
        chosen = settings(config, data_dir)
        Registry().configured(chosen)
        reach.check(chosen)
        chosen.region()
    typer.echo("ok")


@group.command("print")
def print_(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """What is in force, as YAML, its secrets masked."""
    from gateway.config import effective

    with explained():
        typer.echo(effective(settings(config, data_dir)), nl=False)


@group.command()
def schema(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """JSON Schema of the file."""
    from gateway.config import config_schema

    with explained():
        settings(config, data_dir)
    show(config_schema())


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="config")
