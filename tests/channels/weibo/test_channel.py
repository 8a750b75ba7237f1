"""The channel passes the conformance kit against the simulated Weibo."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from channels.fake_host import FakeHost
from channels.testing import PATIENCE, Outcome, PollerContract
from channels.weibo import Weibo
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import raw_of
from normalizer.identity import ticket_id
from normalizer.ticket import Raw
from tests.channels.weibo.accounts import block
from tests.simulators.clocks import Limit
from tests.simulators.weibo import Weibo as Simulator
from tests.simulators.weibo.gate import Limits
from tests.simulators.weibo.world import OURS, Post, Shown, User, World
from tests.waiting import until

FREE = Limits(user=Limit(10**9, 100), address=Limit(10**9, 100))
WHEN = float(int(time.time()))


class TestWeibo(PollerContract):
    channel = Weibo
    config: ClassVar[Any] = {"uid": str(OURS), "names": ["北京12345"]}
    private = ("幸福路八号", "王女士", "weibo-token", "weibo-app-secret")
    corpus = Path(__file__).parents[2] / "corpus/weibo"

    @pytest.fixture(autouse=True)
    def _started(self, request: pytest.FixtureRequest) -> None:
        self.world = World()
        self.listed: dict[str, Post] = {}
        if inspect.iscoroutinefunction(request.function):
            request.getfixturevalue("simulator")

    @pytest.fixture
    async def simulator(self, tmp_path: Path) -> AsyncIterator[Simulator]:
        weibo = Simulator(limits=FREE)
        weibo.world = self.world
        async with weibo:
            self.config = block(weibo, tmp_path)
            self.weibo = weibo
            yield weibo

    def example(self, n: int) -> Raw:
        return self._raw(n, f"@{self.world.us} 我是王女士，幸福路八号{n}单元的路灯坏了")

    def bad_example(self) -> Raw:
        """Our own account mentions itself."""
        return self._raw(1000, f"@{self.world.us} 我是王女士，住幸福路八号", int(self.config["uid"]))

    def _raw(self, n: int, text: str, uid: int = 0) -> Raw:
        uid = uid or self.world.user("王女士").id
        self.world.users.setdefault(uid, User(uid, "我们"))
        post = Post(4_900_000_000_000_000 + n, uid, text, WHEN)
        raw = raw_of(Shown(self.world, "http://pictures.invalid").post(post), datetime.now(UTC))
        self.listed[raw.source_id] = post
        return raw

    def place(self, cursor: str | None) -> object:
        """The budget's memory stands beside it."""
        walks = json.loads(cursor or "{}").get("walks", {})
        return {name: walk for name, walk in walks.items() if any(walk.values())}

    async def ready(self, host: FakeHost) -> None:
        await host.saved.wait()

    async def send(self, host: FakeHost, raw: Raw) -> Outcome:
        if ticket_id("weibo", raw.source_id) in host.taken:
            await self._polled()
            return Outcome.ACCEPTED
        post = self.listed[raw.source_id]
        host.raised.clear()
        if post.id not in self.world.posts:
            self.world.add_post(post)
            self.world.mentions = sorted({*self.world.mentions, post.id})
        async with asyncio.timeout(PATIENCE):
            while not host.raised.is_set() and self._since(host) < post.id:
                host.saved.clear()
                waits = [asyncio.create_task(event.wait()) for event in (host.saved, host.raised)]
                _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for one in pending:
                    one.cancel()
        if host.raised.is_set():
            return Outcome.TRY_AGAIN
        taken = ticket_id("weibo", raw.source_id) in host.taken
        return Outcome.ACCEPTED if taken else Outcome.REFUSED

    def _since(self, host: FakeHost) -> int:
        """Up to which post the mentions were taken."""
        walks = json.loads(host.cursor or "{}").get("walks", {})
        return int(walks.get("mentions", {}).get("since", 0))

    async def _polled(self) -> None:
        """Every list twice more: one look may have begun before."""
        before = self.weibo.gate.user.asked
        await until(lambda: self.weibo.gate.user.asked >= before + 6, "two more looks at every list")


async def test_without_an_account_it_waits_and_says_so() -> None:
    channel = Weibo(WeiboConfig())
    assert channel.lacks == "token_file"
    async with FakeHost() as host:
        running = asyncio.create_task(channel.run(host))
        await asyncio.wait({running}, timeout=0.1)
        assert not running.done()
        running.cancel()
