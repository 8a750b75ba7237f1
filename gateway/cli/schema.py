"""`jiesu schema`: the published descriptions of tickets, events, streams and the HTTP API."""

from __future__ import annotations

import typer

from gateway.cli.common import ConfigFile, DataDir, explained, settings, show

group = typer.Typer(help="Descriptions for programs.", no_args_is_help=True)


@group.command()
def ticket(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """JSON Schema of a ticket."""
    from normalizer.schema import ticket_schema

    show(ticket_schema())


@group.command()
def event(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """JSON Schema of an event."""
    from normalizer.schema import event_schema

    show(event_schema())


@group.command()
def call(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """JSON Schema of a call, as POST /api/v1/calls and the drop folder take it."""
    from channels.phone.formats.call import CallDocument

    show(CallDocument.model_json_schema())


@group.command()
def asyncapi(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """AsyncAPI 3.0 of the streams."""
    from gateway.asyncapi import document

    show(document())


@group.command()
def openapi(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """OpenAPI 3.1 of the HTTP API."""
    from gateway.openapi import document

    with explained():
        show(document(settings(config, data_dir)))


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="schema")
