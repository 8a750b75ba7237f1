"""A unit's mail taken as steps of its ticket, in its name, by the code of its API: once, however often it comes.

May not believe a sender that the site's configuration does not name, and may not tell a stranger anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from hashlib import sha256
from typing import Final

from channels.email.recipient import canonical
from normalizer import events
from normalizer.errors import Rejected
from normalizer.life import Actor, Role, State, StepName
from normalizer.ticket import AttachmentRef, SetAside, UnitWord, Verification
from workers import keys, unit_words
from workers.life import Life
from workers.lifecycle import Illegal
from workers.once import Word
from workers.quota import Places
from workers.region import Region
from workers.store import Record, Step, Store
from workers.unit_side import STEPS, UnitSide
from workers.unit_words import Said

TAKEN: Final = "unit_step"
REFUSED: Final = "unit_refused"
FORGED: Final = SetAside(code="unit_forged", detail="The check of its sender failed.")
MISSING: Final = SetAside(code="unit_missing", detail="There is no such ticket.")
TOLD_MAX: Final = 5
"""Refusals of one ticket within an hour that are put on record: a program that answers each must not go on for ever."""
TOLD_A_DAY: Final = 30
"""Refusals that a unit is told within a day, of all its tickets: it may have such a program for all of them."""
_DAY: Final = 86_400  # seconds
_CHECKS: Final = frozenset({"dmarc", "auth"})
"""Methods that speak of the address in From (RFC 7489, RFC 8601 2.7.4); SPF and DKIM alone may speak of another."""
_FORGED: Final = "fail"
_OPEN: Final = frozenset({"temperror", "permerror"})
"""Nobody knows. Who forges can bring them about: by a signature whose key cannot be looked up, by two authors (RFC 7489
6.6.1). So can a fault of the unit's own domain: the unit must hear of it."""
_TAKES: Final = frozenset(STEPS) - {StepName.OBJECT, StepName.HELP}
"""A lead that says one of these has taken the ticket, whether it signed or not."""
_OWN_PART: Final = frozenset({StepName.HELP, StepName.PROGRESS, StepName.CONTACT})
"""What a helper says so, or with no word at all, is its part."""
_NO_HELP: Final[Mapping[State, str]] = {
    State.DISPATCHED: "not_yet",
    State.OBJECTED: "not_yet",
    State.REPLIED: "over",
    State.CLOSED: "over",
}
"""Why a helper's part cannot be recorded, where it is not for the helper to change that."""


@dataclass(frozen=True, slots=True)
class UnitLetter:
    """A mail of a unit. `key` names it for ever: the same mail again has the same. `at`: when it came."""

    word: UnitWord
    key: str
    at: datetime
    attachments: tuple[AttachmentRef, ...] = ()
    verified: tuple[Verification, ...] = ()


class UnitMail:
    """`addresses`: of each unit that is reached by email. Every call may be repeated."""

    def __init__(self, store: Store, region: Callable[[], Region], zone: tzinfo, addresses: Mapping[str, str]) -> None:
        self._store = store
        self._find_region = region
        self._zone = zone
        self._addresses = {unit: canonical(address) for unit, address in addresses.items()}
        self._told = Places(store.client, count=TOLD_A_DAY, window=_DAY)

    @cached_property
    def _region(self) -> Region:
        return self._find_region()

    def knows(self, word: UnitWord) -> bool:
        """Whether a unit has this mailbox still."""
        return bool(self._units_of(word.sender))

    async def record(self, letter: UnitLetter) -> SetAside:
        """Take the steps that the letter says; what becomes of the letter, for the list of what was set aside. A unit
        whose words cannot be taken is told why.

        Raises:
            redis.RedisError: Redis is away; record the same letter again.
        """
        record = await self._store.find(letter.word.number)
        if record is None or not record.complete:
            return MISSING
        said = unit_words.read(letter.word.text, at=letter.at, zone=self._zone, names=self._region.unit_names)
        units = self._units_of(letter.word.sender)
        if any(_was_taken(record, unit, letter, said) for unit in units):
            return _taken("repeated")
        if (before := _was_refused(record, letter)) is not None:
            return _refused(before)
        unit = _concerned(record, units)
        try:
            steps = [word async for word in self._take(record, unit, letter, said)]
        except (Illegal, Rejected) as error:
            await self._refuse(record, unit, letter, error.code)
            return _refused(error.code)
        return _taken(", ".join(steps))

    def _units_of(self, sender: str) -> list[str]:
        address = canonical(sender)
        return [unit for unit, own in self._addresses.items() if own == address]

    async def _take(self, record: Record, unit: str, letter: UnitLetter, said: Said) -> AsyncIterator[StepName]:
        if _OPEN & set(_found(letter.verified)):
            raise Illegal("unproven", "Its sender could not be verified: the unit is asked to send it again.")
        by, side = Actor(role=Role.UNIT, id=unit), UnitSide(self._store, self._region, lambda: letter.at)
        plan = _plan(Life.of(record), unit, said)
        for at, (step, says) in enumerate(plan, 1):
            files = {"attachments": letter.attachments} if letter.attachments and at == len(plan) else {}
            await side.take(letter.word.number, Word(step, by, letter.key, {**says, **files}))
            yield step

    async def _refuse(self, record: Record, unit: str, letter: UnitLetter, code: str) -> None:
        """Put it on record; from there the unit is told, as of any other event (workers/passing.py), if it was not told
        too often today."""
        current: Record | None = record
        while current is not None and len(list(_lately(current, unit, letter.at))) < TOLD_MAX:
            told = await self._told.take(keys.refusals(unit), f"{record.ticket_id}:{_refusal(letter)}", letter.at)
            step = Step(
                operation=_refusal(letter),
                type=events.UNIT_REFUSED,
                at=letter.at,
                data={"unit": unit, "code": code, "told": told, "at": events.rfc3339(letter.at)},
                due=letter.at.timestamp(),
            )
            word, _ = await self._store.step(current.ticket_id, current.version, step)
            if word != "moved":
                return
            current = await self._store.load(current.ticket_id)


def _plan(life: Life, unit: str, said: Said) -> list[tuple[StepName, Mapping[str, object]]]:
    """The steps, in order. Raises Illegal: what is missing, so that nothing is taken of what cannot be taken whole."""
    if unit not in life.units:
        raise Illegal("not_yours", "This unit has no part in this ticket.")
    leads = unit == life.lead
    if life.state is State.DISPATCHED and leads and said.step is None:
        raise Illegal("unclear", "It may be an objection, or a program's: nothing signs that does not say so.")
    if said.faults:
        raise Illegal(said.faults[0], "Something is missing in it.")
    if not leads:
        return [_of_helper(life, unit, said)]
    step = said.step or StepName.PROGRESS
    says = _of_others(unit, said.says) if step is StepName.ASK_HELP else said.says
    plan: list[tuple[StepName, Mapping[str, object]]] = []
    if life.state is State.DISPATCHED and step in _TAKES:
        plan.append((StepName.SIGN, {}))
    if step is not StepName.SIGN:
        plan.append((step, says))
    elif says:  # signed with a word on it
        plan.append((StepName.PROGRESS, says))
    return plan or [(StepName.SIGN, {})]


def _of_helper(life: Life, unit: str, said: Said) -> tuple[StepName, Mapping[str, object]]:
    """Its part, when there is one to say: it can neither bring the lead to sign nor open the ticket again."""
    if said.step is not None and said.step not in _OWN_PART:
        return said.step, said.says
    if unit in life.co and life.state in _NO_HELP:
        raise Illegal(_NO_HELP[life.state], "The lead is not at work on it.")
    return StepName.HELP, said.says


def _of_others(unit: str, says: Mapping[str, object]) -> Mapping[str, object]:
    """Who signs a letter names itself below it: that asks nobody for help."""
    named = says["co"]
    others = tuple(one for one in named if one != unit) if isinstance(named, tuple) else ()
    if not others:
        raise Illegal("not_another", "The lead cannot help itself.")
    return {**says, "co": others}


def is_forged(verified: Sequence[Verification]) -> bool:
    """Whether a check of its sender failed: then nothing in it counts."""
    return _FORGED in _found(verified)


def _found(verified: Sequence[Verification]) -> list[str]:
    """What those checks found that speak of the address in From."""
    return [one.result for one in verified if one.method in _CHECKS]


def _concerned(record: Record, units: Sequence[str]) -> str:
    """Of several units with one mailbox the one whose ticket it is: its lead before helpers and who is informed."""
    theirs = [unit for unit in Life.of(record).units if unit in units]
    return theirs[0] if theirs else units[0]


def _was_taken(record: Record, unit: str, letter: UnitLetter, said: Said) -> bool:
    """Whether the last step of this letter stands already."""
    last = {StepName.SIGN} if said.step is StepName.SIGN and not said.says else set(STEPS) - {StepName.SIGN}
    by = Actor(role=Role.UNIT, id=unit)
    return any(f"op:{Word(step, by, letter.key, {}).operation}" in record.fields for step in last)


def _was_refused(record: Record, letter: UnitLetter) -> str | None:
    version = record.fields.get(f"op:{_refusal(letter)}")
    return str(record.events()[int(version) - 2]["data"]["code"]) if version is not None else None


def _refusal(letter: UnitLetter) -> str:
    return f"{REFUSED}:{sha256(letter.key.encode()).hexdigest()[:32]}"


def _lately(record: Record, unit: str, at: datetime) -> Iterator[datetime]:
    """When this unit was told of a refusal within the hour before."""
    for event in record.events():
        if event["type"] == events.UNIT_REFUSED and event["data"]["unit"] == unit:
            moment = events.moment(event["data"]["at"])
            if at - moment < timedelta(hours=1):
                yield moment


def _taken(detail: str) -> SetAside:
    return SetAside(code=TAKEN, detail=detail)


def _refused(code: str) -> SetAside:
    return SetAside(code=REFUSED, detail=code)
