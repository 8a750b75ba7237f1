"""A poller between the simulated X and a host, in simulated time: when it waits, X's clock goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.x.config import XConfig
from channels.x.parse import parse, understand
from channels.x.place import Place
from channels.x.poll import Poller
from tests.channels.x.accounts import block
from tests.simulators.x import X
from tests.waiting import HANGS


class Account:
    """The simulated X, a host, and a poller between them."""

    def __init__(self, x: X, host: FakeHost, folder: Path) -> None:
        self.x, self.host, self.folder = x, host, folder
        self.slept: list[float] = []
        self.logged: list[Any] = []
        self.more: dict[str, Any] = {"interval": 60}

    @property
    def config(self) -> XConfig:
        return XConfig.model_validate(block(self.x, self.folder, **self.more))

    @property
    def place(self) -> Place:
        return Place.read(self.host.cursor)

    @property
    def texts(self) -> list[str]:
        """In the order in which they were accepted."""
        return [parse(raw, self.config).text for raw in self.host.taken.values()]

    @property
    def names(self) -> list[str]:
        return [understand(raw.body).post.id for raw in self.host.taken.values()]

    @property
    def asked(self) -> int:
        return self.x.windows.of("GET mentions", "app").asked

    def events(self, name: str) -> list[Any]:
        return [one for one in self.logged if one["event"] == name]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.x.advance(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        poller = Poller(self.config, self.host, clock=self.x.clock.now, sleep=self.sleep)
        with capture_logs() as logged:
            task = asyncio.create_task(poller.run())
            try:
                yield
                assert not task.done(), task
            finally:
                task.cancel()
                await asyncio.wait({task})
                self.logged += logged

    async def poll(self, holds: Callable[[], object]) -> None:
        """Until it is so."""
        async with self.polling():
            await self.until(holds)

    async def looks(self, count: int) -> None:
        """So many calls more."""
        before = self.asked
        await self.poll(lambda: self.asked >= before + count)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(HANGS):
            while not holds():
                await asyncio.sleep(0.002)
