"""Reads a region's folder (`workers/rules/<region>` or the site's own) and checks it as a whole.

May not stop at the first fault: operators write these files, and see all that is wrong at once.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from normalizer.ticket import Decision
from workers.region import Facts, Referral, Region, Rule, Unit, When

T = TypeVar("T", bound=BaseModel)

_HERE: Final = files("workers") / "rules"
ENDING: Final = frozenset({Decision.ANSWERED, Decision.REFER_EMERGENCY, Decision.REFER_LEGAL, Decision.EXPLAIN})
"""What a rule may decide besides dispatching: with the text of a referral, which the citizen is told."""
_NO_FACTS: Final = Facts(name="--", version="", centre="centre")  # so that the other files are checked all the same


class RegionError(Exception):
    """What is wrong with a region's folder: every fault, each with its file and place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def shipped(name: str) -> Region:
    """A region that comes with us. Raises RegionError: there is none of that name, or it is broken."""
    folder = _HERE / name
    if not name.isidentifier() or not folder.is_dir():
        raise RegionError([f"there is no region {name!r}; there are: {', '.join(sorted(names()))}"])
    return load(folder)


def names() -> list[str]:
    """The regions that come with us."""
    return [folder.name for folder in _HERE.iterdir() if folder.is_dir() and not folder.name.startswith("_")]


def load(folder: Traversable | Path) -> Region:
    """Read region.toml, units.csv, catalogue.toml and referrals.toml of a folder.

    Raises:
        RegionError: every fault of every file.
    """
    problems: list[str] = []
    table = _table(folder, "region.toml", problems)
    facts = _checked(Facts, table, "region.toml", problems) if table is not None else None
    units = [
        (where, unit)
        for where, row in _rows(folder, problems)
        if (unit := _checked(Unit, row, where, problems)) is not None
    ]
    rules = _list(folder, "catalogue.toml", "rule", Rule, problems)
    referrals = _list(folder, "referrals.toml", "referral", Referral, problems)
    region = Region(
        facts or _NO_FACTS,
        {unit.id: unit for _, unit in units},
        tuple(rule for _, rule in rules),
        {referral.id: referral for _, referral in referrals},
    )
    problems += _twice("unit", ((where, unit.id) for where, unit in units))
    problems += _twice("rule", ((where, rule.id) for where, rule in rules))
    problems += _twice("referral", ((where, referral.id) for where, referral in referrals))
    problems += (f"{where}: {fault}" for where, unit in units for fault in _unit_faults(region, unit))
    problems += (f"{where}: {fault}" for where, rule in rules for fault in _rule_faults(region, rule))
    problems += (f"{where}: {one.id!r} has no text.zh" for where, one in referrals if "zh" not in one.text)
    if facts is not None and facts.centre not in region.units:
        problems.append(f"region.toml: centre {facts.centre!r} is no unit")
    if problems:
        raise RegionError(problems)
    return region


def _table(folder: Traversable | Path, name: str, problems: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads((folder / name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{name}: {error}")
        return None


def _list(folder: Traversable | Path, name: str, key: str, model: type[T], problems: list[str]) -> list[tuple[str, T]]:
    """The tables `[[key]]` of a file, each with where it stands."""
    table = _table(folder, name, problems) or {}
    problems += [f"{name}: unknown key {other!r}" for other in table if other != key]
    rows = table.get(key, [])
    if not isinstance(rows, list):
        problems.append(f"{name}: {key} must be a list of tables")
        return []
    places = _places(folder, name, key, len(rows))
    found = [(where, _checked(model, row, where, problems)) for where, row in zip(places, rows, strict=True)]
    return [(where, one) for where, one in found if one is not None]


def _places(folder: Traversable | Path, name: str, key: str, count: int) -> list[str]:
    """The line of each table, or its number where the file is written in another way."""
    lines = (folder / name).read_text("utf-8").splitlines() if count else []
    heads = [number for number, line in enumerate(lines, 1) if line.replace(" ", "").startswith(f"[[{key}]]")]
    if len(heads) == count:
        return [f"{name} line {number}" for number in heads]
    return [f"{name} {key} {number}" for number in range(1, count + 1)]


def _rows(folder: Traversable | Path, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of units.csv: lists have `;` between their words, an empty cell is left out."""
    try:
        text = (folder / "units.csv").read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"units.csv: {error}")
        return
    reader = csv.DictReader(io.StringIO(text), restkey="cells without a column")
    for row in reader:
        given: dict[str, Any] = {name: value for name, value in row.items() if value}
        for name in ("called", "places", "duties"):
            if name in given:
                given[name] = tuple(word.strip() for word in given[name].split(";") if word.strip())
        yield f"units.csv line {reader.line_num}", given


def _checked(model: type[T], value: object, where: str, problems: list[str]) -> T | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems += [f"{where}: {'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors()]
        return None


def _twice(what: str, ids: Iterable[tuple[str, str]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for where, one in ids:
        if one in first:
            yield f"{where}: {what} {one!r} is there already: {first[one]}"
        first.setdefault(one, where)


def _unit_faults(region: Region, unit: Unit) -> Iterator[str]:
    """What no line shows by itself: one tree below the centre."""
    if unit.parent is not None and unit.parent not in region.units:
        yield f"parent {unit.parent!r} of {unit.id!r} is no unit"
    if (unit.parent is None) != (unit.kind == "centre"):
        yield f"{unit.id!r}: the centre has no parent, and every other unit has one"
    if unit.parent == unit.id or unit.id in region.above(unit.id):
        yield f"{unit.id!r} is above itself"
    if unit.places and unit.kind not in ("district", "street"):
        yield f"{unit.id!r}: only districts and streets have places"


def _rule_faults(region: Region, rule: Rule) -> Iterator[str]:
    where = f"rule {rule.id!r}"
    if rule.when == When() and rule != region.rules[-1]:
        yield f"{where} always holds, so that no rule after it ever does"
    yield from (f"{where} {fault}" for fault in _decision_faults(rule))
    if rule.refer is not None and rule.refer not in region.referrals:
        yield f"{where} refers to {rule.refer!r}, which is not in referrals.toml"
    yield from (f"{where}: {here!r} is no district" for here in rule.when.districts if not _is_district(region, here))
    named = (*((rule.lead,) if rule.lead else ()), *rule.ask, *rule.co, *rule.cc)
    yield from (f"{where}: nobody answers to {one!r}" for one in named if not _is_known(region, one))


def _decision_faults(rule: Rule) -> Iterator[str]:
    """Whether the rule says all that its decision needs, and nothing else."""
    if rule.decision is Decision.DISPATCH:
        if (rule.lead is None) == (not rule.ask):
            yield "must name a lead, or whom a person may `ask`, and not both"
    elif rule.decision not in ENDING:
        yield f"decides {str(rule.decision)!r}, which is no word of a catalogue"
    elif rule.lead is not None or rule.ask or rule.co or rule.cc:
        yield "dispatches nothing, so it has no units"
    if (rule.refer is None) != (rule.decision is Decision.DISPATCH):
        yield "must say `refer` with every decision but dispatch, and only with those"


def _is_district(region: Region, unit: str) -> bool:
    return unit in region.units and region.units[unit].kind == "district"


def _is_known(region: Region, expression: str) -> bool:
    """A unit, the place's own, or a duty that some unit has."""
    duty, at, level = expression.partition("@")
    if not at:
        return expression in region.units
    return level in ("street", "district") and (not duty or bool(region.with_duty(duty)))
