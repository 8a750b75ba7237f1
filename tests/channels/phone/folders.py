"""What the tests of the drop folder share: a folder, a host beside it, and the channel watching."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from channels.fake_host import FakeHost
from channels.phone import Phone
from channels.phone.config import PhoneConfig
from tests.waiting import HANGS

POLL = 0.01
LONG = 600.0
"""Seconds that no test waits."""
NAME = "欧阳测试"


def call(call_id: str = "c1", said: str = "小区北门的路灯坏了三天了") -> bytes:
    return json.dumps({"call_id": call_id, "turns": [{"speaker": "citizen", "text": said}]}).encode()


PLAIN = "客服：您好，请问有什么可以帮您？\n市民：小区北门的路灯坏了。\n".encode()


async def until(holds: Callable[[], object]) -> None:
    """Polls until `holds()`; fails after the deadline."""
    deadline = asyncio.get_running_loop().time() + HANGS
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it never happened"
        await asyncio.sleep(POLL / 2)


class Folder:
    """The drop folder, and a host beside it. Looks are counted by files that come and go."""

    def __init__(self, path: Path, host: FakeHost) -> None:
        self.path = path
        self.host = host
        self._marks = 0

    def names(self, below: str = ".") -> list[str]:
        folder = self.path / below
        return sorted(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []

    def drop(self, name: str, content: bytes) -> Path:
        path = self.path / name
        path.write_bytes(content)
        return path

    async def looked(self, times: int = 3) -> None:
        """Returns after that many whole looks from now: each time a file of ours has been seen and refused."""
        for _ in range(times):
            self._marks += 1
            mark = f"mark-{self._marks}.json"
            self.drop(mark, b'{"call_id":5,"turns":[]}')
            await until(lambda mark=mark: mark in self.names("failed"))  # type: ignore[misc]

    def failed(self) -> list[str]:
        return [name for name in self.names("failed") if not name.startswith("mark-")]

    def reason(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.path / "failed" / f"{name}.reason.json").read_text("utf-8"))
        return document


@asynccontextmanager
async def watching(folder: Folder, **config: float) -> AsyncIterator[asyncio.Task[None]]:
    settings = PhoneConfig.model_validate({"inbox": folder.path, "settle": 0, "poll": POLL, "patience": 0, **config})
    task = asyncio.create_task(Phone(settings).run(folder.host))
    try:
        yield task
        assert not task.done(), "it ended by itself"
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=HANGS)
        assert task.done()
