"""The channel passes the conformance kit against the simulated X."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from channels.fake_host import FakeHost
from channels.testing import PATIENCE, Outcome, PollerContract
from channels.x import X
from channels.x.config import XConfig
from channels.x.parse import understand
from normalizer.errors import Rejected
from normalizer.identity import ticket_id
from normalizer.ticket import Raw
from tests.channels.x.accounts import US, block, listed
from tests.simulators.x import X as Simulator
from tests.simulators.x.world import FIRST_ID, OURS, Post, World
from tests.waiting import until

CORPUS = Path(__file__).parents[2] / "corpus/x"
WHEN = float(int(time.time()))


class TestX(PollerContract):
    channel = X
    config: ClassVar[Any] = {"user_id": OURS, "username": US}
    private = ("幸福路八号", "wang_private", "王女士", "x-bearer-token", "x-access-token-secret")
    corpus = CORPUS

    @pytest.fixture(autouse=True)
    def _started(self, request: pytest.FixtureRequest) -> None:
        self.world = World()
        if inspect.iscoroutinefunction(request.function):
            request.getfixturevalue("simulator")

    @pytest.fixture
    async def simulator(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
        x = Simulator()
        x.world = self.world
        async with x:
            x.set_limit("GET mentions", "app", 1_000_000, 900)
            monkeypatch.setattr(type(self), "config", block(x, tmp_path, look_back=604_800))
            self.x = x
            yield x

    def example(self, n: int) -> Raw:
        return self._listed(self._post(n, self.world.user("wang_private").id))

    def bad_example(self) -> Raw:
        """Our own account mentions itself."""
        return self._listed(self._post(1000, OURS))

    def _post(self, n: int, author: str) -> Post:
        name = str(FIRST_ID + n + 1)
        text = f"@{US} 我是王女士，幸福路八号{n}单元的路灯坏了"
        return self.world.posts.setdefault(name, Post(name, author, text, WHEN, name))

    def _listed(self, post: Post) -> Raw:
        body = listed(self.world, post)
        found = understand(body)
        return Raw(
            channel="x",
            source_id=found.source_id,
            received_at=datetime.now(UTC),
            body=body,
            content_type="application/json",
            meta={"digest": found.digest},
        )

    async def ready(self, host: FakeHost) -> None:
        """The first place of all is saved before anything is asked."""
        await host.saved.wait()

    async def send(self, host: FakeHost, raw: Raw) -> Outcome:
        name = understand(raw.body).post.id
        if ticket_id("x", raw.source_id) in host.taken:
            await self._polled()
            return Outcome.ACCEPTED
        host.saved.clear()
        host.raised.clear()
        if name not in self.world.mentions:
            self.world.mentions.append(name)
        waits = [asyncio.create_task(event.wait()) for event in (host.saved, host.raised)]
        done, pending = await asyncio.wait(waits, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        for one in pending:
            one.cancel()
        assert done, "it never came"
        if waits[0] not in done:
            return Outcome.TRY_AGAIN
        return Outcome.ACCEPTED if ticket_id("x", raw.source_id) in host.taken else Outcome.REFUSED

    async def _polled(self) -> None:
        """Twice more: once may have begun before."""
        window = self.x.windows.of("GET mentions", "app")
        before = window.asked
        await until(lambda: window.asked >= before + 2, "two more looks")


async def test_without_an_account_it_waits_and_says_so() -> None:
    async with FakeHost() as host:
        running = asyncio.create_task(X(XConfig()).run(host))
        await asyncio.wait({running}, timeout=0.1)
        assert not running.done()
        running.cancel()


def test_files_of_lists_are_taken_apart_and_named_as_the_poller_names_them() -> None:
    channel = X(XConfig())
    body = b'{"data":[{"id":"1","text":"a"},{"id":"2","text":"b"}],"meta":{}}'
    names = [channel.source_id(one) or "" for one in channel.submissions(body)]
    assert [name.partition(".")[0] for name in names] == ["post:1", "post:2"]
    with pytest.raises(Rejected):
        channel.source_id(b"{}")
