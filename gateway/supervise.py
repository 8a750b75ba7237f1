"""Child processes of one machine: started with their configuration, restarted when they die, ended together.

May not know what a child does. A child ends by itself when its parent's end of the link closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

log = structlog.get_logger()

HEAD_START: Final = 3.0
"""Seconds that the first child may take to be ready before the others start too: they would only share its processors,
and accepting comes first."""
BACK_OFF: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
STEADY: Final = 10.0


@dataclass(frozen=True, slots=True)
class Role:
    """What a child is: its name for people, the arguments of `gateway.roles`, and descriptors it inherits."""

    name: str
    arguments: tuple[str, ...]
    inherits: tuple[int, ...] = ()


class Child:
    """One supervised process."""

    def __init__(self, role: Role, config: Mapping[str, Any]) -> None:
        self.role = role
        self._config = json.dumps(config).encode() + b"\n"
        self._process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()

    async def run(self, after: asyncio.Event) -> None:
        """Start when `after` is set (or has taken too long), and start again, until cancelled."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(after.wait(), HEAD_START)
        failures = 0
        while True:
            await asyncio.sleep(BACK_OFF[min(failures, len(BACK_OFF) - 1)])
            started = time.monotonic()
            code = await self._once()
            failures = 0 if time.monotonic() - started > STEADY else failures + 1
            log.warning("child_ended", role=self.role.name, code=code)

    async def _once(self) -> int:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway.roles", str(theirs.fileno()), *self.role.arguments,
                pass_fds=(theirs.fileno(), *self.role.inherits), stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is the parent's: it decides the order in which they end
            )  # fmt: skip
        ours.setblocking(False)
        try:
            loop = asyncio.get_running_loop()
            with contextlib.suppress(OSError):
                await loop.sock_sendall(ours, self._config)
                if await loop.sock_recv(ours, 1):
                    self.ready.set()
            return await self._process.wait()
        finally:
            ours.close()

    async def end(self, grace: float) -> int | None:
        """Ask the process to end; after `grace` seconds kill it. Returns its exit code."""
        process = self._process
        if process is None:
            return None
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(sign)
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(process.wait(), grace)
        return process.returncode


class Supervisor:
    """All children of one parent."""

    def __init__(self, roles: Sequence[Role], config: Mapping[str, Any]) -> None:
        self._children = [Child(role, config) for role in roles]
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Start the first at once, the others when it is ready."""
        at_once = asyncio.Event()
        at_once.set()
        after = at_once
        for child in self._children:
            self._tasks[child.role.name] = asyncio.create_task(child.run(after))
            after = self._children[0].ready

    async def ready(self) -> None:
        """Until the first child has said that it works; the others follow by themselves."""
        await self._children[0].ready.wait()

    async def end(self, grace: float) -> dict[str, int | None]:
        """End them all (their links close at once) and wait for each; exit codes by name."""
        codes: dict[str, int | None] = {}
        for task in self._tasks.values():
            task.cancel()
        for child in self._children:
            codes[child.role.name] = await child.end(grace)
        return codes
