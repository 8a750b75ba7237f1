"""A region's rules as data: its units, its dispatch catalogue, where it refers to, what it tells citizens when.

Pure data and look-ups. May not read files (workers/region_files.py does), and may not decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from normalizer.ticket import Decision, Flag, Kind
from workers.names import SHORTEST, Names, Vocabulary

UnitKind = Literal["centre", "district", "bureau", "street", "station", "contractor", "utility"]
UnitId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
Name = Annotated[str, Field(min_length=SHORTEST)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Unit(_Data):
    """Somebody who can be made accountable. `called`: what people call it besides its name, perhaps with others;
    `places`: of a district or street, names of places in it; `duties`: the words by which rules find it; `hours`:
    shown to people, `24h` for utilities (art. 19)."""

    id: UnitId
    name: Name
    kind: UnitKind
    parent: UnitId | None = None
    called: tuple[Name, ...] = ()
    places: tuple[Name, ...] = ()
    duties: tuple[str, ...] = ()
    hours: str = ""


Word = Annotated[str, Field(min_length=1), AfterValidator(str.casefold)]


class When(_Data):
    """A rule holds when every part that is given holds: one of the kinds, the category or one of its path, one of the
    flags, one of `with_flags` besides, one of the words in title or text, one of `with_words` besides, and none of
    `no_words`, one of the districts, one of the languages (BCP 47). Case does not matter."""

    kinds: tuple[Kind, ...] = ()
    categories: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    with_flags: tuple[Flag, ...] = ()
    words: tuple[Word, ...] = ()
    with_words: tuple[Word, ...] = ()
    no_words: tuple[Word, ...] = ()
    districts: tuple[UnitId, ...] = ()
    languages: tuple[str, ...] = ()


class Rule(_Data):
    """One row of the dispatch catalogue. `lead`, `co`, `cc`: a unit's id; `@street`, `@district` of the place; or
    `duty@district`, `duty@street`: the unit with that duty below it, else the one above all districts.
    `ask` instead of `lead`: a person decides, among these. `decision`: one of the special dispositions (art. 11), or
    answered at once; then `refer` names the text that the citizen is told."""

    id: str = Field(pattern=r"^[a-z0-9_]{1,60}$")
    why: str = Field(min_length=1, description="In words for people: the duty, the article")
    when: When
    decision: Decision = Decision.DISPATCH
    lead: str | None = None
    ask: tuple[str, ...] = ()
    co: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    refer: str | None = None


class Referral(_Data):
    """Where the line sends a citizen with what is not for units: emergency numbers, 12348, mediation, court …"""

    id: UnitId
    name: str = Field(min_length=1)
    contact: str = Field(min_length=1)
    text: Mapping[Literal["zh", "en"], str] = Field(description="What the citizen is told")


class Notices(_Data):
    """At which steps the citizen is told, besides the answer, which is always told."""

    dispatched: bool = True
    extended: bool = True


class PlaceWords(_Data):
    """What keeps a name from being taken for a place of ours. `elsewhere`: longer words that hold one. `foreign`:
    what stands before the district of another city, such as the word for city, except in one of `home`. `not_before`:
    what makes it the name of something else, such as a road, which leads through many streets; except in one of
    `though_before`."""

    elsewhere: tuple[Name, ...] = ()
    foreign: tuple[Word, ...] = ()
    home: tuple[Word, ...] = ()
    not_before: tuple[Word, ...] = ()
    though_before: tuple[Word, ...] = ()


class Facts(_Data):
    """region.toml. `centre`: the hotline's own office; `also`: other names of the region; `accusing`: words that
    make a unit the accused, near its name; `accusing_before`: just before its name."""

    name: Name
    also: tuple[Name, ...] = ()
    version: str
    centre: UnitId
    accusing: tuple[Word, ...] = ()
    accusing_before: tuple[Word, ...] = ()
    place_words: PlaceWords = PlaceWords()
    notices: Notices = Notices()


@dataclass(frozen=True)
class Region:
    """One region, checked: every reference leads somewhere, the units form a tree below the centre."""

    facts: Facts
    units: Mapping[str, Unit]
    rules: tuple[Rule, ...]
    referrals: Mapping[str, Referral]

    def below(self, unit: str, duty: str) -> Unit | None:
        """The unit with this duty in the tree below `unit`."""
        return next((one for one in self.with_duty(duty) if unit in self.above(one.id)), None)

    def anywhere(self, duty: str) -> Unit | None:
        """The unit with this duty that belongs to no district or street."""
        return next((one for one in self.with_duty(duty) if not self._is_local(one)), None)

    def _is_local(self, unit: Unit) -> bool:
        return any(self.units[up].kind in ("district", "street") for up in (unit.id, *self.above(unit.id)))

    def above(self, unit: str) -> tuple[str, ...]:
        """The units above one, the nearest first."""
        found: list[str] = []
        up = self.units[unit].parent
        while up is not None and up not in found and up in self.units:
            found.append(up)
            up = self.units[up].parent
        return tuple(found)

    def district_of(self, unit: str) -> Unit | None:
        """The district a unit lies in, itself if it is one."""
        line = (unit, *self.above(unit))
        return next((self.units[one] for one in line if self.units[one].kind == "district"), None)

    @cached_property
    def place_names(self) -> Names:
        """Names of places, and the districts and streets they mean."""
        local = [unit for unit in self.units.values() if unit.kind in ("district", "street")]
        named = ((name, unit.id) for unit in local for name in (unit.name, *unit.places))
        return Names(named, elsewhere=self.facts.place_words.elsewhere)

    @cached_property
    def unit_names(self) -> Names:
        """Names of the units themselves."""
        return Names((name, unit.id) for unit in self.units.values() for name in (unit.name, *unit.called))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Every word that a rule asks for."""
        asked = (rule.when for rule in self.rules)
        return Vocabulary(word for when in asked for word in (*when.words, *when.with_words, *when.no_words))

    @cached_property
    def _by_duty(self) -> Mapping[str, tuple[Unit, ...]]:
        found: dict[str, tuple[Unit, ...]] = {}
        for unit in self.units.values():
            for duty in unit.duties:
                found[duty] = (*found.get(duty, ()), unit)
        return found

    def with_duty(self, duty: str) -> tuple[Unit, ...]:
        """Every unit with this duty, in the order of the file."""
        return self._by_duty.get(duty, ())
