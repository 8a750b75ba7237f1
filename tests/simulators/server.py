"""One simulated platform as a server on loopback: in a test's own process, or as a process of its own.

What it can be told (`controls`) is a Python method, and over HTTP `POST /_control/<method>` with its arguments as a
JSON object. May not know what the platform is.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from aiohttp import ClientSession, web
from pydantic import TypeAdapter

from tests.simulators.clocks import Clock
from tests.simulators.faults import KINDS, Faults, Handler


class Simulator:
    """`async with` starts and ends it; `url` says where it is. A subclass says its `routes` and `controls`."""

    name: ClassVar[str]
    world_type: ClassVar[type]
    """A dataclass that TypeAdapter can write and read: what is kept in the state file."""
    controls: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, port: int = 0, host: str = "127.0.0.1", state: Path | None = None) -> None:
        self.clock = Clock()
        self.faults = Faults()
        self.url = ""
        self._at = (host, port)
        self._state = state
        self._adapter: TypeAdapter[Any] = TypeAdapter(self.world_type)
        self.world = self._load()
        self.closing = asyncio.Event()
        self.http: ClientSession
        self._runner: web.AppRunner | None = None

    def account(self) -> dict[str, str]:
        """What the platform's console shows to whoever connects our account: names and secrets."""
        raise NotImplementedError

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        raise NotImplementedError

    def busy(self, request: web.Request) -> web.Response:
        """The platform's own "not now"."""
        raise NotImplementedError

    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What stands before every route that is the platform's API; others go straight through."""
        return await handler(request)

    async def spoiled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """`handler`'s answer, or a bad one when it is the day for it."""
        if kind := self.faults.draw(request.method):
            return await self.faults.spoil(kind, request, handler, self.busy, self.closing)
        return await handler(request)

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._admitted], client_max_size=1024**2)
        app.add_routes([*self.routes(), web.route("*", "/_control/{name}", self._control)])
        self.http = ClientSession()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._at).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.save()
        await self.http.close()
        assert self._runner is not None
        await self._runner.cleanup()

    def set_faults(
        self,
        share: float = 0.0,
        kinds: Sequence[str] = KINDS,
        seed: int = 0,
        hang: float = 30.0,
        slow: float = 2.0,
        next: Sequence[str] = (),
    ) -> None:
        """So many of the API's answers fail from now on, and the next ones as told."""
        met = self.faults.met
        self.faults = Faults(share, kinds, seed, hang, slow, list(next), met)

    def advance(self, seconds: float) -> float:
        """Let time pass on the platform; returns its time."""
        self.clock.advance(seconds)
        return self.clock.now()

    def save(self) -> None:
        """Write what the platform knows, so that it knows it when it is started again."""
        if self._state is not None:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            self._state.write_bytes(self._adapter.dump_json(self.world))

    def _load(self) -> Any:
        if self._state is not None and self._state.exists():
            return self._adapter.validate_json(self._state.read_bytes())
        return self.world_type()

    @web.middleware
    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_control/"):
            return await handler(request)
        return await self.admit(request, handler)

    async def _control(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in ("set_faults", "advance", "save", "account", *self.controls):
            return web.json_response({"error": f"no such control: {name}"}, status=404)
        try:
            told = json.loads(await request.read() or b"{}")
            result = getattr(self, name)(**told)
            if inspect.isawaitable(result):
                result = await result
        except (TypeError, ValueError, KeyError, AssertionError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        return web.Response(body=TypeAdapter(Any).dump_json(result), content_type="application/json")


class Remote:
    """A simulator in another process: its controls as methods, `Remote(url).post_mentions(count=5)`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __getattr__(self, name: str) -> Any:
        def call(**told: object) -> Any:
            request = urllib.request.Request(
                f"{self.url}/_control/{name}", json.dumps(told).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())

        return call


def run(kind: type[Simulator], arguments: Sequence[str] | None = None) -> None:
    """A simulator as a process: the first line it prints is {"url", "account"}, and SIGTERM or Ctrl-C ends it, or with
    `--attached` the end of its standard input. `--settings` are keyword arguments of the class as a JSON object."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.simulators.{kind.name}")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, help="kept here from one start to the next")
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON object")
    parser.add_argument("--attached", action="store_true", help="end when standard input does: with whoever started it")
    told = parser.parse_args(arguments)
    asyncio.run(_run(kind(port=told.port, state=told.state, **told.settings), told.attached))


async def _run(simulator: Simulator, attached: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    if attached:
        threading.Thread(target=_when_alone, args=(loop, stop), daemon=True).start()
    async with simulator:
        print(json.dumps({"url": simulator.url, "account": simulator.account()}), flush=True)
        await stop.wait()


def _when_alone(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    os.read(sys.stdin.fileno(), 1)
    loop.call_soon_threadsafe(stop.set)
