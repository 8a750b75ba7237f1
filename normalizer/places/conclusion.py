"""One place out of what a text names: the likeliest district with what belongs to it, and notes of the rest.

May not name a place that the text does not, nor one that does not contain what it names; the site's own city is added
to an address found without any, never put in the place of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from normalizer.places import gazetteer
from normalizer.places.detail import Detail, details
from normalizer.places.gazetteer import Division
from normalizer.places.mentions import Mention
from normalizer.places.names import short
from normalizer.places.reading import Found, read
from normalizer.simplified import simplified
from normalizer.ticket import Place

_RANKED: Final = 3  # other places that are told
# How often a district found like this is the right one: measured on labelled texts, see docs/reference/places.md.
_NAMED, _BY_STREET, _SHORT, _WEAK = 0.97, 0.93, 0.9, 0.8
_CONTESTED: Final = 0.15  # taken off when another place weighs nearly as much
_NEARLY: Final = 0.25
_CITY_ONLY, _NO_CITY, _DETAIL_ONLY = 0.6, 0.5, 0.4
_BEHIND: Final = 3  # added to the strength of an address right behind the district or street
_TYPED: Final = 10  # added to one that was typed as the place
NOTHING: Final = Place()
"""No place was given."""


@dataclass(slots=True)
class Conclusion:
    """What was concluded of the place, and why: code and detail of each note."""

    place: Place
    why: list[tuple[str, str]] = field(default_factory=list)


def conclude(words: str, scope: str, given: Place, typed: int) -> Conclusion:
    """The place that `words` are about. `scope`: the site's own city, or empty; `given`: what the form or the channel
    said, whose words are the first `typed` characters."""
    key = simplified(words)
    reading = read(key, scope, typed)
    found = [one for one in reading.found if given is NOTHING or _agrees(given, one.area)]
    said: dict[str, object] = {}
    why: list[tuple[str, str]] = []
    best = found[0] if found else None
    chain: Chain = None
    if best is not None:
        said = _district(best, found[1:], why)
        chain = _chain(reading.mentions, best)
    elif given.district is None and (unclear := _unclear(reading.unclear, scope)):
        said = _shared(unclear, scope, why)
        chain = (unclear.start, unclear.end)
    elif given.city is None and reading.city is not None:
        said = _wide(reading.city.senses[0].division, why)
        chain = (reading.city.start, reading.city.end)
    _address(words, key, _Sight(scope, typed, reading.mentions, best, chain), said, why)
    return Conclusion(_completed(given, said, why), why)


Chain = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Sight:
    """What the address is looked for with."""

    scope: str
    typed: int
    mentions: tuple[Mention, ...]
    best: Found | None
    chain: Chain


def _agrees(given: Place, area: Division) -> bool:
    """Whether nothing that was given is in another place."""
    city, province = gazetteer.city_of(area.code), gazetteer.province_of(area.code)
    pairs = ((given.district, area), (given.city, city), (given.province, province))
    return all(said is None or (one is not None and _is(said, one)) for said, one in pairs)


def _is(said: str, division: Division) -> bool:
    return simplified(said) in (simplified(division.name), simplified(short(division)))


def _district(best: Found, others: list[Found], why: list[tuple[str, str]]) -> dict[str, object]:
    area = best.area
    said: dict[str, object] = {**_above(area.code), "district": area.name, "confidence": _confidence(best, others)}
    how = "by a street or town in it" if best.by_street else f"by its {best.named[0].form} name"
    why.append(("district", f"{area.name} ({area.code}) {how}, weight {best.weight:.2f}"))
    if best.streets:
        street = best.streets[0]
        said["street"] = street.division.name
        why.append(("street", f"{street.division.name} ({street.division.code}) by its {street.form} name"))
    if others:
        ranked = (f"{one.area.name} ({one.area.code}), weight {one.weight:.2f}" for one in others[:_RANKED])
        why.append(("others", f"also named: {'; '.join(ranked)}"))
    if area.lat is not None and area.lon is not None:
        said |= {"lat": area.lat, "lon": area.lon}
    return said


@lru_cache(maxsize=4096)
def _above(code: str) -> Mapping[str, str]:
    """Province and city of a division."""
    city, province = gazetteer.city_of(code), gazetteer.province_of(code)
    return {name: one.name for name, one in (("province", province), ("city", city)) if one is not None}


def _confidence(best: Found, others: list[Found]) -> float:
    sure = _BY_STREET if best.by_street else _SHORT if best.named[0].form == "short" else _NAMED
    if best.weight < _WEAK:
        sure = min(sure, _SHORT)
    if others and best.weight - others[0].weight < _NEARLY:
        sure -= _CONTESTED
    return round(sure, 2)


def _unclear(mentions: tuple[Mention, ...], scope: str) -> Mention | None:
    """The first full name that several districts share; with a city of our own only a street of it."""
    fitting = (one for one in mentions if one.senses[0].form == "full")
    if scope:
        fitting = (one for one in fitting if all(sense.division.code.startswith(scope) for sense in one.senses))
    return next(fitting, None)


def _shared(mention: Mention, scope: str, why: list[tuple[str, str]]) -> dict[str, object]:
    """The name alone: which of those that have it stays open."""
    divisions = [sense.division for sense in mention.senses]
    listed = ", ".join(one.code for one in divisions[: _RANKED + 1])
    why.append(("unclear", f"{divisions[0].name}: no city is named, the name is that of {listed}"))
    wider = _above(divisions[0].code) if scope else {}
    return {**wider, divisions[0].level: divisions[0].name, "confidence": _NO_CITY}


def _wide(city: Division, why: list[tuple[str, str]]) -> dict[str, object]:
    why.append(("city", f"{city.name} ({city.code}) by its name, no district"))
    return {**_above(city.code), "confidence": _CITY_ONLY}


def _chain(mentions: tuple[Mention, ...], best: Found) -> Chain:
    """From where to where the best mention stands together with wider and narrower ones."""
    strongest = max(best.named, key=lambda one: (one.weight, -one.mention.start)).mention
    place = mentions.index(strongest)
    first = last = place
    while first > 0 and mentions[first - 1].end == mentions[first].start and mentions[first - 1].level != "street":
        first -= 1
    while last + 1 < len(mentions) and mentions[last + 1].start == mentions[last].end:
        last += 1
    return mentions[first].start, mentions[last].end


def _address(words: str, key: str, sight: _Sight, said: dict[str, object], why: list[tuple[str, str]]) -> None:
    """Detail and text, and the site's own city when the address is all there is."""
    walls = [(one.start, one.end) for one in sight.mentions if not _is_only_short(one)]
    behind = {one.mention.end for one in sight.best.named} if sight.best else set()
    ranked = sorted(details(key, walls), key=lambda one: (-_rank(one, behind, sight.typed), one.start))
    text = sight.chain
    if ranked:
        address = ranked[0]
        said["detail"] = words[address.start : address.end]
        why.append(("detail", f"{address.kind}: {said['detail']}"))
        if further := list(dict.fromkeys(words[one.start : one.end] for one in ranked[1:])):
            why.append(("more_details", "; ".join(further[:_RANKED])))
        if not text:
            text = (address.start, address.end)
        elif address.start == text[1]:
            text = (text[0], address.end)
        said.setdefault("confidence", _DETAIL_ONLY)
        if sight.scope and "city" not in said and "district" not in said:
            said |= _home(sight.scope)
            why.append(("own_city", "the address names no city: the site's own is meant"))
    if text:
        said["text"] = words[text[0] : text[1]]


def _is_only_short(mention: Mention) -> bool:
    """A province's or city's short name, which many roads bear."""
    return mention.level in ("province", "city") and mention.senses[0].form == "short"


def _rank(one: Detail, behind: set[int], typed: int) -> int:
    return one.strength + (_BEHIND if one.start in behind else 0) + (_TYPED if one.end <= typed else 0)


def _home(scope: str) -> Mapping[str, str]:
    above = _above(scope.ljust(6, "0"))
    return {**above, "district": gazetteer.area(scope).name} if len(scope) == 6 else above


def _completed(given: Place, said: dict[str, object], why: list[tuple[str, str]]) -> Place:
    """What was given stays; the rest is added."""
    pointed = given.lat is not None or given.lon is not None
    missing = {
        name: value
        for name, value in said.items()
        if getattr(given, name) is None and not (pointed and name in ("lat", "lon"))
    }
    if "lat" in missing:
        why.append(("centre", f"the coordinates are the middle of {said['district']}, not the spot"))
    confidence = said.get("confidence")
    if given.confidence is not None and isinstance(confidence, float):
        missing["confidence"] = min(given.confidence, confidence)
    elif given is not NOTHING and said.keys() <= {"text", "detail", "confidence"}:
        missing.pop("confidence", None)  # of the place that was given, we know no better
    return given.model_copy(update=missing)
