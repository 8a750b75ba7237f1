"""Which places a text is about: weighs every mention, takes names of several places for the one that fits, ranks.

May not invent: every division found is named in the text, or contains one that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from normalizer.places import gazetteer
from normalizer.places.data import WORDS
from normalizer.places.gazetteer import Division
from normalizer.places.mentions import Mention, find
from normalizer.places.names import Form, Sense, index

# What a mention weighs by the form of the name, before what stands around it.
_BASE: Final[dict[Form, float]] = {"full": 1.0, "island": 0.9, "office": 0.85, "short": 0.8}
_STREET: Final = 0.9  # a street weighs a little less for its district than the district's own name
_ADDRESS, _FOLLOWED, _TYPED = 0.3, 0.2, 2.0  # added
_AUTHORITY, _ANSWERED, _DIRECTION, _ORIGIN = 0.6, 0.5, 0.6, 0.1  # multiplied
_AFAR, _UNSAID = 0.8, 0.25  # multiplied: in another city that is named; in one that is not
_AGAIN: Final = 0.1  # added for every further mention, for three at most
_ENOUGH: Final = 0.3  # below it, a mention is no reason to believe that the matter is there
_BACK: Final = 16  # characters before a name that are looked at


class Named(NamedTuple):
    """One division that a mention was taken to mean, and how much it says that the matter is there."""

    mention: Mention
    division: Division
    form: Form
    weight: float


class Found(NamedTuple):
    """A district with what was said of it."""

    area: Division
    weight: float
    named: tuple[Named, ...]
    streets: tuple[Named, ...]

    @property
    def start(self) -> int:
        return self.named[0].mention.start

    @property
    def by_street(self) -> bool:
        """Whether only a street or town gives the district away."""
        return all(one.division.level == "street" for one in self.named)


class Reading(NamedTuple):
    """What a text names. `found`: districts, the most likely first; `unclear`: names that several districts have and
    nothing decides; `city`: named by its own name; `mentions`: where all of it stands."""

    found: tuple[Found, ...] = ()
    background: tuple[Division, ...] = ()
    unclear: tuple[Mention, ...] = ()
    city: Mention | None = None
    mentions: tuple[Mention, ...] = ()


def read(key: str, scope: str, typed: int = 0) -> Reading:
    """The places that `key` (a search key) names. `scope`: the site's own city, or empty; `typed`: how many characters
    from the start stand for a place that the citizen or the channel gave as such."""
    reading = _read(key, scope, scope, typed)
    if any(one.area.code.startswith(scope) for one in reading.found) and scope:
        return reading
    elsewhere = _elsewhere(reading, scope)
    again = _read(key, elsewhere, scope, typed) if elsewhere else reading
    return again if again.found else reading


def _elsewhere(reading: Reading, scope: str) -> str:
    """The other city that the text is about, in whose short names and streets it shall be read again."""
    if reading.found:
        return gazetteer.scope_of(reading.found[0].area.code)
    for one in reading.mentions:
        division = one.senses[0].division
        if one.level == "city" or gazetteer.city_of(division.code) is division:
            other = gazetteer.scope_of(division.code)
            if other != scope[: len(other)]:
                return other
    return ""


def _read(key: str, scope: str, home: str, typed: int) -> Reading:
    mentions = find(key, index(scope), typed)
    sight = _Sight(key, scope, home, typed, mentions)
    named: list[Named] = []
    unclear: list[Mention] = []
    for place, mention in enumerate(mentions):
        if mention.level not in ("district", "street"):
            continue
        meant = sight.meaning(place)
        if meant is None:
            unclear.append(mention)
        else:
            named.append(meant)
    named, left = _settle(sight, named, unclear)
    everything = _by_area(named)
    found = tuple(one for one in everything if one.weight >= _ENOUGH)
    background = tuple(one.area for one in everything if one.weight < _ENOUGH)
    return Reading(found, background, tuple(left), sight.city(), tuple(mentions))


@dataclass(slots=True)
class _Sight:
    """A text with its mentions, while they are weighed."""

    key: str
    scope: str
    home: str
    typed: int
    mentions: Sequence[Mention]
    wider: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        said = (one for one in self.mentions if one.level in ("province", "city"))
        full = (one for one in said if one.senses[0].form == "full")
        self.wider = tuple(dict.fromkeys(_beginning(one) for one in full))

    def meaning(self, place: int) -> Named | None:
        """What a mention means, when one meaning fits best; None when several do."""
        mention = self.mentions[place]
        senses = mention.senses
        above = self._right_before(place)
        if above and (fitting := [one for one in senses if one.division.code.startswith(above)]):
            return self._weighed(place, fitting, 1.0 if self._is_home(fitting[0].division) else _AFAR)
        if self.scope and (own := [one for one in senses if one.division.code.startswith(self.scope)]):
            return self._weighed(place, own, 1.0)
        for wider in self.wider:
            if fitting := [one for one in senses if one.division.code.startswith(wider)]:
                return self._weighed(place, fitting, _AFAR)
        if self.key[mention.start : mention.end] in WORDS.general:
            return None
        return self._weighed(place, self._with_street(mention), _UNSAID if self.home else 1.0)

    def weigh(self, place: int, sense_form: Form, level: str) -> float:
        """How much a mention says that the matter is there."""
        mention, key = self.mentions[place], self.key
        weight = _BASE[sense_form] * (_STREET if level == "street" else 1.0)
        if mention.end <= self.typed:
            return weight + _TYPED
        before = key[max(0, mention.start - _BACK) : mention.start]
        if WORDS.origin.search(before) or WORDS.origin_after.match(key, mention.end):
            return weight * _ORIGIN
        if before.endswith(WORDS.direction):
            weight *= _DIRECTION
        elif WORDS.address.search(before):
            weight += _ADDRESS
        if WORDS.answered.match(key, mention.end):
            weight *= _ANSWERED
        elif WORDS.authority_after.match(key, mention.end) or WORDS.authority.search(before):
            weight *= _AUTHORITY
        elif WORDS.address_after.match(key, mention.end) or self._goes_on(place):
            weight += _FOLLOWED
        return weight

    def city(self) -> Mention | None:
        """The first city named in full, or right after a word for an address."""
        for one in self.mentions:
            division = one.senses[0].division
            if gazetteer.city_of(division.code) is not division or not self._stands_alone(one):
                continue
            before = self.key[max(0, one.start - _BACK) : one.start]
            placed = one.end <= self.typed or WORDS.address.search(before) is not None
            if placed or (not self.home and not WORDS.origin.search(before)):
                return one
        return None

    def _stands_alone(self, mention: Mention) -> bool:
        """Whether a city's name is not the beginning of another word: in full, or where a short name may stand."""
        return mention.senses[0].form == "full" or WORDS.short_follows.match(self.key, mention.end) is not None

    def index_of(self, mention: Mention) -> int:
        return self.mentions.index(mention)

    def near(self, mention: Mention) -> str:
        """The code of the district named right before a street, else nothing."""
        return self._right_before(self.index_of(mention))

    def _weighed(self, place: int, senses: Sequence[Sense], factor: float) -> Named | None:
        codes: dict[str, Sense] = {}
        for one in senses:
            codes.setdefault(one.division.code, one)
        if len(codes) != 1:
            return None
        sense = next(iter(codes.values()))
        weight = self.weigh(place, sense.form, sense.division.level) * factor
        return Named(self.mentions[place], sense.division, sense.form, weight)

    def _with_street(self, mention: Mention) -> Sequence[Sense]:
        """Of several districts of one name those that have the street named right behind, if any has."""
        if len(mention.senses) == 1 or mention.level != "district":
            return mention.senses
        rest = self.key[mention.end : mention.end + _BACK]
        having = [
            one
            for one in mention.senses
            if any(rest.startswith(street.name) for street in gazetteer.streets(one.division.code))
        ]
        return having or mention.senses

    def _is_home(self, division: Division) -> bool:
        return not self.home or division.code.startswith(self.home)

    def _right_before(self, place: int) -> str:
        """The beginning of the codes of what is named right before a mention, if that is wider."""
        if place == 0:
            return ""
        before, mention = self.mentions[place - 1], self.mentions[place]
        gap = self.key[before.end : mention.start]
        wider = before.level != "street" and before.level != mention.level
        return _beginning(before, self.scope) if wider and gap.strip(" 、的，,") == "" and len(gap) <= 1 else ""

    def _goes_on(self, place: int) -> bool:
        """Whether something narrower is named right behind."""
        mention = self.mentions[place]
        after = self.mentions[place + 1] if place + 1 < len(self.mentions) else None
        return after is not None and after.start == mention.end and after.level == "street"


def _beginning(mention: Mention, scope: str = "") -> str:
    """The beginning of the codes of everything in a province, city or district."""
    codes = [sense.division.code for sense in mention.senses]
    code = next((one for one in codes if scope and one.startswith(scope)), codes[0])
    return code if mention.level == "district" else code[:2] if mention.level == "province" else code[:4]


def _settle(sight: _Sight, named: list[Named], unclear: list[Mention]) -> tuple[list[Named], list[Mention]]:
    """Names that several districts have go to the one that the text names otherwise."""
    likely = {one.division.code[:6]: one.weight for one in sorted(named, key=lambda one: one.weight)}
    left: list[Mention] = []
    for mention in unclear:
        fitting = [sense for sense in mention.senses if sense.division.code[:6] in likely]
        if not fitting:
            left.append(mention)
            continue
        sense = max(fitting, key=lambda sense: likely[sense.division.code[:6]])
        weight = sight.weigh(sight.index_of(mention), sense.form, sense.division.level)
        named.append(Named(mention, sense.division, sense.form, weight))
    return sorted(named, key=lambda one: one.mention.start), left


def _by_area(named: Iterable[Named]) -> list[Found]:
    groups: dict[str, list[Named]] = {}
    for one in named:
        groups.setdefault(one.division.code[:6], []).append(one)
    found = [_found(gazetteer.area(code), ones) for code, ones in groups.items()]
    return sorted(found, key=lambda one: (-one.weight, one.start))


def _found(area: Division, named: list[Named]) -> Found:
    weights = sorted((one.weight for one in named), reverse=True)
    weight = weights[0] + (_AGAIN * min(3, len(named) - 1) if weights[0] >= _ENOUGH else 0)
    streets = [one for one in named if one.division.level == "street" and one.weight >= _ENOUGH]
    streets.sort(key=lambda one: (-one.weight, one.mention.start))
    return Found(area, weight, tuple(named), tuple(streets))
