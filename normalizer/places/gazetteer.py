"""The divisions of the country: provinces, cities, counties and districts, streets and towns, by code and by name.

Read from data/places.z (made by tests/gazetteer.py) at the first use; streets only where somebody asks for them. May
not look at a text.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Literal

Level = Literal["province", "city", "district", "street"]

_LEVELS: Final[dict[str, Level]] = {"P": "province", "C": "city", "A": "district"}
_MUNICIPALITIES: Final = frozenset({"11", "12", "31", "50"})
_NO_CITY: Final = "90"  # third and fourth digit: counties directly below a province (GB/T 2260)


@dataclass(frozen=True, slots=True)
class Division:
    """One division. `code`: GB/T 2260, six digits; nine for streets. `lat`, `lon`: its middle (WGS 84), if known."""

    code: str
    name: str
    level: Level
    lat: float | None = None
    lon: float | None = None
    former: str | None = None


@dataclass(frozen=True, slots=True)
class _Country:
    wide: Mapping[str, Division]  # provinces and cities
    areas: Mapping[str, Division]  # counties and districts
    streets: Mapping[str, str]  # of a district, as they stand in the file


def area(code: str) -> Division:
    """The county or district with this six-digit code."""
    return _country().areas[code]


def areas() -> tuple[Division, ...]:
    """Every county and district."""
    return tuple(_country().areas.values())


def wide() -> tuple[Division, ...]:
    """Every province and city."""
    return tuple(_country().wide.values())


@lru_cache(maxsize=512)
def streets(area_code: str) -> tuple[Division, ...]:
    """The streets, towns and townships of a county or district."""
    return tuple(
        Division(code=area_code + one[:3], name=one[3:], level="street")
        for one in _country().streets.get(area_code, "").split("\t")
        if one
    )


def province_of(code: str) -> Division | None:
    """The province that a division lies in, itself if it is one."""
    return _country().wide.get(code[:2] + "0000")


def city_of(code: str) -> Division | None:
    """The city that a division lies in; a municipality is its own, a county directly below a province has none."""
    if code[2:6] == "0000":
        return province_of(code) if code[:2] in _MUNICIPALITIES else None
    return province_of(code) if code[:2] in _MUNICIPALITIES else _country().wide.get(code[:4] + "00")


def scope_of(code: str) -> str:
    """What all divisions of the same city have in common: the beginning of their codes."""
    if code[:2] in _MUNICIPALITIES or code[2:6] == "0000":
        return code[:2]
    return code[:6] if code[2:4] == _NO_CITY else code[:4]


def areas_in(scope: str) -> tuple[Division, ...]:
    """The counties and districts whose code begins like this."""
    return tuple(one for one in _country().areas.values() if one.code.startswith(scope))


def site(said: str) -> str:
    """The scope of the city, county or province that is meant, by its code or its name, with or without the last word.

    Raises:
        ValueError: no city or county has it, or several have.
    """
    found = _sites().get(said.strip(), frozenset())
    if len(found) != 1:
        raise ValueError("no city of this name or code" if not found else f"several: {', '.join(sorted(found))}")
    return next(iter(found))


@cache
def _sites() -> dict[str, frozenset[str]]:
    """Scope by code and by name. A city goes before counties of its name; a province has its whole name only."""
    found: dict[str, set[str]] = {}
    cities: dict[str, set[str]] = {}
    for one in wide():
        keys = {one.code, scope_of(one.code), one.name}
        if city_of(one.code):
            keys |= {one.code[:4], one.name.removesuffix("市")}
        for key in keys:
            cities.setdefault(key, set()).add(scope_of(one.code))
    for one in areas():
        for key in (one.code, one.name, one.name[:-1] if len(one.name) > 2 else one.name):
            found.setdefault(key, set()).add(one.code)
    return {key: frozenset(scopes) for key, scopes in (found | cities).items()}


@lru_cache(maxsize=1)
def _country() -> _Country:
    wide: dict[str, Division] = {}
    counties: dict[str, Division] = {}
    below: dict[str, str] = {}
    code = ""
    for kind, rest in _records():
        if kind == "S":
            below[code] = rest
            continue
        code, name, *more = rest.split("\t")
        lat, lon, former = (*more, "", "", "")[:3]
        point = (float(lat), float(lon)) if lat else (None, None)
        division = Division(code, name, _LEVELS[kind], point[0], point[1], former or None)
        (counties if kind == "A" else wide)[code] = division
    return _Country(wide, counties, below)


def _records() -> Iterator[tuple[str, str]]:
    packed = files("normalizer").joinpath("data/places.z").read_bytes()
    for line in zlib.decompress(packed).decode("utf-8").split("\n"):
        kind, _, rest = line.partition("\t")
        yield kind, rest
