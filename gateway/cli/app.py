"""The command `jiesu`. May not do anything itself: every command is in the module of its idea, and imports what it
needs when it is called.
"""

from __future__ import annotations

import typer

from gateway.cli import (
    alarms,
    calls,
    catalogue,
    channels,
    config,
    dead,
    desk,
    doctor,
    offline,
    parked,
    run,
    schema,
    spool,
    submit,
    tickets,
    tokens,
    train,
)

app = typer.Typer(
    name="jiesu",
    help="Every request, whatever the channel, becomes one ticket on one queue.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they would show what citizens wrote
)

run.register(app)
for _module in (
    submit,
    offline,
    tickets,
    parked,
    dead,
    desk,
    calls,
    alarms,
    spool,
    catalogue,
    channels,
    config,
    schema,
    tokens,
    train,
    doctor,
):
    _module.register(app)
