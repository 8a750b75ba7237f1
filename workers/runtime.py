"""What a job needs: store, blobs, destinations, channels to reply with. Built by gateway and set once, before the
worker takes its first job. May not be imported by anything but jobs and gateway; jobs never import gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from channels.contract import Replying
from workers.blobs import Blobs
from workers.dead import Dead
from workers.destinations.contract import Destination
from workers.quota import Quota
from workers.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """How the hotline calls itself, and where citizens reach it (no slash at the end)."""

    name: str
    public_url: str


@dataclass(frozen=True, slots=True)
class Runtime:
    """`lease`: seconds a job owns a ticket. `max_attempts`: failed attempts after which a delivery is dead.
    `replying`: the channel of a name, if it is switched on and can carry answers."""

    store: Store
    dead: Dead
    blobs: Blobs
    destinations: Mapping[str, Destination]
    replying: Callable[[str], Replying | None]
    quota: Quota
    site: Site
    lease: float
    max_attempts: int
    now: Callable[[], datetime]
    jitter: Callable[[], float]
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the process's one loop, so that connections live from job to job."""
        return self.runner.run(work)


_current: list[Runtime] = []


def set_runtime(runtime: Runtime) -> None:
    """Called by gateway, once per worker process."""
    _current[:] = [runtime]


def runtime() -> Runtime:
    """The runtime of this process. Raises RuntimeError when gateway did not set one."""
    if not _current:
        raise RuntimeError("no runtime: workers are started by `jiesu work` or `jiesu up`")
    return _current[0]
