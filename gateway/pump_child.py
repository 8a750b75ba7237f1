"""The pump's killable child: rows in order, parse, normalize, one batch to the queue, report.

May not write the spool: it reads rows itself and tells the gateway, the one writer, what became of them.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import socket
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import redis

from channels.contract import Channel
from gateway import ledger, logs, memory, spool_file
from gateway.config import Config, site_secret
from gateway.ledger import Row
from gateway.pump_link import ChildLink, Closed, Slot
from gateway.registry import Registry
from gateway.spool_file import is_busy
from normalizer import identity, normalize
from normalizer.errors import Rejected
from normalizer.pipeline import warm
from normalizer.ticket import Attachment, AttachmentRef, BlobRef, Inbound, Raw, SetAside, Tier, Undelivered, UnitWord
from workers.blobs import Blobs
from workers.connect import connect, connect_async, error_code, is_away, reply_code
from workers.queue import QUEUED, Item, Result, TicketQueue, alone, item
from workers.returned import Returns
from workers.store import Store
from workers.unit_mail import FORGED, UnitLetter, UnitMail, is_forged

T = TypeVar("T")

PR_SET_PDEATHSIG: Final = 1
IDLE: Final = 1.0
LOOK_EVERY: Final = 1.0
BACK_OFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
BATCH_BYTES: Final = 4 * 1024 * 1024
PATIENCE: Final = 30.0
"""Seconds a message waits for the request whose number it names; what must be read at once waits URGENT_PATIENCE."""
URGENT_PATIENCE: Final = 5.0
EARLY_AGAIN: Final = (0.5, 5.0)
"""Seconds after which an early row is looked at again, at least and at most."""
PARKING: Final = ("", "WRONGTYPE")
"""What an item's error may start with to park its row: the script's own words, and a key of another type."""


@dataclass(frozen=True, slots=True)
class End:
    """What became of a row, in the words of the spool."""

    seq: int
    state: str
    code: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A row that opens no ticket and says something of one: that what we sent did not arrive, or what a unit did.
    Recorded at its ticket, then set aside."""

    end: End
    channel: str
    says: Undelivered | UnitLetter
    at: datetime


@dataclass(slots=True)
class Early:
    """A row that waits for another: since when, and when it is tried again (monotonic seconds)."""

    since: float
    again: float = 0.0

    def wait(self, now: float) -> None:
        """The longer it has waited, the longer until the next look."""
        self.again = now + min(max(now - self.since, EARLY_AGAIN[0]), EARLY_AGAIN[1])


class StorageAway(Exception):
    """A blob could not be written: not the row's fault."""


class Child:
    """One lane of the pump."""

    def __init__(self, link: ChildLink, slot: Slot, config: Config, directory: Path) -> None:
        self._link = link
        self._slot = slot
        self._config = config
        self._db = spool_file.connect(directory)
        self._db.execute("PRAGMA query_only = ON")
        self._channels: Mapping[str, Channel] = Registry().configured(config)
        self._blobs = Blobs(config.data_dir / "blobs")
        self._secret = site_secret(config)
        self._client: redis.Redis = connect(config.redis, config.data_dir)
        self._queue = TicketQueue(self._client, grace=config.workers.lease)
        self._returns = Returns(self._client, domain=config.site.domain)
        self._runner = asyncio.Runner()
        store = Store(connect_async(config.redis, config.data_dir), domain=config.site.domain)
        self._unit_mail = UnitMail(store, config.region, config.zone, config.dispatch.mailboxes)
        self._run_id = ""
        self._look_again = 0.0
        self._early: dict[int, Early] = {}

    def serve_fresh(self) -> None:
        """Untried rows, batch after batch, until the gateway goes away."""
        while True:
            self._look()  # first: bells that ring meanwhile are dropped, and the rows are read after it
            rows = self._fresh()
            if not rows:
                self._link.tell(op="idle")
                self._link.wait(IDLE)
                continue
            self._link.ask(op="begin", seqs=[row.seq for row in rows])
            self._try(rows)

    def serve_suspects(self) -> None:
        """Single rows, as the gateway hands them out, until it goes away."""
        while True:
            seq = self._link.receive()["seq"]
            row = ledger.one(self._db, seq)
            if row is None or row.state != "received":
                self._link.ask(op="finish", ends=[], ages=[])
            else:
                self._link.ask(op="alone", seq=seq)
                self._try([row])

    def _fresh(self) -> list[Row]:
        try:
            now = time.monotonic()
            waiting = [seq for seq, early in self._early.items() if now < early.again]
            return ledger.fresh(self._db, limit=self._config.pump.batch, max_bytes=BATCH_BYTES, without=waiting)
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise  # a broken spool: this child ends, the log says why, and the next one looks again
            return []  # for longer than the driver waits: the next round sees the same rows

    def _try(self, rows: Sequence[Row]) -> None:
        ends: list[End] = []
        items: list[tuple[Row, Item]] = []
        reports: list[Report] = []
        try:
            for row in rows:
                match self._conclude(row):
                    case End() as end:
                        ends.append(end)
                    case Report() as report:
                        reports.append(report)
                    case Item() as one:
                        items.append((row, one))
        except StorageAway:
            # Wait first: after the answer the gateway may already have sent the next row.
            self._link.wait(IDLE)
            self._link.ask(op="clear", seqs=[row.seq for row in rows])
            return
        ends += [self._insist(partial(self._record, report)) for report in reports]
        ends += self._enqueue(items)
        ended = {end.seq for end in ends}
        if early := [row.seq for row in rows if row.seq not in ended]:
            self._link.ask(op="clear", seqs=early)
        if not ends:
            return
        now = time.time()
        first = {end.seq for end in ends if end.state == "queued" and end.code != "known"}  # not what is offered again
        ages = [now - datetime.fromisoformat(row.received_at).timestamp() for row, _ in items if row.seq in first]
        self._link.ask(op="finish", ends=[[e.seq, e.state, e.code, e.detail] for e in ends], ages=ages)

    def _conclude(self, row: Row) -> Item | Report | End:
        """Parse and normalize one row under the eyes of the gateway's clock."""
        self._slot.enter(row.seq)
        try:
            return self._item(row)
        except StorageAway:
            raise
        except Rejected as error:
            return End(row.seq, "parked", error.code, error.detail)
        except Exception as error:
            return End(row.seq, "parked", "exception", _where(error))
        finally:
            self._slot.enter(0)

    def _item(self, row: Row) -> Item | Report | End:
        channel = self._channels.get(row.channel)
        if channel is None:
            return End(row.seq, "parked", "unknown_channel", "No enabled channel has this name.")
        raw = row.raw(self._blobs.get(row.blob) if row.blob else None)
        inbound = self._as_whose(channel.parse(raw))
        if inbound.set_aside is not None and (inbound.unit_word is not None or not inbound.threads):
            return self._aside(row, raw, inbound, inbound.set_aside)
        ticket = normalize(
            raw,
            inbound,
            number=row.number,
            attachments=tuple(map(self._keep, inbound.attachments)),
            raw_ref=BlobRef(blob=row.blob, sha256=row.blob[-64:], size=row.size) if row.blob else None,
            config=self._config.normalizer,
        )
        code = identity.receipt_code(row.ticket_id, self._secret)
        return item(ticket, inbound, code=code, domain=self._config.site.domain)

    def _as_whose(self, inbound: Inbound) -> Inbound:
        """What the mailbox of a unit wrote that has another one by now, or none, is a submission as any other."""
        word = inbound.unit_word
        if word is None or self._unit_mail.knows(word):
            return inbound
        return inbound.model_copy(update={"set_aside": None, "unit_word": None})

    def _aside(self, row: Row, raw: Raw, inbound: Inbound, aside: SetAside) -> Report | End:
        """What opens no ticket, and what it says of one. A forger's files do not reach the disk."""
        end = _set_aside(row.seq, aside)
        if inbound.undelivered is not None:
            return Report(end, row.channel, inbound.undelivered, raw.received_at)
        word = inbound.unit_word
        if word is None:
            return end
        if is_forged(inbound.verified):
            return _set_aside(row.seq, FORGED)
        letter = self._letter(raw, word, inbound)
        return Report(end, row.channel, letter, raw.received_at)

    def _letter(self, raw: Raw, word: UnitWord, inbound: Inbound) -> UnitLetter:
        key, files = f"{raw.channel}:{raw.source_id}", tuple(map(self._keep, inbound.attachments))
        return UnitLetter(word, key, raw.received_at, files, inbound.verified)

    def _record(self, report: Report) -> End:
        """The row's end once the report stands at its ticket; parked if it cannot, so that it holds up no other row.
        Not under the gateway's clock: what takes long here is Redis, not the row. Raises when Redis is away."""
        try:
            if isinstance(report.says, UnitLetter):
                return _set_aside(report.end.seq, self._runner.run(self._unit_mail.record(report.says)))
            self._returns.record(report.channel, report.says, report.at)
        except OSError:
            raise
        except redis.RedisError as error:
            if is_away(error):
                raise
            return End(report.end.seq, "parked", "queue_error", error_code(error) or type(error).__name__)
        except Exception as error:
            return End(report.end.seq, "parked", "exception", _where(error))
        return report.end

    def _keep(self, attachment: Attachment) -> AttachmentRef:
        """Store an attachment, and of an image a copy without its metadata."""
        try:
            return self._blobs.keep(attachment, datetime.now(UTC).date())
        except OSError as error:
            raise StorageAway from error

    def _enqueue(self, waiting: list[tuple[Row, Item]]) -> list[End]:
        """Send until Redis has taken all but the early."""
        ends: list[End] = []
        while waiting:
            again: list[tuple[Row, Item]] = []
            away = False
            for (row, one), result in zip(waiting, self._send([one for _, one in waiting]), strict=True):
                match self._judge(row, one, result):
                    case End() as end:
                        ends.append(end)
                    case Item() as next_try:
                        again.append((row, next_try))
                        away = away or next_try is one
            waiting = again
            if away:
                self._link.wait(BACK_OFF[-1])
        return ends

    def _judge(self, row: Row, one: Item, result: Result) -> End | Item | None:
        """What the row's end is, or what is sent next for it: the very same item when Redis is away; None: it is early,
        and stays in the spool. Only the script's own codes and WRONGTYPE park."""
        if result.code in QUEUED:
            self._early.pop(row.seq, None)
            return End(row.seq, "queued", result.code)
        if result.code == "conflict":
            return End(
                row.seq, "parked", "conflict", f"{result.ticket_id} was opened by the same id with other content."
            )
        if result.code == "unopened" and one.aside is not None:
            return _set_aside(row.seq, one.aside)
        if result.code == "early":
            return alone(one) if self._waited_enough(row, one) else None
        if result.code == "number_taken":
            return replace(one, number=self._link.ask(op="renumber", seq=row.seq)["number"])
        if reply_code(result.ticket_id) in PARKING:
            return End(row.seq, "parked", "queue_error", result.ticket_id[:200])
        return one

    def _waited_enough(self, row: Row, one: Item) -> bool:
        """Whether the request that this message names did not come in time; a new child begins to wait anew."""
        now = time.monotonic()
        early = self._early.setdefault(row.seq, Early(now))
        if now - early.since < (URGENT_PATIENCE if one.tier == Tier.IMMEDIATE else PATIENCE):
            early.wait(now)
            return False
        return True

    def _send(self, items: Sequence[Item]) -> list[Result]:
        return self._insist(partial(self._queue.enqueue, items))

    def _insist(self, call: Callable[[], T]) -> T:
        """The answer of the server; waits for as long as it is away. Raises Closed when the gateway goes."""
        failures = 0
        while True:
            try:
                self._greet()
                return call()
            except (redis.RedisError, OSError) as error:
                self._lost(error)
                self._link.wait(BACK_OFF[min(failures, len(BACK_OFF) - 1)])
                failures += 1

    def _look(self) -> None:
        """With nothing to send too: a server that was replaced must not have to wait for the next citizen."""
        try:
            self._greet()
        except (redis.RedisError, OSError) as error:
            self._lost(error)

    def _lost(self, error: Exception) -> None:
        self._run_id = ""
        kind = "away" if is_away(error) else "refusing"
        self._link.tell(op="server", state=kind, error=type(error).__name__)

    def _greet(self) -> None:
        """Whom are we talking to? Another run_id may have forgotten what we told it. Asked after every interruption,
        and once a second: an idle connection that broke is opened again without an error."""
        now = time.monotonic()
        if self._run_id and now < self._look_again:
            return
        facts: Mapping[str, Any] = self._client.info("server")
        self._look_again = now + LOOK_EVERY
        if facts["run_id"] != self._run_id:
            self._run_id = str(facts["run_id"])
            self._link.ask(op="server", state="here", run_id=self._run_id)


def _set_aside(seq: int, aside: SetAside) -> End:
    return End(seq, "set_aside", aside.code, aside.detail)


def _where(error: Exception) -> str:
    """The type and our own last frame; never the message, which may quote the citizen."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno} {last.name}"


def _die_with_parent() -> None:
    """Linux ends us with the gateway, even inside a parse that hangs and never looks at the link (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: Sequence[str]) -> int:
    """`python -m gateway.pump_child LANE SOCKET_FD SLOT_FD SPOOL_DIRECTORY`, started by gateway/pump.py only."""
    lane, connection, slot, directory = arguments
    link = ChildLink(socket.socket(fileno=int(connection)))
    config = Config.model_validate(link.receive())
    _die_with_parent()
    logs.setup(config.log)  # before the first row: an uncaught error's message may quote a citizen
    memory.give_back_large_blocks()
    os.nice(config.pump.nice)
    resource.setrlimit(resource.RLIMIT_DATA, (config.pump.memory_limit, config.pump.memory_limit))
    child = Child(link, Slot(int(slot)), config, Path(directory))
    warm(config.normalizer)  # not under the clock of the first row, nor while it is in hand
    try:
        link.receive()  # the word to start: until then another child may be at work, and we stand by
        child.serve_fresh() if lane == "fresh" else child.serve_suspects()
    except Closed:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
