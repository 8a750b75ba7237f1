"""The load: 64 keep-alive connections, HTTP over plain sockets, as cheap as it can be: it shares the processor.

May not know whom it loads. `python -m benchmarks.load PORT SECONDS RATE COUNT` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Final, cast

import uvloop

CONNECTIONS: Final = 64


@dataclass
class Tally:
    """What came back. Latencies in seconds, counted from the moment a request was due, not from when it was sent."""

    created: int = 0
    others: int = 0
    latencies: list[float] = field(default_factory=list)


def request_bytes() -> list[bytes]:
    """Complete HTTP requests, one for each text of requests.json."""
    texts = json.loads(files("benchmarks").joinpath("requests.json").read_text("utf-8"))
    bodies = [json.dumps(text, ensure_ascii=False).encode() for text in texts]
    head = (
        b"POST /api/v1/requests HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    return [head % len(body) + body for body in bodies]


class Connection(asyncio.Protocol):
    """One request at a time; tells the pool when it is free again."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._received = b""
        self._due = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, due: float) -> None:
        """Write one request."""
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if found and len(rest) >= _length(head):
            created = self._received.startswith(b"HTTP/1.1 201")
            self._received = b""
            self._pool.answered(self, created, self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.lost()


class Pool:
    """Sends as fast as answers come (rate 0), or at a rate whatever the answers do."""

    def __init__(self, seconds: float, rate: float, count: int) -> None:
        self.tally = Tally()
        self.done = asyncio.Event()
        self._requests = request_bytes()
        self._seconds, self._rate, self._left = seconds, rate, count
        self._next = 0
        self._free: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self._open = 0
        self.started = self.ended = 0.0

    async def run(self, port: int) -> None:
        """Until the seconds are over, or `count` requests were sent, and every answer has come."""
        loop = asyncio.get_running_loop()
        made = [await loop.create_connection(lambda: Connection(self), "127.0.0.1", port) for _ in range(CONNECTIONS)]
        self.started = time.perf_counter()
        for _, connection in made:
            self._free.append(connection)
            if not self._rate:
                self._send(time.perf_counter())
        if self._rate:
            self._tick(loop)
        await self.done.wait()
        self.ended = time.perf_counter()

    def _over(self) -> bool:
        return self._left <= 0 or time.perf_counter() - self.started >= self._seconds

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Everything that is due by now; a request that finds no free connection waits, and its wait counts."""
        now = time.perf_counter()
        while self._next / self._rate + self.started <= now and not self._over():
            self._waiting.append(self._next / self._rate + self.started)
            self._next += 1
            self._left -= 1
        while self._waiting and self._free:
            self._send(self._waiting.popleft())
        if self._over():
            self._finish()
        else:
            loop.call_later(0.0005, self._tick, loop)

    def _send(self, due: float) -> None:
        if not self._rate:
            self._next += 1
            self._left -= 1
        self._open += 1
        self._free.popleft().send(self._requests[self._next % len(self._requests)], due)

    def answered(self, connection: Connection, created: bool, due: float) -> None:
        """One answer is there: count it and send what is next."""
        now = time.perf_counter()
        self.tally.latencies.append(now - due)
        self.tally.created += created
        self.tally.others += not created
        self._open -= 1
        self._free.append(connection)
        if self._rate and self._waiting:
            self._send(self._waiting.popleft())
        elif not self._rate and not self._over():
            self._send(now)
        self._finish()

    def _finish(self) -> None:
        if not self._open and not self._waiting and self._over():
            self.done.set()

    def lost(self) -> None:
        """A connection was closed on us: the measurement is void."""
        if not self.done.is_set():
            raise SystemExit("the server closed a connection")


def _length(head: bytes) -> int:
    at = head.lower().index(b"content-length:") + 15
    return int(head[at : at + 20].partition(b"\r")[0])


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which `part` (0..1) of them lie."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * part))]


async def _main(port: int, seconds: float, rate: float, count: int) -> None:
    pool = Pool(seconds, rate, count)
    await pool.run(port)
    tally = pool.tally
    answer = {
        "created": tally.created,
        "others": tally.others,
        "per_second": tally.created / (pool.ended - pool.started),
        "p50": percentile(tally.latencies, 0.5),
        "p99": percentile(tally.latencies, 0.99),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
