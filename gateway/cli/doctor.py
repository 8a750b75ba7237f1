"""`jiesu doctor`: would the line run here, and would it keep what it promises? May not change anything."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gateway.cli.common import AsJson, ConfigFile, DataDir, emit, explained, settings

if TYPE_CHECKING:
    from gateway.config import Config


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    check: str
    ok: bool
    detail: str


def doctor(as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Look at disk, Redis, ports and packages; exit 1 on a problem."""
    with explained():
        found = list(_examine(settings(config, data_dir)))
    for one in found:
        emit(asdict(one)) if as_json else typer.echo(f"{'ok ' if one.ok else 'BAD'}  {one.check}: {one.detail}")
    if not all(one.ok for one in found):
        raise typer.Exit(1)


def _examine(config: Config) -> Iterator[Finding]:
    yield _disk(config)
    yield from _redis(config)
    yield asyncio.run(_port(config))
    yield from _packages()


def _disk(config: Config) -> Finding:
    place = _existing(config.data_dir)
    free = shutil.disk_usage(place).free
    least = config.spool.min_free_disk
    mib = 1024 * 1024
    return Finding("disk", free >= least, f"{free // mib} MiB free at {place}, at least {least // mib} MiB needed")


def _existing(path: Path) -> Path:
    """The nearest folder above that is there: the data directory may not have been made yet."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _redis(config: Config) -> Iterator[Finding]:
    import redis

    from workers.connect import UnfitServerError, check_server, connect, memory_share
    from workers.dispatcher import MEMORY_ALARM
    from workers.valkey import ValkeyError, server_binary

    try:
        with connect(config.redis, config.data_dir) as client:
            facts = check_server(client)
            share = memory_share(client.info("memory"))
    except UnfitServerError as error:
        yield Finding("redis", False, str(error))
        return
    except (redis.RedisError, OSError, ValueError, ValkeyError) as error:
        if config.redis.url is not None or not isinstance(error, redis.ConnectionError):
            yield Finding("redis", False, f"cannot be asked ({type(error).__name__})")
            return
        try:
            binary = config.redis.server or server_binary()
        except ValkeyError as missing:
            yield Finding("redis", False, str(missing))
            return
        yield Finding("redis", Path(binary).exists(), f"embedded server not running; `up` starts {binary}")
        return
    yield Finding("redis", True, f"{facts.product} {facts.version}, {facts.role}, appendfsync {facts.appendfsync}")
    for doubt in facts.doubts():
        yield Finding("redis", False, doubt)
    if share is not None:
        yield Finding("memory", share < MEMORY_ALARM, f"{share:.0%} of maxmemory; when full Redis refuses writes")


async def _port(config: Config) -> Finding:
    """Free, or answered by a gateway of ours."""
    import aiohttp

    from gateway.listener import bind

    where = config.http.listen
    try:
        bind(config.http.address).close()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return Finding("http", True, f"{where} is free")
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(3)) as session,
            session.get(f"http://{where}/metrics") as answer,
        ):
            ours = "jiesu_" in await answer.text()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        ours = False
    return Finding("http", ours, f"{where} is served by a gateway" if ours else f"{where}: {reason}")


def _packages() -> Iterator[Finding]:
    from gateway.registry import DISTRIBUTION, owners

    for name, owner in owners().items():
        yield Finding("packages", owner == DISTRIBUTION, f"{name} belongs to {owner}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
