"""The commands that run the line: `up` (everything on one machine), `gateway` and `work` (the roles alone).

May not do the work of a role: roles run in processes of their own (gateway/roles.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway import logs, spool_file
from gateway.cli.common import explained
from gateway.config import Config, ConfigError, load
from gateway.listener import bind
from gateway.supervise import Role, Supervisor

if TYPE_CHECKING:
    from gateway.sandbox import Sandbox

EX_CONFIG: Final = 78
GRACE: Final = 4.0
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file; left out: the defaults")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Spool, blobs, secret, embedded server")]
Http = Annotated[str | None, typer.Option("--http", help="HOST:PORT")]


def _load(config: Path | None, data_dir: Path | None, http: str | None = None) -> Config:
    overrides: dict[str, dict[str, Any]] = {"http": {"listen": http}} if http else {}
    try:
        return load(config, data_dir=data_dir, overrides=overrides)
    except ConfigError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(EX_CONFIG) from None


def _with_smtp(config: Config, smtp: str | None) -> Config:
    """The email channel at another address. Switched off, it stays off: that is what the configuration says."""
    if smtp is None or "email" not in config.channels:
        return config
    email = {**config.channels["email"], "listen": smtp}
    return config.model_copy(update={"channels": {**config.channels, "email": email}})


def _smtp(config: Config) -> list[str]:
    """Where mail comes in, for the banner."""
    from channels.email.config import EmailConfig

    email = config.channels.get("email")
    listen = email.get("listen", EmailConfig.model_fields["listen"].default) if email is not None else None
    return [listen] if listen else []


def _refuse_unfit_channels(config: Config) -> None:
    """Raises ConfigError: a child that fails at it would be restarted for ever."""
    from gateway import reach
    from gateway.registry import Registry

    Registry().configured(config)
    reach.check(config)


def _refuse_unfit_data(config: Config) -> None:
    """Of a newer version or of another running gateway. Before anything starts."""
    directory = config.data_dir / "spool"
    with explained(), contextlib.suppress(sqlite3.Error):  # busy or full passes; the gateway itself will see
        if (directory / spool_file.FILE).exists():
            spool_file.connect(directory).close()
            os.close(spool_file.own(directory))


def _refuse_unfit_server(config: Config) -> None:
    """A Cluster, a Sentinel, a server too old: no patience would help. One that is away is waited for, later."""
    import redis

    from workers.connect import check_server, connect

    if config.redis.url is None:
        return
    hasty = config.redis.model_copy(update={"socket_timeout": config.redis.connect_timeout})
    with explained():
        try:
            with connect(hasty, config.data_dir) as client:
                check_server(client)
        except redis.RedisError:
            return
        except ValueError as error:
            raise ConfigError([f"redis: {error}"]) from None


def _bound(config: Config) -> socket.socket:
    """The listening socket, before anything is started that would be left behind."""
    try:
        return bind(config.http.address)
    except OSError as error:
        typer.echo(f"http.listen {config.http.listen}: {error.strerror or type(error).__name__}", err=True)
        raise typer.Exit(1) from None


def _far_side(config: Config) -> list[Role]:
    counts = {"urgent": config.workers.urgent, "dispatch": config.workers.dispatch}
    if config.alarms.people:
        counts["alarm"] = config.workers.alarm
    workers = [
        Role(f"worker:{queue}:{number}", ("worker", queue))
        for queue, count in counts.items()
        for number in range(count)
    ]
    return [Role("dispatcher", ("dispatcher",)), *workers]


def _sandbox(config: Config, sock: socket.socket) -> Sandbox:
    """The simulated platforms, started; they must know where we listen."""
    from gateway.sandbox import Sandbox

    with explained():
        return Sandbox(config, f"http://127.0.0.1:{sock.getsockname()[1]}")


async def _until_told() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    await stop.wait()


async def _run(
    config: Config, roles: list[Role], banner: Callable[[], str], refuse: Callable[[Config], None] = lambda _: None
) -> int:
    """Until told. `refuse` runs beside the children's start, because it imports as much as they do; raises what it
    raises, when they have ended again."""
    supervisor = Supervisor(roles, config.model_dump(mode="json"))
    told = asyncio.create_task(_until_told())
    supervisor.start()
    try:
        await asyncio.to_thread(refuse, config)
    except ConfigError:
        told.cancel()
        await supervisor.end(GRACE)
        raise
    ready = asyncio.create_task(supervisor.ready())
    await asyncio.wait((ready, told), return_when=asyncio.FIRST_COMPLETED)
    if ready.done():
        typer.echo(banner())
    await told
    ready.cancel()
    codes = await supervisor.end(GRACE)
    return codes.get("gateway") or 0


def up(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    http: Http = None,
    smtp: Annotated[str | None, typer.Option("--smtp", help="HOST:PORT of the email channel")] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="With a simulated Weibo, WeChat and X to try them on (source checkout)")
    ] = False,
) -> None:
    """Everything on one machine; Ctrl-C drains."""
    from workers.valkey import EmbeddedValkey, ValkeyError

    settings = _with_smtp(_load(config, data_dir, http), smtp)
    logs.setup(settings.log)
    _refuse_unfit_data(settings)
    _refuse_unfit_server(settings)
    sock = _bound(settings)
    played = _sandbox(settings, sock) if sandbox else None
    if played is not None:
        settings = played.config
    server = (
        EmbeddedValkey(settings.data_dir, binary=settings.redis.server, maxmemory=settings.redis.maxmemory)
        if settings.redis.url is None
        else None
    )
    try:
        if server is not None:
            server.start()
    except (ValkeyError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    host, port = sock.getsockname()[:2]

    def banner() -> str:
        mail = "".join(f"\nemail: smtp://{listen}" for listen in _smtp(settings))
        play = played.banner if played is not None else ""
        return f"web: http://{host}:{port}/  (data: {settings.data_dir}){mail}{play}"

    gateway = Role("gateway", ("gateway", str(sock.fileno())), inherits=(sock.fileno(),))

    async def main() -> int:
        watcher = asyncio.create_task(server.watch()) if server is not None else None
        try:
            return await _run(settings, [gateway, *_far_side(settings)], banner, _refuse_unfit_channels)
        finally:
            if watcher is not None:
                watcher.cancel()

    try:
        with explained():
            code = asyncio.run(main())
    finally:
        if played is not None:
            played.stop()
        if server is not None:
            server.stop()
    sys.exit(code)


def gateway(config: ConfigFile = None, data_dir: DataDir = None, http: Http = None) -> None:
    """The gateway alone; attaches to Redis."""
    from gateway.node import run_node

    settings = _load(config, data_dir, http)
    logs.setup(settings.log)
    with explained():
        _refuse_unfit_channels(settings)
    _refuse_unfit_data(settings)
    _refuse_unfit_server(settings)
    sock = _bound(settings)
    host, port = sock.getsockname()[:2]
    sys.exit(run_node(settings, [sock], lambda: typer.echo(f"web: http://{host}:{port}/")))


def work(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """The dispatcher and the RQ workers alone; they attach to Redis."""
    settings = _load(config, data_dir)
    logs.setup(settings.log)
    _refuse_unfit_server(settings)
    sys.exit(asyncio.run(_run(settings, _far_side(settings), lambda: "working")))


def register(app: typer.Typer) -> None:
    """Add the three commands."""
    app.command()(up)
    app.command()(gateway)
    app.command()(work)
