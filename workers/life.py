"""Takes one step in a ticket's life: looks it up in the table, records who, when and why, moves the lists it is on.

May not decide which step is right: people, units and the catalogue do. A step repeated under its operation is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from normalizer.life import EVENT_TYPES, Actor, LifeStep, State, StepName
from workers import keys
from workers.ending import told
from workers.lifecycle import Illegal, next_state, part_of
from workers.store import Index, Record, Step, Store


@dataclass(frozen=True, slots=True)
class Life:
    """Where a ticket stands, read from its record."""

    state: State
    lead: str | None
    co: tuple[str, ...]
    cc: tuple[str, ...]

    @classmethod
    def of(cls, record: Record) -> Life:
        """What the record's fields say."""
        fields = record.fields
        return cls(
            state=State(record.state),
            lead=fields.get("lead") or None,
            co=tuple(fields.get("co", "").split()),
            cc=tuple(fields.get("cc", "").split()),
        )

    @property
    def units(self) -> tuple[str, ...]:
        """Every unit that may read the ticket."""
        return tuple(dict.fromkeys((*((self.lead,) if self.lead else ()), *self.co, *self.cc)))


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a step: the version it made (or had made, when it was repeated), and the state then."""

    version: int
    state: State
    repeated: bool = False


class Lives:
    """Steps through the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(
        self,
        ticket_id: str,
        step: StepName,
        by: Actor,
        at: datetime,
        *,
        operation: str,
        says: Mapping[str, object] | None = None,
        token: str = "",
    ) -> Taken:
        """Take `step` in the name of `by`; `says`: the fields of LifeStep that it fills. `operation` names it for ever.

        Raises:
            Illegal: `missing`, `not_yours`, `wrong_part`, `wrong_state`, `incomplete`, `not_told`, `lost`: nothing was
                changed.
            pydantic.ValidationError: a field of `says` is not what LifeStep says.
            redis.RedisError: Redis is away; the same call again is harmless.
        """
        while True:
            record = await self._store.load(ticket_id)
            if record is None or not record.complete:
                raise Illegal("missing", "There is no such ticket.")
            if (version := record.fields.get(f"op:{operation}")) is not None:
                return Taken(int(version), State(record.state), repeated=True)
            made = make(record, step, by, at, operation=operation, says=says or {})
            word, version_now = await self._store.step(ticket_id, record.version, made, token=token)
            if word == "lost":
                raise Illegal("lost", "Another job holds this ticket.")
            if word != "moved":
                return Taken(version_now, State(made.state or record.state), repeated=word == "repeated")


def make(
    record: Record, step: StepName, by: Actor, at: datetime, *, operation: str, says: Mapping[str, object]
) -> Step:
    """The change that `step` makes of this record. Raises as `Lives.take`."""
    life = Life.of(record)
    given = {name for name, value in says.items() if value not in (None, "", (), [])}
    after = next_state(life.state, step, part_of(by, lead=life.lead, co=life.co), given)
    checked = LifeStep.model_validate(
        {"ticket_id": record.ticket_id, "number": record.number, "version": record.version + 1}
        | dict(says)
        | {"state": after, "by": by, "at": at}
    )
    if step is StepName.CLOSE and told(record) is None:
        raise Illegal("not_told", "The citizen was not told how it ended, and it is not on record why not.")
    now = _after(life, step, after, checked)
    data = checked.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return Step(
        operation=operation,
        type=EVENT_TYPES[step],
        at=at,
        data={name: value for name, value in data.items() if name not in ("ticket_id", "number", "version")},
        state=after,
        due=at.timestamp(),
        fields=_fields(now),
        indexes=moved(record.ticket_id, life, now, at),
    )


def _after(before: Life, step: StepName, state: State, says: LifeStep) -> Life:
    """Lead, helpers and readers after the step. Only a dispatch and an upheld objection name a lead (art. 14)."""
    if step in (StepName.DISPATCH, StepName.UPHOLD):
        return Life(state, says.lead, says.co, says.cc)
    if step is StepName.ASK_HELP:
        return Life(state, before.lead, tuple(dict.fromkeys((*before.co, *says.co))), before.cc)
    if step is StepName.REOPEN:
        return Life(state, None, (), ())
    return Life(state, before.lead, before.co, before.cc)


def _fields(life: Life) -> dict[str, str | int]:
    return {"lead": life.lead or "", "co": " ".join(life.co), "cc": " ".join(life.cc)}


def moved(ticket_id: str, before: Life, after: Life, at: datetime) -> tuple[Index, ...]:
    """Which lists the ticket joins and leaves: triage, objections to review, each unit's own and, of that, the portion
    of its part and state. There it keeps the place that it has on the unit's own."""
    score = at.timestamp()
    was, now = _lists(before), _lists(after)
    return (
        *(
            Index(keys.waiting(name), ticket_id, score, like=keys.waiting(now[name]))
            for name in sorted(now.keys() - was.keys())
        ),
        *(Index(keys.waiting(name), ticket_id, None) for name in sorted(was.keys() - now.keys())),
    )


def _lists(life: Life) -> dict[str, str]:
    """The names of the lists it is on, each with the one that says since when."""
    if life.state is State.TRIAGE:
        return {keys.TRIAGE: keys.TRIAGE}
    names = {keys.OBJECTIONS: keys.OBJECTIONS} if life.state is State.OBJECTED else {}
    for unit in life.units if life.state is not State.CLOSED else ():
        part = keys.LEADS if unit == life.lead else keys.OTHER
        own = keys.of_unit(unit)
        names |= {own: own, keys.of_unit_in(unit, part, life.state): own}
    return names
