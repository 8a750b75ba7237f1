"""What a job needs: store, blobs, destinations, channels to reply with. Built by gateway and set once, before the
worker takes its first job. May not be imported by anything but jobs and gateway; jobs never import gateway.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from channels.contract import Replying
from workers.alike import Alike
from workers.blobs import Blobs
from workers.dead import Dead
from workers.destinations.contract import Destination
from workers.matters import Matters
from workers.meter import Meter
from workers.quota import Quota
from workers.region import Region
from workers.store import Store
from workers.suggestion import Suggester
from workers.warning import Alarms

TIME: Final = 0.8
"""Share of the lease that a job has; RQ's own time-out (workers/dispatcher.py) lies above it."""


@dataclass(frozen=True, slots=True)
class Site:
    """How the hotline calls itself, where citizens reach it (no slash at the end), and in which zone its days are."""

    name: str
    public_url: str
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Runtime:
    """`lease`: seconds a job owns a ticket. `max_attempts`: failed attempts after which a delivery is dead.
    `units`: those that are reached by push. `replying`: the channel of a name, if it is on and can carry answers.
    `clock`: monotonic seconds. `suggester`: asked where no rule decides, if the site has trained one."""

    store: Store
    dead: Dead
    blobs: Blobs
    destinations: Mapping[str, Destination]
    units: Mapping[str, Destination]
    replying: Callable[[str], Replying | None]
    quota: Quota
    meter: Meter
    site: Site
    region: Region
    alarms: Alarms
    alike: Alike
    links: Matters
    lease: float
    max_attempts: int
    now: Callable[[], datetime]
    jitter: Callable[[], float]
    clock: Callable[[], float] = time.monotonic
    suggester: Suggester | None = None
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def run(self, work: Coroutine[Any, Any, str]) -> str:
        """Run `work` on the process's one loop, so that connections live from job to job; its word, or `timeout` when
        it was cancelled. RQ's own time-out would leave it pending, and the next job's loop would go on with it."""
        return self.runner.run(self._in_time(work))

    async def _in_time(self, work: Coroutine[Any, Any, str]) -> str:
        try:
            async with asyncio.timeout(TIME * self.lease) as limit:
                return await work
        except TimeoutError:
            if not limit.expired():
                raise  # the work's own
            return "timeout"


_current: list[Runtime] = []


def set_runtime(runtime: Runtime) -> None:
    """Called by gateway, once per worker process."""
    _current[:] = [runtime]


def runtime() -> Runtime:
    """The runtime of this process. Raises RuntimeError when gateway did not set one."""
    if not _current:
        raise RuntimeError("no runtime: workers are started by `jiesu work` or `jiesu up`")
    return _current[0]
