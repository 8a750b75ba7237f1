"""A hotline in small: tickets on a real server, everybody who acts on them, and time that moves when it is told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import redis
from redis.asyncio import ConnectionPool

from normalizer.events import ALARMED, FOLLOWED_UP
from normalizer.life import Outcome, State, StepName
from normalizer.ticket import Tier, Undelivered
from tests.workers.life_cast import ACTORS, ASKING, BEGIN, FLAGS, PUSHED, REGION, SITE, TEXTS, UNITS, Word
from tests.workers.life_checks import Replay, check, check_folded
from tests.workers.life_far import ENDS, Far, MortalRedis, Process, Way
from workers import keys
from workers.alarm_config import AlarmsConfig, AlikeConfig, PersonConfig
from workers.alike import Alike
from workers.blobs import Blobs
from workers.calls import CallOutcome, Calls, Try
from workers.dead import Dead
from workers.delivery import deliver
from workers.life import Lives, Taken
from workers.lifecycle import TABLE, Illegal
from workers.linking_config import LinkingConfig
from workers.matters import Matters
from workers.meter import Meter
from workers.queue import Item, TicketQueue
from workers.quota import Quota
from workers.returned import Returns
from workers.runtime import Runtime
from workers.store import Record, Store
from workers.warning import Alarms, Person, acknowledge, reasons_of


class World:
    """One example's. `tally`: what happened, over all examples."""

    def __init__(
        self,
        client: redis.Redis,
        pool: ConnectionPool,
        make_item: Callable[..., Item],
        folder: Path,
        tally: Counter[str],
    ) -> None:
        client.flushdb()
        self.sync, self.pool, self.make_item, self.folder, self.tally = client, pool, make_item, folder, tally
        self.now = BEGIN
        self.items: list[Item] = []
        self.later: list[tuple[str, Item]] = []
        self.words: list[Word] = []
        self.made: dict[str, int] = {}
        self.disturbed: Counter[str] = Counter()
        self.robbed: Counter[str] = Counter()
        self.returned: list[str] = []
        self.off: set[str] = set()
        self.destinations = {name: Far(name) for name in ("file", "hook")}
        self.units = {name: Far(name) for name in PUSHED}
        self.people = {name: Far(name) for name in ("duty", "chief")}
        self.ways = {"email": Way("email", readable=True), "sms": Way("sms", readable=False)}
        self.events: dict[str, list[bytes]] = defaultdict(list)
        self.ids: set[bytes] = set()
        self._cursor = "-"
        self._records: dict[str, Record] = {}
        self._replays: dict[str, tuple[int, Replay]] = {}
        self._calm = self.runtime(Process())

    # --- who acts

    def runtime(self, process: Process) -> Runtime:
        client = MortalRedis(self.pool, process)
        config = AlarmsConfig(alike=AlikeConfig(count=3, minutes=60))
        people = {
            name: Person(name, PersonConfig(level=level, channel="x", address="y"), self.people[name].seen_by(process))
            for name, level in (("duty", 1), ("chief", 2))
        }
        return Runtime(
            store=Store(client, domain="hotline.example"),
            dead=Dead(client),
            blobs=Blobs(self.folder),
            destinations={name: far.seen_by(process) for name, far in self.destinations.items()},
            units={name: far.seen_by(process) for name, far in self.units.items()},
            replying={name: way.seen_by(process) for name, way in self.ways.items() if name not in self.off}.get,
            quota=Quota(client, per_hour=3),
            meter=Meter(client),
            site=SITE,
            region=REGION,
            alarms=Alarms(config, people),
            alike=Alike(client, config.alike),
            links=Matters(client, LinkingConfig()),
            lease=60,
            max_attempts=3,
            now=lambda: self.now,
            jitter=lambda: 0.0,
            runner=None,  # type: ignore[arg-type]
        )

    @property
    def queue(self) -> TicketQueue:
        return TicketQueue(self.sync, grace=120)

    def ticket(self, pick: int) -> Item:
        return self.items[pick % len(self.items)]

    async def receive(self, text: int, asking: int, flags: int, immediate: bool) -> None:
        n = len(self.items) + len(self.later)
        one = self.make_item(
            f"s{n}",
            TEXTS[text],
            sequence=n + 1,
            requester=ASKING[asking],
            flags=FLAGS[flags],
            tier=Tier.IMMEDIATE if immediate else None,
        )
        self.queue.enqueue([one])
        self.items.append(one)

    async def follow_up(self, pick: int, flags: int) -> None:
        """A citizen says more; what was said before may come again."""
        to, n = self.ticket(pick), len(self.items) + len(self.later)
        threads, senders = (f"number:{to.number}",), (f"code:{to.code}",)
        more = self.make_item(f"s{n}", "还没有修", sequence=n + 1, threads=threads, senders=senders, flags=FLAGS[flags])
        [result] = self.queue.enqueue([more])
        assert (result.code, result.ticket_id) == ("appended", to.ticket_id)
        self.later.append((to.ticket_id, more))

    async def say_again(self, pick: int) -> None:
        if self.later:
            of, more = self.later[pick % len(self.later)]
            [result] = self.queue.enqueue([more])
            assert (result.code, result.ticket_id) == ("known", of)

    async def act(self, pick: int, choice: int, legal: bool, lacking: bool, process: Process | None = None) -> None:
        """Somebody takes a step, mostly one that is theirs to take."""
        id = self.ticket(pick).ticket_id
        told = Replay.of(await self.load(id))
        fitting = [move for move in TABLE if told.state in move.before]
        move = (moves := fitting if legal else TABLE)[choice % len(moves)]
        able = [by for by in ACTORS if told.part(by.role, by.id) in move.parts]
        by = (some := able if legal and able else ACTORS)[choice // len(moves) % len(some)]
        says = dict(self._says(move.step, choice))
        if lacking and move.needs:
            says.pop(move.needs[choice % len(move.needs)], None)
        word = Word(id, move.step, by, says, f"w{len(self.words)}")
        self.words.append(word)
        await (self.take(word) if process is None else self.take_disturbed(word, process))

    def _says(self, step: StepName, choice: int) -> Mapping[str, object]:
        unit, other = UNITS[choice % len(UNITS)], UNITS[(choice + 1) % len(UNITS)]
        facts: dict[str, object] = {
            "reason": "因为如此",
            "text": "说了什么",
            "lead": unit,
            "co": (other,),
            "referral": "advice",
            "until": self.now + timedelta(days=3),
            "outcome": (Outcome.RESOLVED, Outcome.EXPLAINED_NOT_SUPPORTED)[choice % 2],
        }
        needs = next(move.needs for move in TABLE if move.step is step)
        said = {name: facts[name] for name in needs}
        return said | ({"cc": (other,)} if step is StepName.DISPATCH and choice % 3 else {})

    async def take(self, word: Word) -> None:
        """Nobody else acts meanwhile, so what comes of it is known before."""
        before = await self.load(word.ticket_id)
        expected = self._expected(before, word)
        try:
            taken = await self._take(word, Process())
        except Illegal as error:
            refused = error.code
        else:
            refused = ""
        assert refused == expected, f"{word.step} was refused: {refused!r}, not {expected!r}"
        if refused:
            assert await self.load(word.ticket_id) == before, "refused, and nothing changed"
            self.tally[f"refused:{refused}"] += 1
            return
        assert (taken.version, taken.repeated) == (before.version + 1, False)
        self.tally[f"step:{word.step}"] += 1

    async def take_disturbed(self, word: Word, process: Process) -> None:
        try:
            await self._take(word, process)
        except Illegal as refused:
            self.tally[f"refused:{refused.code}"] += 1
        except ENDS:
            self.tally["crashes"] += 1

    async def _take(self, word: Word, process: Process) -> Taken:
        store = Store(MortalRedis(self.pool, process), domain="hotline.example")
        taken = await Lives(store).take(
            word.ticket_id, word.step, word.by, self.now, operation=word.operation, says=word.says
        )
        assert self.made.setdefault(word.operation, taken.version) == taken.version, "one operation, one version"
        return taken

    def _expected(self, record: Record, word: Word) -> str:
        """The code with which the table refuses it, "" when it does not."""
        told = Replay.of(record)
        move = next(move for move in TABLE if move.step is word.step)
        part = told.part(word.by.role, word.by.id)
        if part is None:
            return "not_yours"
        if part not in move.parts:
            return "wrong_part"
        if told.state not in move.before:
            return "wrong_state"
        if not all(word.says.get(name) for name in move.needs):
            return "incomplete"
        return "not_told" if move.step is StepName.CLOSE and not told.told(record.fields) else ""

    async def act_again(self, pick: int) -> None:
        """The same words once more: what was done stays done; what was refused, or lost, may be legal now."""
        if not self.words:
            return
        word = self.words[pick % len(self.words)]
        before = await self.load(word.ticket_id)
        known = f"op:{word.operation}" in before.fields
        try:
            taken = await self._take(word, Process())
        except Illegal:
            assert not known
            return
        if known:
            assert taken.repeated
            assert await self.load(word.ticket_id) == before
            self.tally["repeated"] += 1

    async def job(self, pick: int, process: Process) -> None:
        """A worker's turn with one ticket."""
        id = self.ticket(pick).ticket_id
        try:
            word = await deliver(self.runtime(process), id)
            self.tally[f"job:{word}"] += 1
        except ENDS:
            self.tally["crashes"] += 1
            self.disturbed[id] += 1

    async def rob(self, pick: int, process: Process) -> None:
        """A second job, because the claim of the first is over."""
        id = self.ticket(pick).ticket_id
        if self.sync.delete(keys.claim(id)):
            self.robbed[id] += 1
        await self.job(pick, process)

    async def advance(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        for one in self.items:
            self.robbed[one.ticket_id] += self.sync.delete(keys.claim(one.ticket_id))

    async def acknowledge(self, pick: int) -> None:
        store = self._calm.store
        await acknowledge(store, self.ticket(pick).ticket_id, ACTORS[1], self.now)

    async def call(self, pick: int, outcome: CallOutcome) -> None:
        """An operator calls somebody on the list."""
        calls = Calls(self._calm.store, REGION, SITE, attempts=2)
        rows = await calls.rows(self.now, start=0, count=100)
        if rows:
            row = rows[pick % len(rows)]
            held = await calls.lease("zhang", self.now, seconds=60, only=[row.id])
            assert [call.id for call in held] == [row.id]
            await calls.record(row.id, Try("zhang", uuid4().hex, outcome), self.now)
            self.tally[f"call:{outcome}"] += 1

    async def bounce(self, pick: int) -> None:
        """A mail comes back."""
        sent = sorted((reference, key) for key, reference in self.ways["email"].sent.items())
        if sent:
            reference, (number, operation, _) = sent[pick % len(sent)]
            report = Undelivered(number=number, reference=reference, reason="smtp_5.1.1")
            word = Returns(self.sync, domain="hotline.example").record("email", report, self.now)
            if word == "done":
                self.returned.append(f"{number} {operation.partition('.')[0]}")
            self.tally[f"bounce:{word}"] += 1

    async def replay(self) -> None:
        dead = self._calm.dead
        for entry in await dead.list():
            await dead.replay(entry, self.now.timestamp())

    # --- what must hold

    async def load(self, ticket_id: str) -> Record:
        record = await self._calm.store.load(ticket_id)
        assert record is not None
        return record

    def told(self, record: Record) -> Replay:
        version, replay = self._replays.get(record.ticket_id, (0, Replay()))
        if version != record.version:
            check_folded(record)
            replay = Replay.of(record)
            self._replays[record.ticket_id] = (record.version, replay)
        return replay

    async def check(self) -> None:
        """Of every ticket, after every step."""
        waiting = self._look()
        for one in self.items:
            record = self._records[one.ticket_id]
            assert list(record.steps) == self.events[one.ticket_id], "the stream has what the ticket has"
            check(record, self.told(record), waiting[one.ticket_id])
        self.check_sendings()

    def _look(self) -> Mapping[str, set[str]]:
        """Reads every ticket and what is new on the stream; returns on which lists each ticket is."""
        names = [key.decode().removeprefix(keys.waiting("")) for key in self.sync.keys(keys.waiting("*"))]
        with self.sync.pipeline() as pipe:
            pipe.xrange(keys.EVENTS, min=self._cursor)
            for name in names:
                pipe.zrange(keys.waiting(name), 0, -1, withscores=True)
            for one in self.items:
                pipe.hgetall(keys.ticket(one.ticket_id))
                pipe.lrange(keys.steps(one.ticket_id), 0, -1)
            entries, *rest = pipe.execute()
        for entry, fields in entries:
            self._cursor = f"({entry.decode()}"
            self._arrived(fields[b"event"])
        found: dict[str, set[str]] = defaultdict(set)
        since = dict(zip(names, map(dict, rest), strict=False))
        for name, members in since.items():
            assert members.items() <= since[":".join(name.split(":")[:2])].items(), "its place on the unit's list"
            for member in members:
                ticket_id, _, operation = member.decode().partition(":")
                found[ticket_id].add(f"{name}:{operation}" if operation else name)
        each = iter(rest[len(names) :])
        for one, fields, steps in zip(self.items, each, each, strict=True):
            doc = fields.pop(b"doc")
            known = {name.decode(): value.decode() for name, value in fields.items()}
            self._records[one.ticket_id] = Record(doc, tuple(steps), known, "")
        return found

    def _arrived(self, document: bytes) -> None:
        id = document.partition(b'"id":"')[2].partition(b'"')[0]
        assert id not in self.ids, "an event once"
        self.ids.add(id)
        self.events[id.decode().partition(".")[0]].append(document)

    def check_sendings(self) -> None:
        ids = {one.number: one.ticket_id for one in self.items}
        for far in (*self.destinations.values(), *self.units.values(), *self.people.values()):
            for id, count in far.taken.items():
                again = self.disturbed[id.partition(".")[0]] + self.robbed[id.partition(".")[0]]
                assert count <= 1 + again, f"{far.name} was given {id} {count} times"
        for key, count in self.ways["sms"].calls.items():
            assert count == 1, f"{key} by a channel that cannot say whether it was sent"
        answers: Counter[tuple[str, str]] = Counter()
        for number, operation, _ in self.ways["email"].sent:
            answers[number, operation.partition(".")[0]] += 1
        for (number, operation), count in answers.items():
            allowed = 1 + self.returned.count(f"{number} {operation}") + self.robbed[ids[number]]
            assert count <= allowed, f"{operation} was sent {count} times"

    # --- the end

    async def calm_down(self) -> None:
        """Everybody is well, and the schedule alone says whose turn it is: nothing may be left behind."""
        for far in (*self.destinations.values(), *self.units.values(), *self.people.values()):
            far.outlook = ["takes"]
        for way in self.ways.values():
            way.outlook = ["sent"]
        for _ in range(400):
            await self.replay()
            found = self.sync.zrange(keys.DUE, 0, 0, withscores=True)
            if not found:
                break
            [(id, due)] = found
            self.now = max(self.now, datetime.fromtimestamp(due, UTC) if due < 4e9 else self.now)
            self.sync.delete(keys.claim(id.decode()))
            await deliver(self._calm, id.decode())
        else:
            raise AssertionError("the schedule never empties")
        await self.check()
        for one in self.items:
            await self._finished(await self.load(one.ticket_id))

    async def _finished(self, record: Record) -> None:
        told, id = self.told(record), record.ticket_id
        assert record.state != State.RECEIVED, "somebody decided, or is asked to"
        messages = [event["id"] for event in record.events() if event["type"] == FOLLOWED_UP]
        for far in self.destinations.values():
            assert (had := far.ids_of(id)) == [f"{id}.accepted", *messages], f"{far.name} has {had}, not {messages}"
        for unit, far in self.units.items():
            wanted = [f"{id}.{version}.{unit}" for version in told.concerns[unit]]
            assert (had := far.ids_of(id)) == wanted, f"{unit} has {had}, not {wanted}"
        calls = [name for name, word in record.fields.items() if name.startswith("reply:") and word == "calling"]
        if record.state in (State.REPLIED, State.ANSWERED, State.REFERRED):
            assert f"reply:{told.ending}" in calls, "it is closed, unless somebody must be called"
        if "alarm" in record.fields and "acknowledged" not in record.fields:
            alarms = [event["data"].get("person") for event in record.events() if event["type"] == ALARMED]
            assert {"duty", "chief"} <= set(alarms)
        assert set(self._calm.alarms.reasons(record)) <= set(reasons_of(record)), "each reason was an alarm"
