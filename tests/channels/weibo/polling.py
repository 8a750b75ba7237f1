"""A poller between the simulated Weibo and a host. Time is simulated: when the poller waits, Weibo's clock goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.social.envelope import unpack
from channels.weibo.api import Api
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import id_of, read
from channels.weibo.parse import parse
from channels.weibo.place import Place
from channels.weibo.poll import Poller
from channels.weibo.post import Account
from normalizer.ticket import Inbound, Raw, Receipt
from tests.channels.weibo.accounts import block
from tests.simulators.clocks import Limit
from tests.simulators.weibo import Weibo
from tests.simulators.weibo.gate import Limits
from tests.simulators.weibo.reading import Query, Reading
from tests.simulators.weibo.world import OURS
from tests.waiting import HANGS

FREE: Final = Limits(user=Limit(10**9, 100), address=Limit(10**9, 100))


class Line:
    """The simulated Weibo, a host, and a poller between them."""

    def __init__(self, weibo: Weibo, host: FakeHost, folder: Path) -> None:
        self.weibo, self.host, self.folder = weibo, host, folder
        self.slept: list[float] = []
        self.queries: list[tuple[str, Query]] = []
        self.logged: list[Any] = []
        self.more: dict[str, Any] = {"poll": 60, "sources": ["mentions"], "replies_per_day": 0, "timeout": 1}
        self.block = block(weibo, folder)

    @property
    def config(self) -> WeiboConfig:
        return WeiboConfig.model_validate(self.block | self.more)

    @property
    def place(self) -> Place:
        return Place.read(self.host.cursor, 0)

    @property
    def ids(self) -> list[int]:
        """In the order in which they were accepted."""
        return [id_of(unpack(read(raw.body)).post) for raw in self.host.taken.values()]

    def said(self) -> list[Inbound]:
        return [self.parse(raw) for raw in self.host.taken.values()]

    def parse(self, raw: Raw) -> Inbound:
        return parse(raw, Account(str(OURS), (self.weibo.world.us,)))

    def asked(self, path: str = "statuses/mentions") -> list[Query]:
        return [query for asked, query in self.queries if asked == path]

    def offered(self) -> list[str]:
        """Source ids that reach accept from now on."""
        offered: list[str] = []
        accept = self.host.accept

        async def noting(raw: Raw) -> Receipt:
            offered.append(raw.source_id)
            return await accept(raw)

        self.host.accept = noting  # type: ignore[method-assign]
        return offered

    def events(self, name: str) -> list[Any]:
        return [one for one in self.logged if one["event"] == name]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.weibo.advance(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        config = self.config
        with capture_logs() as logged:
            async with Api(self.folder / "weibo-token", config.allow_private, timeout=config.timeout) as api:
                poller = Poller(config, self.host, self.parse, api, clock=self.weibo.clock.now, sleep=self.sleep)
                task = asyncio.create_task(poller.run())
                try:
                    yield
                    assert not task.done(), task
                finally:
                    task.cancel()
                    await asyncio.wait({task})
                    self.logged += logged

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(HANGS):
            while not holds():
                await asyncio.sleep(0.002)

    async def poll(self, holds: Callable[[], object]) -> None:
        """Until it is so."""
        async with self.polling():
            await self.until(holds)

    async def looks(self, count: int) -> None:
        """So many calls for mentions more, and what they brought is taken."""
        seen = len(self.asked()) + count
        await self.poll(lambda: len(self.asked()) > seen)

    async def came_to(self, post: int) -> None:
        await self.poll(lambda: self.place.walk("mentions").since >= post)


@pytest.fixture
async def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    async with Weibo(limits=FREE) as weibo, FakeHost() as host:
        line = Line(weibo, host, tmp_path)
        for path, name in (("statuses/mentions", "status_mentions"), ("statuses/show_batch", "batch")):
            monkeypatch.setattr(weibo._reading, name, _noted(line, path, getattr(Reading, name)))
        yield line


def _noted(line: Line, path: str, real: Callable[[Reading, Query], dict[str, Any]]) -> Callable[[Query], Any]:
    def noted(query: Query) -> dict[str, Any]:
        line.queries.append((path, query))
        return real(line.weibo._reading, query)

    return noted


def answering(line: Line, answers: list[Any]) -> None:
    """The next answers to calls for mentions: this, or with None what is true; an error is raised."""
    real = line.weibo._reading.__dict__["status_mentions"]

    def planted(query: Query) -> Any:
        found = real(query)
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        return found if answer is None else answer

    line.weibo._reading.__dict__["status_mentions"] = planted
