"""The pump: spooled rows become tickets on the queue, in child processes that may hang, crash or eat memory.

May not parse anything itself: whatever a row does to its child, accepting goes on and the next row is tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, Literal, TypeVar

import structlog

from gateway import ledger, trials
from gateway.config import Config
from gateway.pump_link import Message, Slot
from gateway.spool import Spool
from gateway.writer import Writer

log = structlog.get_logger()

T = TypeVar("T")
LaneName = Literal["fresh", "suspects"]
HOUR: Final = 3600.0
RESPAWN: Final = (0.0, 0.2, 1.0, 5.0)
STEADY: Final = 10.0
LINE_MAX: Final = 1 << 24
"""Bytes of one message: a report names every row of its batch, with a reason each."""


class Lane:
    """One child process and its conversation."""

    def __init__(self, pump: Pump, name: LaneName) -> None:
        self._pump = pump
        self._name = name
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._idle = False
        self.rung = False
        self.begun: set[int] = set()
        self.alone = 0
        self._connected = asyncio.Event()
        self._finished = asyncio.Event()

    async def run(self) -> tuple[int, str]:
        """Start a child and serve it until it ends; returns the row it was trying (0: none) and how it ended."""
        ours, theirs = socket.socketpair()
        descriptor = Slot.create()
        slot = Slot(descriptor)
        try:
            with theirs:
                process = await _whole(self._start(theirs.fileno(), descriptor))
            reader, self._writer = await asyncio.open_connection(sock=ours, limit=LINE_MAX)
            self.send(**self._pump.child_config)
            self._connected.set()
            watcher = asyncio.create_task(self._watch(slot, process))
            try:
                await self._converse(reader)
                code = await process.wait()
            finally:
                watcher.cancel()
            return slot.current()[0], _reason(code, late=watcher.done())
        finally:
            await self._end(slot, descriptor)
            ours.close()

    def send(self, **message: Any) -> None:
        """Say something to the child; a child that just died is found out elsewhere."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(_line(message))

    async def give(self, seq: int) -> None:
        """Hand one row to the child and wait until it has reached an end."""
        await self._connected.wait()
        self._finished.clear()
        self.send(seq=seq)
        await self._finished.wait()

    def ring(self) -> None:
        """There are new rows."""
        self.rung = True
        if self._idle:
            self._idle = self.rung = False
            self.send(bell=1)

    async def _converse(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while (line := await reader.readline()).endswith(b"\n"):  # else it was killed in the middle of a word
                await self._hear(json.loads(line))

    async def _hear(self, message: Message) -> None:
        match message["op"]:
            case "idle":
                self._idle = True
                if self.rung:
                    self.ring()
            case "begin":
                self.begun = set(message["seqs"])
                self.rung = False
                await self._pump.begin(message["seqs"])
                self.send(go=1)
            case "alone":
                self.alone = message["seq"]
                await self._pump.begin_alone(self.alone)
                self.send(go=1)
            case "finish":
                await self._pump.finish(message["ends"], message["ages"])
                self.begun = set()
                self._finished.set()
                self.send(ok=1)
            case "clear":
                await self._pump.clear(message["seqs"])
                self._finished.set()
                self.send(ok=1)
            case "renumber":
                self.send(number=await self._pump.renumber(message["seq"]))
            case "server":
                await self._pump.server(message, self.alone)
                if message["state"] == "here":
                    self.send(ok=1)

    async def _watch(self, slot: Slot, process: asyncio.subprocess.Process) -> None:
        """Kill the child when one row takes longer than the limit. Ends only by killing or by being cancelled."""
        limit = self._pump.config.pump.time_limit
        while True:
            await asyncio.sleep(min(0.25, limit / 4))
            seq, seconds = slot.current()
            if seq and seconds > limit:
                process.kill()
                return

    async def _start(self, link: int, descriptor: int) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.pump_child", self._name, str(link), str(descriptor),
            str(self._pump.spool.directory), pass_fds=(link, descriptor), stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return self._process

    async def _end(self, slot: Slot, descriptor: int) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await _whole(self._process.wait())
        slot.close()
        os.close(descriptor)
        self._idle = False


async def _whole(step: Coroutine[Any, Any, T]) -> T:
    """`step` to its end, also when we are cancelled meanwhile: a child half started, or killed and not yet waited for,
    would outlive us. Both take moments."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise


class Pump:
    """Two lanes: fresh rows in batches; and rows whose trial was cut short, each alone, so that they delay nobody."""

    def __init__(
        self,
        spool: Spool,
        writer: Writer,
        config: Config,
        *,
        ended: Callable[[int, list[float]], None],
        met: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`ended` hears, after each batch, the bytes of the rows that ended and the ages in seconds of the queued.
        `met` is awaited when a server was met that was not seen before, ere a row goes to it."""
        self.spool = spool
        self.config = config
        self.child_config: dict[str, Any] = config.model_dump(mode="json")
        self._writer = writer
        self._ended = ended
        self._met = met
        self._fresh = Lane(self, "fresh")
        self._suspects: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.server_state = "unknown"

    def ring(self) -> None:
        """There are new rows."""
        self._fresh.ring()

    async def run(self) -> None:
        """Until cancelled."""
        for seq in trials.suspects(self.spool.db):
            self._suspects.put_nowait((seq, "the gateway ended while it was tried"))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_fresh())
            group.create_task(self._run_suspects())

    async def _run_fresh(self) -> None:
        failures = 0
        while True:
            await asyncio.sleep(RESPAWN[min(failures, len(RESPAWN) - 1)])
            started = time.monotonic()
            culprit, reason = await self._fresh.run()
            failures = failures + 1 if time.monotonic() - started < STEADY and not culprit else 0
            begun, self._fresh.begun = self._fresh.begun, set()
            log.warning("pump_child_ended", lane="fresh", row=culprit, reason=reason)
            await self.clear(begun - {culprit})
            if culprit:
                self._suspects.put_nowait((culprit, reason))

    async def _run_suspects(self) -> None:
        while True:
            seq, reason = await self._suspects.get()
            lane = Lane(self, "suspects")
            running = asyncio.create_task(lane.run())
            try:
                await self._try_alone(lane, running, seq, reason)
                while not running.done() and not self._suspects.empty():
                    await self._try_alone(lane, running, *self._suspects.get_nowait())
            finally:
                running.cancel()
                await asyncio.wait((running,))

    async def _try_alone(self, lane: Lane, running: asyncio.Task[tuple[int, str]], seq: int, reason: str) -> None:
        """One attempt at one row; when it is cut short again, the row goes to the end of the line or is parked."""
        if await self._writer.insist(lambda db: trials.attempts(db, seq)) >= self.config.pump.attempts:
            await self.finish([[seq, "parked", "crashed", reason]], [])
            return
        finished = asyncio.create_task(lane.give(seq))
        try:
            await asyncio.wait((running, finished), return_when=asyncio.FIRST_COMPLETED)
        finally:
            finished.cancel()
        if running.done():
            log.warning("pump_child_ended", lane="suspects", row=seq, reason=running.result()[1])
            self._suspects.put_nowait((seq, running.result()[1]))
            if lane.alone != seq:  # no attempt: the child did not even ask for leave to begin
                await asyncio.sleep(RESPAWN[2])

    async def begin(self, seqs: list[int]) -> None:
        """A batch is about to be tried: on disk before the try."""
        await self._writer.insist(lambda db: trials.begin(db, seqs))

    async def begin_alone(self, seq: int) -> None:
        """A child is about to try a suspect: not before it is up, for a kill until then is not the row's fault."""
        await self._writer.insist(lambda db: trials.begin_alone(db, seq))

    async def clear(self, seqs: Iterable[int]) -> None:
        """Rows that were not to blame."""
        rows = list(seqs)
        if rows:
            await self._writer.insist(lambda db: trials.clear(db, rows))

    async def finish(self, ends: list[list[Any]], ages: list[float]) -> None:
        """Rows (seq, state, code, detail) that reached an end."""
        rows = [(seq, state, code, detail) for seq, state, code, detail in ends]
        self._ended(await self._writer.insist(lambda db: trials.finish(db, rows)), ages)
        for seq, state, code, _ in rows:
            if state == "parked":
                log.error("row_parked", row=seq, code=code)

    async def renumber(self, seq: int) -> str:
        """A number that nobody holds."""
        log.error("number_taken", row=seq)
        return await self._writer.insist(lambda db: self.spool.renumber(db, seq))

    async def server(self, message: Message, alone: int) -> None:
        """News of Redis, from a child that tries the suspect `alone` (0: none). Away: what ends the child now is not
        that row's fault. Another run_id: a failover or a restore may have lost the last hour; offer it again."""
        if alone and message["state"] != "here":
            await self._writer.insist(lambda db: trials.absolve(db, alone))
        if message["state"] != self.server_state:
            self.server_state = message["state"]
            level = logging.INFO if self.server_state == "here" else logging.WARNING
            log.log(level, "queue_server", state=self.server_state)
        run_id = message.get("run_id")
        known = self.spool.fact("run_id")
        if run_id is None or run_id == known:
            return
        if self._met is not None:
            await self._met()
        since = time.time() - HOUR

        def change(db: Any) -> int:
            self.spool.remember(db, "run_id", run_id)
            return ledger.reoffer(db, since) if known else 0

        rows = await self._writer.insist(change)
        log.info("rows_reoffered", rows=rows)


def _reason(code: int, *, late: bool) -> str:
    """How a child ended, for the operator."""
    if late:
        return "exceeded the time limit"
    return f"killed by signal {-code}" if code < 0 else f"exited with code {code}"


def _line(message: Message) -> bytes:
    return json.dumps(message).encode() + b"\n"
