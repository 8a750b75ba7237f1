"""The dispatch catalogue applied to one ticket: who leads, who helps, who is informed, or why a person must decide.

Pure: the same ticket and region give the same decision, with every conclusion and its reason in `why`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from normalizer.ticket import Decision, Kind, Ticket
from workers.region import Region, Rule, Unit, When

AGAINST: Final = frozenset({Kind.COMPLAINT, Kind.REPORT})
_NEAR: Final = 12  # characters between a unit's name and a word that accuses it
_CANDIDATES: Final = 5


@dataclass(frozen=True, slots=True)
class Decided:
    """What the catalogue says. `decision` DISPATCH with a `lead`: it goes there; without: a person decides, for
    `reason`, among `candidates`. Any other decision ends it, with `referral` where it refers. `rule`: which one."""

    decision: Decision
    reason: str
    rule: str | None = None
    lead: str | None = None
    co: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    referral: str | None = None
    candidates: tuple[str, ...] = ()
    why: tuple[str, ...] = ()

    @property
    def needs_a_person(self) -> bool:
        """Whether triage decides."""
        return self.decision is Decision.DISPATCH and self.lead is None


@dataclass(slots=True)
class _Case:
    """One ticket on its way through the catalogue."""

    ticket: Ticket
    region: Region
    why: list[str] = field(default_factory=list)
    street: Unit | None = None
    district: Unit | None = None
    accused: frozenset[str] = frozenset()

    @property
    def words(self) -> str:
        return f"{self.ticket.title}\n{self.ticket.text}"


def decide(ticket: Ticket, region: Region) -> Decided:
    """The first rule that holds decides; without one the district coordinates, if it is known (art. 12); else a
    person. Nothing goes to whom it accuses: its superior has it instead."""
    case = _Case(ticket, region)
    _find_place(case)
    _find_accused(case)
    for rule in region.rules:
        if (because := _holds(rule, case)) is not None:
            case.why.append(f"rule {rule.id} holds: {because}")
            return _by_rule(rule, case)
    case.why.append("no rule holds")
    if case.district is not None:
        return _dispatched(case, None, "duty unclear, district known (art. 12)", (case.district.id,), ())
    return _to_a_person(case, None, "neither duty nor district is clear")


def _find_place(case: _Case) -> None:
    """What the place says itself, else the first name of a place in title or text; the longest name at a spot."""
    place, region = case.ticket.place, case.region
    said = [text for text in ((place.street, place.district, place.text, place.detail) if place else ()) if text]
    for source in (*said, case.ticket.title, case.ticket.text):
        units = list(_named(source, region))
        streets = [unit for unit in units if unit.kind == "street"]
        districts = [unit for unit in units if unit.kind == "district"]
        if case.district is None and districts:
            case.district = districts[0]
            case.why.append(f"district {case.district.id}: named")
        for street in streets:
            up = region.district_of(street.id)
            if case.street is None and (case.district is None or up is case.district):
                case.street = street
                case.district = case.district or up
                case.why.append(f"street {street.id}: named")
        if case.street is not None:
            return


def _named(text: str, region: Region) -> Iterator[Unit]:
    """Places named in a text, in order of where they stand; a name inside a longer one does not count."""
    found: list[tuple[int, int, Unit]] = []
    for name, unit in region.named_places:  # the longest names first
        at = text.find(name)
        if at >= 0 and not any(start <= at < end for start, end, _ in found):
            found.append((at, at + len(name), unit))
    return (unit for _, _, unit in sorted(found, key=lambda one: one[0]))


def _find_accused(case: _Case) -> None:
    """Units that a complaint or a report accuses: their name near a word that accuses."""
    words = case.region.facts.accusing
    if case.ticket.kind not in AGAINST or not words:
        return
    near = "|".join(map(re.escape, words))
    accused = set()
    for unit in case.region.units.values():
        if unit.name in case.words and re.search(rf"{re.escape(unit.name)}.{{0,{_NEAR}}}?(?:{near})", case.words):
            accused.add(unit.id)
            case.why.append(f"{unit.id} is accused")
    case.accused = frozenset(accused)


def _holds(rule: Rule, case: _Case) -> str | None:
    """Why the rule holds; None when it does not."""
    parts = list(_parts(rule.when, case))
    return None if None in parts else ", ".join(filter(None, parts)) or "it always does"


def _parts(when: When, case: _Case) -> Iterator[str | None]:
    """What fulfils each part of the condition that is given, or None."""
    ticket, words = case.ticket, case.words
    if when.kinds:
        yield f"kind {ticket.kind}" if ticket.kind in when.kinds else None
    if when.categories:
        path = {ticket.category.code, *ticket.category.path} if ticket.category else set()
        yield _first("category", (one for one in when.categories if one in path))
    if when.flags:
        yield _first("flag", (flag for flag in when.flags if flag in ticket.flags))
    if when.words:
        yield _first("says", (word for word in when.words if word in words))
    if when.districts:
        here = case.district.id if case.district else None
        yield _first("district", (one for one in when.districts if one == here))
    if any(word in words for word in when.no_words):
        yield None


def _first(what: str, found: Iterator[str]) -> str | None:
    return next((f"{what} {one}" for one in found), None)


def _by_rule(rule: Rule, case: _Case) -> Decided:
    if rule.decision is not Decision.DISPATCH:
        return Decided(rule.decision, rule.why, rule.id, referral=rule.refer, why=tuple(case.why))
    lead = _unit(rule.lead or "", case)
    if lead is None:
        return _to_a_person(case, rule, f"{rule.lead} cannot be found without the place")
    others = [[unit.id for name in names if (unit := _unit(name, case)) is not None] for names in (rule.co, rule.cc)]
    return _dispatched(case, rule, rule.why, (lead.id, *others[0]), others[1])


def _unit(expression: str, case: _Case) -> Unit | None:
    """The unit that a rule means, here."""
    duty, at, level = expression.partition("@")
    if not at:
        return case.region.units.get(expression)
    here = case.street if level == "street" else case.district
    if here is None:
        return None
    return here if not duty else case.region.below(here.id, duty) or case.region.anywhere(duty)


def _dispatched(case: _Case, rule: Rule | None, reason: str, units: Sequence[str], cc: Sequence[str]) -> Decided:
    """To the lead and its helpers, never to the accused. A street leads: its district is informed (art. 12)."""
    region = case.region
    lead = _superior(units[0], case)
    if lead != units[0]:
        case.why.append(f"{units[0]} is accused or below the accused: {lead} leads")
    informed = list(cc)
    if region.units[lead].kind == "street" and (district := region.district_of(lead)) is not None:
        informed.append(district.id)
    fair = [unit for unit in dict.fromkeys(units[1:]) if unit not in case.accused and unit != lead]
    return Decided(
        Decision.DISPATCH,
        reason,
        rule.id if rule else None,
        lead=lead,
        co=tuple(fair),
        cc=tuple(u for u in dict.fromkeys(informed) if u not in case.accused and u != lead and u not in fair),
        why=tuple(case.why),
    )


def _superior(unit: str, case: _Case) -> str:
    """The unit itself, or, if it or a unit above it is accused, the nearest above all of them; at last the centre."""
    line = (unit, *case.region.above(unit))
    accused = [at for at, one in enumerate(line) if one in case.accused]
    if not accused:
        return unit
    rest = line[accused[-1] + 1 :]
    return rest[0] if rest else case.region.facts.centre


def _to_a_person(case: _Case, rule: Rule | None, reason: str) -> Decided:
    """With whom it may be meant for: the units of the rule's duty, and those of the place."""
    duty = (rule.lead or "").partition("@")[0] if rule else ""
    likely = [unit.id for unit in case.region.with_duty(duty)] if duty else []
    here = [unit.id for unit in (case.street, case.district) if unit is not None]
    fair = [unit for unit in dict.fromkeys((*here, *likely)) if unit not in case.accused]
    return Decided(
        Decision.DISPATCH,
        reason,
        rule.id if rule else None,
        candidates=tuple(fair[:_CANDIDATES]),
        why=tuple(case.why),
    )
