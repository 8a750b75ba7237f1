"""What the commands share: their two options, the configuration, errors as messages with an exit code, JSON lines.

May not know any single command.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from gateway.config import Config

# sysexits.h
EX_NOINPUT: Final = 66
EX_UNAVAILABLE: Final = 69
EX_TEMPFAIL: Final = 75
EX_CONFIG: Final = 78

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="YAML file; left out: the defaults", show_default=False)
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="Instead of data_dir in the file", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document a line")]


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """What an operator can put right becomes a message on standard error and an exit code (sysexits.h)."""
    import redis

    from gateway.config_text import ConfigError
    from gateway.migrations import SpoolTooNew
    from gateway.spool_file import SpoolBusy
    from workers.connect import UnfitServerError
    from workers.valkey import ValkeyError

    try:
        yield
    except ConfigError as error:
        raise fail("\n".join(error.problems), EX_CONFIG) from None
    except redis.RedisError as error:
        raise fail(f"Redis cannot be asked now ({type(error).__name__})", EX_UNAVAILABLE) from None
    except (UnfitServerError, ValkeyError, SpoolTooNew, SpoolBusy) as error:
        raise fail(str(error), EX_UNAVAILABLE) from None
    except sqlite3.Error as error:
        raise fail(f"the spool cannot be used now: {error}", EX_UNAVAILABLE) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise fail(f"{where}{error.strerror or type(error).__name__}", EX_NOINPUT) from None


def fail(message: str, code: int = 1) -> typer.Exit:
    """Says `message` on standard error; to be raised."""
    typer.echo(message, err=True)
    return typer.Exit(code)


def settings(file: Path | None, data_dir: Path | None) -> Config:
    """The configuration in force, inside `explained`."""
    from gateway.config import load

    return load(file, data_dir=data_dir)


def emit(document: object) -> None:
    """One JSON document on one line; a file name that is not UTF-8 does not stop it."""
    typer.echo(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


def show(document: object) -> None:
    """One JSON document for people."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "replace"))
