"""The pump: spooled rows become tickets on the queue, in child processes that may hang, crash or eat memory.

May not parse anything itself: whatever a row does to its child, accepting goes on and the next row is tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Literal

import structlog

from gateway import ledger, trials
from gateway.config import Config
from gateway.pump_link import Message
from gateway.pump_process import ChildProcess
from gateway.spool import Spool
from gateway.writer import Writer

log = structlog.get_logger()

LaneName = Literal["fresh", "suspects"]
HOUR: Final = 3600.0
RESPAWN: Final = (0.0, 0.2, 1.0, 5.0)
STEADY: Final = 10.0


class Lane:
    """One child process at a time and its conversation; beside it, while a row is slow, the next one, warm and idle."""

    def __init__(self, pump: Pump, name: LaneName) -> None:
        self._pump = pump
        self._name = name
        self._child: ChildProcess | None = None
        self._standby: ChildProcess | None = None
        self._idle = False
        self.rung = False
        self.begun: set[int] = set()
        self.alone = 0
        self._connected = asyncio.Event()
        self._finished = asyncio.Event()

    async def run(self) -> tuple[int, str]:
        """Serve a child, the one that stands by or a new one, until it ends; returns the row it was trying (0: none)
        and how it ended. The lane is free for the next when the last one is dead and waited for."""
        child, self._standby = self._standby or self._new(), None
        self._child, self.alone = child, 0
        try:
            try:
                reader = await child.reader()
            except OSError as error:  # no memory, no descriptors, no more processes: later there may be
                return 0, f"not started: {type(error).__name__}"
            self.send(start=1)
            self._connected.set()
            watcher = asyncio.create_task(self._watch(child))
            try:
                await self._converse(reader)
                code = await child.wait()
            finally:
                watcher.cancel()
            return child.current()[0], _reason(code, late=watcher.done())
        finally:
            self._idle = False
            self._connected.clear()
            await child.end()

    async def dismiss(self) -> None:
        """End the child that stands by, if there is one."""
        standby, self._standby = self._standby, None
        if standby is not None:
            await standby.end()

    def send(self, **message: Any) -> None:
        """Say something to the child."""
        if self._child is not None:
            self._child.send(message)

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
                await self._over()
            case "clear":
                await self._pump.clear(message["seqs"])
                await self._over()
            case "renumber":
                self.send(number=await self._pump.renumber(message["seq"]))
            case "server":
                await self._pump.server(message, self.alone)
                if message["state"] == "here":
                    self.send(ok=1)

    async def _over(self) -> None:
        """The rows came to their ends in time: nobody needs to stand by."""
        self._finished.set()
        self.send(ok=1)
        await self.dismiss()

    async def _watch(self, child: ChildProcess) -> None:
        """Kill the child when one row takes longer than the limit. Ends only by killing or by being cancelled.

        From half the limit on the next child starts: those behind wait for the limit, not for a start too."""
        limit = self._pump.config.pump.time_limit
        look = min(0.25, limit / 4)
        while True:
            seq, seconds = child.current()
            left = limit - seconds if seq else limit
            if left < 0:
                child.kill()
                return
            if left < limit / 2 and self._standby is None:
                self._standby = self._new()
            await asyncio.sleep(min(look, left + 0.001))

    def _new(self) -> ChildProcess:
        return ChildProcess(self._name, self._pump.spool.directory, self._pump.child_config)


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
        try:
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
        finally:
            await self._fresh.dismiss()

    async def _run_suspects(self) -> None:
        lane = Lane(self, "suspects")
        try:
            while True:
                await self._serve_suspects(lane, *await self._suspects.get())
        finally:
            await lane.dismiss()

    async def _serve_suspects(self, lane: Lane, seq: int, reason: str) -> None:
        """One child for this row and those behind it, until it dies or there is no more to do."""
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
