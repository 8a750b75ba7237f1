"""Reads a region's folder (`workers/rules/<region>` or the site's own) and checks it as a whole.

May not stop at the first fault: operators write these files, and see all that is wrong at once.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from normalizer.ticket import Decision
from workers.region import Facts, Referral, Region, Rule, Unit

T = TypeVar("T", bound=BaseModel)

_HERE: Final = files("workers") / "rules"


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
    facts = _table(folder, "region.toml", problems)
    found_facts = _checked(Facts, facts, "region.toml", problems)
    units = [
        unit
        for number, row in _rows(folder, problems)
        if (unit := _checked(Unit, row, f"units.csv line {number}", problems)) is not None
    ]
    rules = _list(folder, "catalogue.toml", "rule", Rule, problems)
    referrals = _list(folder, "referrals.toml", "referral", Referral, problems)
    if found_facts is None:
        raise RegionError(problems)
    region = Region(
        found_facts, {unit.id: unit for unit in units}, tuple(rules), {referral.id: referral for referral in referrals}
    )
    problems += _contradictions(region, units, referrals)
    if problems:
        raise RegionError(problems)
    return region


def _table(folder: Traversable | Path, name: str, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{name}: {error}")
        return {}


def _list(folder: Traversable | Path, name: str, key: str, model: type[T], problems: list[str]) -> list[T]:
    table = _table(folder, name, problems)
    problems += [f"{name}: unknown key {other!r}" for other in table if other != key]
    rows = table.get(key, [])
    if not isinstance(rows, list):
        problems.append(f"{name}: {key} must be a list of tables")
        return []
    found = (_checked(model, row, f"{name} {key} {number}", problems) for number, row in enumerate(rows, 1))
    return [one for one in found if one is not None]


def _rows(folder: Traversable | Path, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of units.csv: lists have `;` between their words, an empty cell is left out."""
    try:
        text = (folder / "units.csv").read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"units.csv: {error}")
        return
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), 2):
        given: dict[str, Any] = {str(name): value for name, value in row.items() if value}
        for name in ("called", "places", "duties"):
            if name in given:
                given[name] = tuple(word.strip() for word in given[name].split(";") if word.strip())
        yield number, given


def _checked(model: type[T], value: object, where: str, problems: list[str]) -> T | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems += [f"{where}: {'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors()]
        return None


def _contradictions(region: Region, units: list[Unit], referrals: list[Referral]) -> Iterator[str]:
    """What no file shows by itself."""
    yield from (f"units.csv: {one!r} twice" for one in _twice(unit.id for unit in units))
    yield from (f"catalogue.toml: rule {one!r} twice" for one in _twice(rule.id for rule in region.rules))
    yield from (f"referrals.toml: {one!r} twice" for one in _twice(referral.id for referral in referrals))
    if region.facts.centre not in region.units:
        yield f"region.toml: centre {region.facts.centre!r} is no unit"
    for unit in units:
        if unit.parent is not None and unit.parent not in region.units:
            yield f"units.csv: parent {unit.parent!r} of {unit.id!r} is no unit"
    yield from _circles(region)
    for rule in region.rules:
        yield from _rule_faults(region, rule)


def _twice(ids: Iterable[str]) -> list[str]:
    return [one for one, count in Counter(ids).items() if count > 1]


def _circles(region: Region) -> Iterator[str]:
    for unit in region.units.values():
        if unit.parent == unit.id or unit.id in region.above(unit.id):
            yield f"units.csv: {unit.id!r} is above itself"


def _rule_faults(region: Region, rule: Rule) -> Iterator[str]:
    where = f"catalogue.toml: rule {rule.id!r}"
    if rule.decision is Decision.DISPATCH:
        if rule.lead is None:
            yield f"{where} names no lead"
    elif rule.lead is not None or rule.co or rule.cc:
        yield f"{where} dispatches nothing, so it has no units"
    if (rule.refer is not None) == (rule.decision in (Decision.DISPATCH, Decision.ANSWERED)):
        yield f"{where}: `refer` goes with a decision that refers, and only with that"
    if rule.refer is not None and rule.refer not in region.referrals:
        yield f"{where} refers to {rule.refer!r}, which is not in referrals.toml"
    for named in (*((rule.lead,) if rule.lead else ()), *rule.co, *rule.cc):
        duty, at, level = named.partition("@")
        if at and (level not in ("street", "district") or (duty and not region.with_duty(duty))):
            yield f"{where}: nobody answers to {named!r}"
        elif not at and named not in region.units:
            yield f"{where}: {named!r} is no unit"
