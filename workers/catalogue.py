"""The dispatch catalogue applied to one ticket: who leads, who helps, who is informed, or why a person must decide.

Pure: the same ticket and region give the same decision, with every conclusion and its reason in `why`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from normalizer.ticket import Decision, Kind, Place, Ticket
from workers.names import Found
from workers.region import PlaceWords, Region, Rule, Unit, When

NOT_AGAINST: Final = frozenset({Kind.CONSULTATION, Kind.SUGGESTION, Kind.PRAISE})
"""Kinds that accuse nobody; the others may, also where nobody said which kind it is."""
_NEAR: Final = 12  # characters between a unit's name and a word that accuses it
_CLAUSE_END: Final = re.compile(r"[，。！？；,!?;\n]")
CANDIDATES: Final = 5
_SURE: Final = 0.85  # confidence below which a place does not decide alone


@dataclass(frozen=True, slots=True)
class Suggested:
    """A unit that took such tickets before, and how sure it is that it should take this one."""

    unit: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Decided:
    """What the catalogue says. `decision` DISPATCH with a `lead`: it goes there; without: a person decides, for
    `reason`, among `candidates`, and never `accused`. Any other decision ends it, with the text of `referral`."""

    decision: Decision
    reason: str
    rule: str | None = None
    lead: str | None = None
    co: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    referral: str | None = None
    candidates: tuple[str, ...] = ()
    accused: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    suggested: tuple[Suggested, ...] = ()
    accused_unknown: bool = False

    @property
    def needs_a_person(self) -> bool:
        """Whether triage decides."""
        return self.decision is Decision.DISPATCH and self.lead is None


@dataclass(slots=True)
class _Case:
    """One ticket on its way through the catalogue."""

    ticket: Ticket
    region: Region
    words: str
    held: frozenset[str]
    why: list[str] = field(default_factory=list)
    street: Unit | None = None
    district: Unit | None = None
    perhaps: tuple[str, ...] = ()  # districts between which a person must choose
    accused: frozenset[str] = frozenset()
    accused_unknown: tuple[str, ...] = ()  # words for somebody accused, in whom no unit of ours is recognised


def decide(ticket: Ticket, region: Region) -> Decided:
    """The first rule that holds decides; without one the district coordinates, if it is known (art. 12); else a
    person. Nothing goes to whom it accuses nor below: its superior has it instead."""
    words = f"{ticket.title}\n{ticket.text}".casefold()
    case = _Case(ticket, region, words, region.vocabulary.held_by(words))
    _find_place(case)
    _find_accused(case)
    for rule in region.rules:
        if (because := _holds(rule, case)) is not None:
            case.why.append(f"rule {rule.id} holds: {because}")
            return _by_rule(rule, case)
    case.why.append("no rule holds")
    if case.district is not None:
        return _dispatched(case, None, "duty unclear, district known (art. 12)", (case.district.id,), ())
    unclear = "several districts (art. 12)" if case.perhaps else "neither duty nor district is clear"
    return _to_a_person(case, None, unclear)


def _find_place(case: _Case) -> None:
    """What the place says itself; what it leaves open, title and text say, if they name one district only."""
    place, facts = case.ticket.place, case.region.facts
    if place is not None:
        wider = [one for one in (place.province, place.city) if one]
        if wider and not any(_same(one, (facts.name, *facts.also)) for one in wider):
            case.why.append("the place is in another city")
            return
        for said in _sayings(place, case.words):
            _take_place(case, said.casefold())
    if case.street is None and not case.perhaps:
        _take_place(case, case.words)


def _sayings(place: Place, words: str) -> tuple[str, ...]:
    """What the place says, the surest first; one that is not sure is weighed with all that the ticket says, as several
    districts are for a person (art. 12)."""
    said = [one for one in (place.district, place.street, place.text, place.detail) if one]
    unsure = place.confidence is not None and place.confidence < _SURE
    return ("\n".join((*said, words)),) if unsure else tuple(said)


def _same(said: str, names: Sequence[str]) -> bool:
    """Whether a city or province is the region: its name, or the beginning of it, as people leave out the last word."""
    return any(name.casefold().startswith(said.strip().casefold()) for name in names)


def _take_place(case: _Case, text: str) -> None:
    """The district and the street that a text names, unless it names several districts."""
    streets, districts = _named(text, case.region)
    known = case.district.id if case.district else None
    all_here = dict.fromkeys((*districts, *(up for ups in streets.values() for up in ups if len(ups) == 1)))
    if known is None and len(all_here) > 1:
        case.perhaps = tuple(all_here)
        case.why.append(f"several districts named: {', '.join(all_here)}")
        return
    if known is None and all_here:
        known = next(iter(all_here))
        case.district, case.perhaps = case.region.units[known], ()
        case.why.append(f"district {known}: named")
    elif known is None and streets:
        case.perhaps = tuple(dict.fromkeys(up for ups in streets.values() for up in ups))
        case.why.append(f"a street of that name is in: {', '.join(case.perhaps)}")
    if case.street is None and known is not None:
        found = next((ups[known] for ups in streets.values() if known in ups), None)
        if found is not None:
            case.street = case.region.units[found]
            case.why.append(f"street {found}: named")


def _named(text: str, region: Region) -> tuple[dict[int, dict[str, str]], dict[str, None]]:
    """Streets by where they are named, each as district -> street (one name can be in several); and districts."""
    streets: dict[int, dict[str, str]] = {}
    districts: dict[str, None] = {}
    for found in region.place_names.find(text):
        if not _ours(text, found, region.facts.place_words):
            continue
        for unit in found.units:
            district = region.district_of(unit)
            if unit == (district.id if district else None):
                districts[unit] = None
            elif district is not None:
                streets.setdefault(found.start, {})[district.id] = unit
    return streets, districts


def _ours(text: str, found: Found, words: PlaceWords) -> bool:
    """Not another city's district of that name, and not a road that has its name from the place."""
    foreign = text.endswith(words.foreign, 0, found.start) and not text.endswith(words.home, 0, found.start)
    other = text.startswith(words.not_before, found.end) and not text.startswith(words.though_before, found.end)
    return not foreign and not other


def _find_accused(case: _Case) -> None:
    """Units that the ticket accuses: their name and a word that accuses in one clause, near each other. Of a name that
    many units have, those of the place, or all of them where that is not known."""
    accused = _accused_at_intake(case)
    if case.ticket.kind not in NOT_AGAINST:
        accused |= _accused_by_words(case)
    if accused:
        more = f" and {len(accused) - CANDIDATES} more" if len(accused) > CANDIDATES else ""
        case.why.append(f"accused: {', '.join([*accused][:CANDIDATES])}{more}")
    case.accused = frozenset(accused)


def _accused_at_intake(case: _Case) -> dict[str, None]:
    """Units in the words that intake took for the accused: all of a phrase, the town as well as its office."""
    accused: dict[str, None] = {}
    unknown = []
    for words in case.ticket.accused:
        named = [*case.region.unit_names.find(words.casefold())]
        if named:
            accused |= dict.fromkeys(unit for one in named for unit in _meant(one.units, case))
        else:
            unknown.append(words)
    case.accused_unknown = () if accused else tuple(unknown)
    return accused


def _accused_by_words(case: _Case) -> dict[str, None]:
    facts = case.region.facts
    accused: dict[str, None] = {}
    for found in case.region.unit_names.find(case.words):
        before = _CLAUSE_END.split(case.words[max(0, found.start - _NEAR) : found.start])[-1]
        after = _CLAUSE_END.split(case.words[found.end : found.end + _NEAR], maxsplit=1)[0]
        if any(word in before or word in after for word in facts.accusing) or _is_object(found, case):
            accused |= dict.fromkeys(_meant(found.units, case))
    return accused


def _is_object(found: Found, case: _Case) -> bool:
    """Said right after a word such as `complain of`, and not as the place where something is."""
    name = case.words[found.start : found.end]
    here = any(
        name == unit.name.casefold() and unit.kind == "street"
        for unit in map(case.region.units.__getitem__, found.units)
    )
    return not here and case.words.endswith(case.region.facts.accusing_before, 0, found.start)


def _meant(units: tuple[str, ...], case: _Case) -> tuple[str, ...]:
    if len(units) == 1 or case.district is None:
        return units
    here = (case.street.id,) if case.street else ()
    up = case.region.district_of
    near = tuple(unit for unit in units if unit in here or up(unit) is case.district)
    return tuple(unit for unit in near if unit in here) or near or units


def _holds(rule: Rule, case: _Case) -> str | None:
    """Why the rule holds; None when it does not."""
    parts: list[str] = []
    for part in _parts(rule.when, case):
        if part is None:
            return None
        parts.append(part)
    return ", ".join(parts) or "it always does"


def _parts(when: When, case: _Case) -> Iterator[str | None]:
    """What fulfils each part of the condition that is given, or None."""
    ticket = case.ticket
    if when.kinds:
        yield f"kind {ticket.kind}" if ticket.kind in when.kinds else None
    if when.categories:
        path = {ticket.category.code, *ticket.category.path} if ticket.category else set()
        yield _first("category", (one for one in when.categories if one in path))
    for flags in (when.flags, when.with_flags):
        if flags:
            yield _first("flag", (flag for flag in flags if flag in ticket.flags))
    if when.languages:
        yield _first("language", (one for one in when.languages if one == ticket.requester.language))
    for asked in (when.words, when.with_words):
        if asked:
            yield _first("says", (word for word in asked if word in case.held))
    if when.districts:
        here = case.district.id if case.district else None
        yield _first("district", (one for one in when.districts if one == here))
    if not case.held.isdisjoint(when.no_words):
        yield None


def _first(what: str, found: Iterator[str]) -> str | None:
    return next((f"{what} {one}" for one in found), None)


def _by_rule(rule: Rule, case: _Case) -> Decided:
    if rule.decision is not Decision.DISPATCH:
        accused = tuple(sorted(case.accused))
        return Decided(rule.decision, rule.why, rule.id, referral=rule.refer, accused=accused, why=tuple(case.why))
    if rule.lead is None:
        return _to_a_person(case, rule, rule.why)
    lead = _unit(rule.lead, case)
    if lead is None and rule.lead == "@street" and case.district is not None:
        case.why.append("which street is not known: the district coordinates (art. 12)")
        lead = case.district
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
    if case.accused_unknown and not case.accused:
        return _to_a_person(
            case, rule, f"somebody in office is accused, of a unit not known: {case.accused_unknown[0]}"
        )
    lead = _superior(units[0], case)
    if lead != units[0]:
        case.why.append(f"{units[0]} is accused or below the accused: {lead} leads")
    informed = [*cc, *over(lead, region)]
    fair = [unit for unit in dict.fromkeys(units[1:]) if unit != lead and _is_fair(unit, case)]
    told = [unit for unit in dict.fromkeys(informed) if unit not in (lead, *fair) and _is_fair(unit, case)]
    return Decided(
        Decision.DISPATCH,
        reason,
        rule.id if rule else None,
        lead=lead,
        co=tuple(fair),
        cc=tuple(told),
        accused=tuple(sorted(case.accused)),
        why=tuple(case.why),
    )


def _is_fair(unit: str, case: _Case) -> bool:
    return is_fair(unit, case.accused, case.region)


def over(lead: str, region: Region) -> tuple[str, ...]:
    """Who is informed because of who leads: a street's district (art. 12)."""
    district = region.district_of(lead) if region.units[lead].kind == "street" else None
    return (district.id,) if district is not None else ()


def is_fair(unit: str, accused: Collection[str], region: Region) -> bool:
    """Neither accused nor below one that is."""
    return not any(one in accused for one in (unit, *region.above(unit)))


def _superior(unit: str, case: _Case) -> str:
    """The unit itself, or, if it or a unit above it is accused, the nearest above all of them; at last the centre."""
    line = (unit, *case.region.above(unit))
    accused = [at for at, one in enumerate(line) if one in case.accused]
    if not accused:
        return unit
    rest = line[accused[-1] + 1 :]
    return rest[0] if rest else case.region.facts.centre


def _to_a_person(case: _Case, rule: Rule | None, reason: str) -> Decided:
    """With whom it may be meant for: whom the rule says to ask, the place, the units with the duty of its lead."""
    asked = [unit.id for name in (rule.ask if rule else ()) if (unit := _unit(name, case)) is not None]
    here = [unit.id for unit in (case.street, case.district) if unit is not None]
    duty = (rule.lead or "").partition("@")[0] if rule else ""
    likely = [_below(up, duty, case.region) for up in case.perhaps] if duty else list(case.perhaps)
    if duty and not likely:
        likely = [unit.id for unit in case.region.with_duty(duty)]
    fair = [unit for unit in dict.fromkeys((*asked, *here, *likely)) if _is_fair(unit, case)]
    return Decided(
        Decision.DISPATCH,
        reason,
        rule.id if rule else None,
        candidates=tuple(fair[:CANDIDATES]),
        accused=tuple(sorted(case.accused)),
        why=tuple(case.why),
        accused_unknown=bool(case.accused_unknown and not case.accused),
    )


def _below(district: str, duty: str, region: Region) -> str:
    """The unit with the duty in a district, or the district itself."""
    found = region.below(district, duty)
    return found.id if found else district
