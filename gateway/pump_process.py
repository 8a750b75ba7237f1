"""One child process of the pump: started in the background, asked how long its row takes, killed, always reaped.

May not know what is said to it: the lanes of gateway/pump.py do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from gateway.pump_link import Slot

T = TypeVar("T")
LINE_MAX: Final = 1 << 24
"""Bytes of one message: a report names every row of its batch, with a reason each."""


class ChildProcess:
    """Begins to start when it is made, and is given its settings; it works on nothing until it is told to. Whoever
    makes one awaits `end`, whatever happens meanwhile."""

    def __init__(self, lane: str, directory: Path, config: Mapping[str, Any]) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._slot: Slot | None = None
        self._held = contextlib.ExitStack()
        self._up = asyncio.create_task(self._start(lane, directory, config))

    async def _start(self, lane: str, directory: Path, config: Mapping[str, Any]) -> None:
        descriptor = Slot.create()
        self._held.callback(os.close, descriptor)
        self._slot = Slot(descriptor)
        self._held.callback(self._slot.close)
        ours, theirs = socket.socketpair()
        self._held.enter_context(ours)
        with theirs:
            words = (lane, str(theirs.fileno()), str(descriptor), str(directory))
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway.pump_child", *words,
                pass_fds=(theirs.fileno(), descriptor), stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=LINE_MAX)
        self.send(config)

    async def reader(self) -> asyncio.StreamReader:
        """What it says, once it has been started. Raises OSError when it could not be."""
        await asyncio.shield(self._up)
        assert self._reader is not None
        return self._reader

    def send(self, message: Mapping[str, Any]) -> None:
        """Say something to it; that it has just died is found out elsewhere."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def current(self) -> tuple[int, float]:
        """The row it tries (0: none), and for how many seconds."""
        return self._slot.current() if self._slot is not None else (0, 0.0)

    def kill(self) -> None:
        """End it now, whatever it does."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def wait(self) -> int:
        """Its exit code; below zero: the signal that ended it."""
        assert self._process is not None
        return await self._process.wait()

    async def end(self) -> None:
        """Kill it if need be, wait for it and free what it held, to the end also when we are cancelled meanwhile: a
        child half started, or killed and not yet waited for, would outlive us. Both take moments."""
        await _whole(self._end())

    async def _end(self) -> None:
        await asyncio.wait((self._up,))
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            self.kill()
            await self._process.wait()
        self._held.close()
        self._up.exception()  # seen: who needed the child was told by `reader`


async def _whole(step: Coroutine[Any, Any, T]) -> T:
    """`step` to its end, also when we are cancelled meanwhile."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise
