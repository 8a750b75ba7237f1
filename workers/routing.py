"""The errand of a ticket that nobody decided about yet: the catalogue dispatches it, ends it, or asks a person.

May not overrule a person: only tickets in state `received` are its.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from normalizer.life import Actor, Role, State, StepName
from normalizer.ticket import Decision, Ticket, Tier
from workers import linking
from workers.catalogue import Decided, decide
from workers.destinations.contract import TryLater
from workers.errands import Ended, Errand
from workers.life import make
from workers.region import Region
from workers.store import Record, Step
from workers.suggestion import Suggester

if TYPE_CHECKING:
    from workers.runtime import Runtime

CATALOGUE: Final = Actor(role=Role.SYSTEM, id="catalogue")
INTAKE: Final = Actor(role=Role.SYSTEM, id="intake")
NOT_DISPATCHED: Final = frozenset({Decision.CALL_BACK, Decision.NONE, Decision.OTHER})
"""What intake decided and only a person can finish: a call-back, a call without a request."""

AT_ONCE: Final = frozenset({Tier.IMMEDIATE, Tier.HOURS_2})


def outstanding(runtime: Runtime, record: Record) -> Iterator[Route]:
    """One, while the ticket is only received."""
    if record.state == State.RECEIVED:
        yield Route(record)


@dataclass(frozen=True, slots=True)
class Route:
    """The decision about one ticket."""

    record: Record

    @property
    def name(self) -> str:
        return "route"

    @property
    def counter(self) -> str:
        return "routed"

    @property
    def subject(self) -> str:
        return "route"

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Deciding is pure, and happens where it is recorded; here it is only counted how many are alike."""
        _, _, says = concluded(self.record.ticket(), runtime.region, runtime.suggester)
        street, rule = _street(says, runtime.region), says.get("rule")
        if street is None or not isinstance(rule, str):
            return Ended("decided")
        count = await runtime.alike.crosses(street, rule, self.record.ticket_id, runtime.now())
        return Ended("decided", reason=f"{count} alike in {street}" if count is not None else None)

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step | None:
        """The step that the decision is; None when a person decided meanwhile."""
        if record.state != State.RECEIVED:
            return None
        name, by, says = concluded(record.ticket(), runtime.region, runtime.suggester)
        name, says = _asked(record, name, says)
        step = make(record, name, by, runtime.now(), operation=f"route:{record.version}", says=says)
        return replace(step, fields={**step.fields, "alike": ended.reason}) if ended.reason else step


def _asked(record: Record, name: StepName, says: Mapping[str, object]) -> tuple[StepName, Mapping[str, object]]:
    """What would go to a unit, though it may be the repeat of a ticket that a unit has: a person sees both first. What
    is urgent waits for nobody."""
    reason = linking.asked(record)
    if reason is None or name is not StepName.DISPATCH or record.fields.get("tier") in AT_ONCE:
        return name, says
    units = (says.get("lead"), *cast("tuple[object, ...]", says.get("co", ())))
    return StepName.TRIAGE, {"reason": reason, "rule": says.get("rule"), "candidates": units}


def _street(says: Mapping[str, object], region: Region) -> str | None:
    """The street that the decision names, if any of its units is one."""
    lead, co, cc = says.get("lead"), says.get("co", ()), says.get("cc", ())
    units = (lead, *(cc if isinstance(cc, tuple) else ()), *(co if isinstance(co, tuple) else ()))
    return next((unit for unit in units if isinstance(unit, str) and region.units[unit].kind == "street"), None)


def concluded(
    ticket: Ticket, region: Region, suggester: Suggester | None = None
) -> tuple[StepName, Actor, Mapping[str, object]]:
    """The step, in whose name, and what it says: what intake decided stands; else the catalogue's word, and where no
    rule holds what the site's past tickets suggest."""
    given = ticket.disposition
    if given.decision in NOT_DISPATCHED:
        return StepName.TRIAGE, INTAKE, {"reason": given.reason or str(given.decision)}
    if given.decision is Decision.ANSWERED:
        return StepName.ANSWER, INTAKE, {"text": given.reason or str(given.decision)}
    decided = decide(ticket, region)
    return _said(suggester.advise(decided, ticket) if suggester else decided, region)


def _said(decided: Decided, region: Region) -> tuple[StepName, Actor, Mapping[str, object]]:
    shared: dict[str, object] = {"reason": decided.reason, "rule": decided.rule}
    if decided.suggested:
        shared["suggested"] = [{"unit": one.unit, "confidence": one.confidence} for one in decided.suggested]
    if decided.referral is not None:
        referral = region.referrals[decided.referral]
        if decided.decision is Decision.ANSWERED:
            return StepName.ANSWER, CATALOGUE, shared | {"text": referral.text["zh"]}
        return StepName.REFER, CATALOGUE, shared | {"referral": referral.id, "text": referral.text["zh"]}
    if decided.lead is not None:
        units = {"lead": decided.lead, "co": decided.co, "cc": decided.cc}
        return StepName.DISPATCH, CATALOGUE, shared | units
    return StepName.TRIAGE, CATALOGUE, shared | {"candidates": decided.candidates}
