"""From the stream to RQ: consumer group `dispatch`, the sweeper of `jiesu:due`, trimming. One loop, one process.

May not ask RQ what became of a job: `jiesu:due` brings every undelivered ticket back. May not look inside a ticket.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import redis
import structlog
from rq import Queue
from rq.queue import EnqueueData
from rq.serializers import JSONSerializer

from normalizer import events
from normalizer.identity import is_number
from normalizer.ticket import Tier
from workers import keys
from workers.connect import memory_share
from workers.dead import DeadEntry
from workers.jobs import DELIVER, WARN
from workers.lane import lane

log = structlog.get_logger()

DISPATCH: Final = "dispatch"
URGENT: Final = "urgent"
ALARM: Final = "alarm"
COUNT: Final = 200
BLOCK_MS: Final = 500
SWEEP_EVERY: Final = 0.5
KEEP_HOUSE_EVERY: Final = 10.0
ABANDONED_AFTER: Final = 60.0
FORGET_AFTER: Final = 3600.0
FAILURE_TTL: Final = 3600
HIGH_WATER: Final = 2000
MEMORY_ALARM: Final = 0.7
FAILURES: Final = "jiesu:failures"
MAX_FAILURES: Final = 3
TICKET_ID: Final = re.compile(r"t[a-z2-7]{26}")

Entries = Sequence[tuple[bytes, dict[bytes, bytes] | None]]


@dataclass(frozen=True, slots=True)
class Turn:
    """A ticket to be delivered, and the number under which RQ and its logs may speak of it."""

    ticket_id: str
    version: int
    attempt: int
    tier: str
    number: str


class Dispatcher:
    """Reads, enqueues, acknowledges; sweeps; trims."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        consumer: str,
        lease: float,
        groups: Sequence[str],
        keep_days: float,
        clock: Callable[[], float] = time.monotonic,
        alarm: str | None = None,
    ) -> None:
        """`lease`: seconds a job owns a ticket; RQ's own time-out lies below it. `alarm`: the queue on which people on
        duty are told of what cannot wait; None: nobody is on duty."""
        self._client = client
        self._consumer = consumer
        self._lease = lease
        self._groups = tuple(groups)
        self._keep = round(keep_days * 86400)
        self._clock = clock
        self._queues = {name: Queue(name, connection=client, serializer=JSONSerializer) for name in (DISPATCH, URGENT)}
        self._alarm = None if alarm is None else Queue(alarm, connection=client, serializer=JSONSerializer)
        self._sweep = client.register_script(keys.script("sweep"))
        self._trim = client.register_script(keys.script("trim"))
        self._forget = client.register_script(keys.script("forget"))
        self._next_sweep = self._next_house = 0.0
        self._memory_high = False

    def prepare(self) -> None:
        """Make our consumer group and every one that entries must wait for, from the stream's beginning, unless they
        are there: what is trimmed before a reader's first start would be lost to it."""
        for group in dict.fromkeys((keys.GROUP, *self._groups)):
            try:
                self._client.xgroup_create(keys.TICKETS, group, id="0", mkstream=True)
            except redis.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    def turn(self) -> int:
        """One turn of the loop: new entries, then what is due by the clock; returns the jobs enqueued.

        Raises:
            redis.RedisError: Redis is away; call again later, nothing is lost.
        """
        enqueued = self.dispatch(self._read(">", block=BLOCK_MS))
        now = self._clock()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_EVERY
            enqueued += self.sweep()
        if now >= self._next_house:
            self._next_house = now + KEEP_HOUSE_EVERY
            self.keep_house()
        return enqueued

    def _read(self, start: str, block: int | None = None) -> Entries:
        try:
            answer = self._client.xreadgroup(
                keys.GROUP, self._consumer, {keys.TICKETS: start}, count=COUNT, block=block
            )
        except redis.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.prepare()  # a restored copy of the data was older than the group
            return []
        return _entries(answer)

    def dispatch(self, entries: Entries) -> int:
        """Enqueue the tickets of `entries`, then acknowledge them."""
        turns: list[Turn] = []
        done: list[bytes] = []
        for id, fields in entries:
            turn = _turn(fields)
            if turn is not None:
                turns.append(turn)
                done.append(id)
            elif fields is None or self._bury(id):
                done.append(id)
        self._enqueue(turns)
        if done:
            self._client.xack(keys.TICKETS, keys.GROUP, *done)
        return len(turns)

    def sweep(self) -> int:
        """Enqueue what is overdue, the immediate first, unless so much is waiting in the queue it would go to that it
        may only be waiting for its turn."""
        room = [0 if self._queues[name].count > HIGH_WATER else COUNT for name in (URGENT, DISPATCH)]
        rows = cast("list[list[bytes]]", self._sweep(keys=[keys.DUE, keys.IMMEDIATE], args=[self._lease, *room]))
        turns = [Turn(t.decode(), int(v), int(a), tier.decode(), number.decode()) for t, v, a, tier, number in rows]
        self._enqueue(turns)
        return len(turns)

    def keep_house(self) -> None:
        """Take over what dead consumers held, try own failures again, trim both streams, make lost groups again, forget
        idle consumers, look at the memory."""
        claimed = self._client.xautoclaim(
            keys.TICKETS, keys.GROUP, self._consumer, round(ABANDONED_AFTER * 1000), count=COUNT
        )
        self.dispatch(claimed[1])
        self.dispatch(self._read("0"))
        self._trim(keys=[keys.TICKETS], args=[self._keep, *self._groups])
        self._trim(keys=[keys.EVENTS], args=[self._keep])
        self.prepare()
        self._forget(keys=[keys.TICKETS], args=[keys.GROUP, FORGET_AFTER])
        self._watch_memory()

    def _watch_memory(self) -> None:
        """Nothing is ever evicted: say once, every time the alarm's share is crossed, that it is getting full."""
        share = memory_share(self._client.info("memory"))
        high = share is not None and share >= MEMORY_ALARM
        if share is not None and high and not self._memory_high:
            log.error("queue_memory_high", percent=round(share * 100))
        self._memory_high = high

    def _enqueue(self, turns: Sequence[Turn]) -> None:
        """Job id = ticket-version-attempt: enqueuing the same turn twice only runs it twice, which is harmless."""
        urgent = [turn for turn in turns if _queue_of(turn) == URGENT]
        if self._alarm is not None and urgent:
            self._alarm.enqueue_many([self._job(turn, WARN, "-alarm") for turn in urgent])
        for name, queue in self._queues.items():
            jobs = [self._job(turn, DELIVER) for turn in turns if _queue_of(turn) == name]
            if jobs:
                queue.enqueue_many(jobs)

    def _job(self, turn: Turn, function: str, suffix: str = "") -> EnqueueData:
        return Queue.prepare_data(
            function,
            args=[turn.ticket_id],
            timeout=max(1, int(self._lease * 0.9)),
            result_ttl=0,
            failure_ttl=FAILURE_TTL,
            description=turn.number,
            job_id=f"{turn.ticket_id}-{turn.version}-{turn.attempt}{suffix}",
        )

    def _bury(self, id: bytes) -> bool:
        """Record one more failure to read an entry; after the last one it goes to the dead. True when it is there."""
        failures = int(self._client.hincrby(FAILURES, id.decode(), 1))
        if failures < MAX_FAILURES:
            return False
        entry = DeadEntry(
            id=f"entry:{id.decode()}",
            kind="entry",
            ticket_id="",
            number="",
            destination="",
            event_id=id.decode(),
            reason="no accepted ticket in this entry",
            attempts=failures,
            at=events.rfc3339(datetime.now(UTC)),
        )
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(keys.DEAD, entry.id, json.dumps(asdict(entry)))
            pipe.hdel(FAILURES, id.decode())
            pipe.execute()
        log.error("entry_buried", entry=id.decode())
        return True


def _entries(answer: Any) -> Entries:
    """Redis-py gives a list (RESP2) or a mapping (RESP3) of streams; we asked for one."""
    if not answer:
        return []
    if isinstance(answer, dict):
        found = next(iter(answer.values()))
        return cast(Entries, found[0] if found and isinstance(found[0], list) else found)
    return cast(Entries, answer[0][1])


def _turn(fields: dict[bytes, bytes] | None) -> Turn | None:
    """The ticket an entry announces; None when it announces none."""
    try:
        event = json.loads((fields or {})[b"event"])
        data = event["data"]
        turns = lane(str(data["urgency"]["tier"]), data.get("flags", ()))
        turn = Turn(str(event["subject"]), 1, 0, turns, str(data["number"]))
    except (KeyError, TypeError, ValueError):
        return None
    # Anybody may XADD: an id that RQ would refuse must not stop the entries behind it.
    return turn if TICKET_ID.fullmatch(turn.ticket_id) and is_number(turn.number) else None


def _queue_of(turn: Turn) -> str:
    return URGENT if turn.tier == Tier.IMMEDIATE else DISPATCH
