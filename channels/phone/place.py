"""Where it is about: the parts of a place that citizens name, put together from the wide to the narrow.

Pure. May not look a name up or complete it: every word of the place was said, and a place that was taken back is out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from channels.phone.numerals import CHARACTERS, understood
from channels.phone.roles import Line
from channels.phone.rules import Data, Words, anyone, load
from channels.phone.talk import content
from normalizer.ticket import Note, Place, Speaker

STEP: Final = "phone"
_TURNS: Final = 400  # citizens' turns looked at: the place is said early
_SAID: Final = 2_000  # characters of a turn looked at
_REACH: Final = 30  # characters before a name that can deny or correct it
_ANSWER_LONGEST: Final = 12  # characters of an answer that is a place as a whole
_WIDE: Final = 4
_ROAD: Final = 6
_ESTATE: Final = 7
_MARKS: Final = " ，,。.！!？?、；;的"


class _Part(Words):
    level: int
    least: int = 2
    longest: int
    unless: re.Pattern[str]


class _Exact(Words):
    level: int


class _Book(Data):
    part: tuple[_Part, ...]
    exact: tuple[_Exact, ...]
    bounds: Words
    joint: Words
    crossing: Words
    home: Words
    where: Words
    near: Words
    no_place: Words
    correction: Words
    denied: Words
    english: Words


_BOOK: Final = load("place", _Book)
_NUMBER: Final = f"[{CHARACTERS}十百]{{1,8}}"


def _alternatives(words: Sequence[str]) -> str:
    return "|".join(words).replace("{N}", _NUMBER)


# One pattern finds every ending; the group that matched says which part it is. Longer endings are tried first.
_ENDINGS: Final = re.compile(
    "|".join(f"(?P<p{at}>{_alternatives(part.any)})" for at, part in reversed(list(enumerate(_BOOK.part))))
)
_EXACT: Final = tuple((exact.level, re.compile(_alternatives(exact.any))) for exact in reversed(_BOOK.exact))
_BOUNDS: Final = _BOOK.bounds.compiled()
_JOINT: Final = _BOOK.joint.compiled()
_HOME: Final = _BOOK.home.compiled()
_CROSSING: Final = _BOOK.crossing.compiled()
_WHERE: Final = _BOOK.where.compiled()
_NO_PLACE: Final = _BOOK.no_place.compiled()
_NEAR: Final = _BOOK.near.compiled()
_CORRECTION: Final = _BOOK.correction.compiled()
_DENIED: Final = _BOOK.denied.compiled()
_ENGLISH: Final = anyone(_BOOK.english.any)
_FIELDS: Final = {1: "province", 2: "city", 3: "district", 4: "street"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a place and where it stands in its turn."""

    level: int
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """Parts said in one breath. `answered`: to the agent's question for the place; `corrects`: an earlier one;
    `home`: where the caller lives."""

    parts: tuple[Part, ...]
    answered: bool
    corrects: bool
    home: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The place, if any, and the notes about it."""

    place: Place | None
    notes: tuple[Note, ...] = ()


def place_of(lines: Sequence[Line]) -> Found:
    """The place of the matter as far as the citizens said it."""
    mentions = list(_mentions(lines))
    if not mentions:
        return Found(_loosely(lines))
    slots: dict[int, Part] = {}
    changed = at_home = False
    for mention in mentions:
        top = mention.parts[0].level
        if mention.corrects and any(level >= top for level in slots):
            slots = {level: part for level, part in slots.items() if level < top}
            changed = True
        if slots and max(slots) <= _WIDE < mention.parts[-1].level:
            # So far only a district or a street was named, in passing; here is the place itself.
            slots = {level: part for level, part in slots.items() if level < top}
        if at_home and not mention.home and not _continues(mention.parts, slots):
            slots = {}
        at_home = mention.home and (at_home or not slots)
        if mention.answered or mention.corrects or _continues(mention.parts, slots):
            slots |= {part.level: part for part in mention.parts}
    notes = (Note(step=STEP, code="place_corrected", detail="the caller changed the place; the later one holds"),)
    return Found(_place(slots, mentions), notes if changed else ())


def parts_of(text: str) -> list[Part]:
    """The parts of places named in one turn, in order."""
    found: list[Part] = []
    for match in _ENDINGS.finditer(text):
        part = _BOOK.part[int(str(match.lastgroup)[1:])]
        last = found[-1] if found else None
        floor = last.end if last else 0
        name = _name(text, max(floor, match.start() - part.longest), match.start())
        start = match.start() - len(name)
        if last and last.end == start and (not name or 4 < part.level < last.level):
            # 太平桥 + 路, 马连道 + 街道, 马连道 + 中里社区: the longer name swallows the shorter.
            start, name = last.start, text[last.start : match.start()]
            if part.unless.search(name[-6:] + match[0]):
                continue
            found.pop()
        elif (
            last and last.level == part.level == _ROAD and _CROSSING.fullmatch(text, last.end, start) and len(name) > 1
        ):
            start = found.pop().start
        elif len(name) < part.least or part.unless.search(name[-6:] + match[0]):
            continue
        found.append(Part(part.level, text[start : match.end()], start, match.end()))
    return _with_numbers(text, found)


def _name(text: str, start: int, end: int) -> str:
    """The name that ends before an ending: what stands behind the last word that no name holds."""
    cut = start
    for bound in _BOUNDS.finditer(text, start, end):
        cut = bound.end()
    return text[cut:end]


def _with_numbers(text: str, names: Sequence[Part]) -> list[Part]:
    """The names with the numbers and sides that follow each of them directly."""
    found: list[Part] = []
    for at, name in enumerate(names):
        found.append(name)
        limit = names[at + 1].start if at + 1 < len(names) else len(text)
        while more := _next_exact(text, found[-1], limit):
            found.append(more)
    return found


def _next_exact(text: str, before: Part, limit: int) -> Part | None:
    joint = _JOINT.match(text, before.end)
    start = joint.end() if joint else before.end
    for level, pattern in _EXACT:
        match = pattern.match(text, start, limit)
        if match and level > before.level:
            return Part(level, match[0], match.start(), match.end())
    return None


def _mentions(lines: Sequence[Line]) -> Iterator[Mention]:
    asked = False
    taken_back = False
    turns = 0
    for line in lines:
        if line.role is Speaker.AGENT:
            asked = bool(_WHERE.search(line.text[:_SAID]))
            continue
        if line.role is not Speaker.CITIZEN or turns >= _TURNS:
            continue
        turns += 1
        text = line.text[:_SAID]
        yield from _of_turn(text, asked=asked, taken_back=taken_back)
        # "No, wrong" in a turn of its own corrects by the next one.
        taken_back = bool(_CORRECTION.search(text)) and not parts_of(text)
        asked = asked and len(content(text)) < 4


def _of_turn(text: str, *, asked: bool, taken_back: bool) -> Iterator[Mention]:
    for group in _grouped(text, _whole_answer(text) if asked else parts_of(text)):
        before = text[max(0, group[0].start - _REACH) : group[0].start]
        if _DENIED.search(before):
            taken_back = True
            continue
        yield Mention(
            group,
            answered=asked,
            corrects=taken_back or bool(_CORRECTION.search(before)),
            home=bool(_HOME.search(before)),
        )


def _whole_answer(text: str) -> list[Part]:
    """The parts of a short answer to `where?`; what follows the last of them is a name, whatever it ends in."""
    parts = parts_of(text)
    if not parts:
        answer = content(text)
        number = _next_exact(text, Part(_ESTATE, "", 0, text.find(answer)), len(text)) if answer else None
        return _with_numbers(text, [number]) if number else parts
    if parts[-1].level >= _ESTATE:
        return parts
    rest = text[parts[-1].end :]
    name = re.split(f"[{_MARKS}]", rest.strip(_MARKS), maxsplit=1)[0]
    if not 2 <= len(name) <= _ANSWER_LONGEST or _NO_PLACE.search(name) or _BOUNDS.search(name):
        return parts
    start = parts[-1].end + rest.index(name)
    return [*parts, Part(_ESTATE, name, start, start + len(name))]


def _grouped(text: str, parts: Sequence[Part]) -> Iterator[tuple[Part, ...]]:
    """Parts that follow each other directly, from the wide to the narrow, belong to one mention."""
    group: list[Part] = []
    for part in parts:
        joins = group and part.level > group[-1].level and _JOINT.fullmatch(text, group[-1].end, part.start)
        if group and not joins:
            yield tuple(group)
            group = []
        group.append(part)
    if group:
        yield tuple(group)


def _place(slots: dict[int, Part], mentions: Sequence[Mention]) -> Place:
    levels = [level for level in sorted(slots) if not _repeated(level, slots)]
    words = "".join(slots[level].text for level in levels)
    detail = understood("".join(slots[level].text for level in levels if level > 4))
    answered = any(mention.answered for mention in mentions)
    return Place(
        text=words,
        detail=detail or None,
        confidence=0.9 if answered and len(levels) > 1 else 0.7 if len(levels) > 1 else 0.6,
        **{field: slots[level].text for level, field in _FIELDS.items() if level in slots},
    )


def _continues(parts: Sequence[Part], slots: dict[int, Part]) -> bool:
    """Whether a later mention goes on about the same place: it leads further in, or names the same parts again."""
    if not slots or parts[0].level > max(slots):
        return True
    shared = [part for part in parts if part.level in slots]
    return bool(shared) and all(slots[part.level].text == part.text for part in shared)


def _repeated(level: int, slots: dict[int, Part]) -> bool:
    """Whether a narrower part begins with this one: 八角南路 before 八角南路小学."""
    text = slots[level].text
    return level > 4 and any(narrower > level and slots[narrower].text.startswith(text) for narrower in slots)


def _loosely(lines: Sequence[Line]) -> Place | None:
    """A place without a known ending: an English name, `in … around here`, or a short answer to `where?`."""
    asked = False
    answer = None
    for line in lines[: 2 * _TURNS]:
        text = line.text[:_SAID]
        if line.role is Speaker.AGENT:
            asked = bool(_WHERE.search(text))
        elif line.role is Speaker.CITIZEN:
            found = _ENGLISH.search(text)
            if found:
                return Place(text=found[0].strip(), confidence=0.6)
            found = _NEAR.search(text)
            if found and not _BOUNDS.search(found["name"]):
                return Place(text=found["name"], confidence=0.5)
            said = content(text).strip("。，,. ")
            if asked and answer is None and 2 <= len(said) <= _ANSWER_LONGEST and not _NO_PLACE.search(said):
                answer = Place(text=said, confidence=0.4)
            asked = False
    return answer
