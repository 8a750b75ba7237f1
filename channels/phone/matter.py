"""What it is about: the kind, by plain rules, and a title in the citizen's own words that names place and matter.

Pure. May not summarise: a title is cut out of what was said, with the place in front.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from channels.phone.place import parts_of
from channels.phone.rules import Data, Words, anyone, load
from channels.phone.talk import spoken
from normalizer.ticket import Kind, Note, Place

STEP: Final = "phone"
TITLE: Final = 30
"""Characters of a title."""
_SAID: Final = 6_000  # characters of the text looked at: the matter is told early
_CLAUSES: Final = 120
_SAID_WEIGHT: Final = 3
_SIGNS: Final = 3
_PLACE_MOST: Final = 14  # characters of a title that the place may take, so that the matter has room
_LATIN_MOST: Final = 20
_HOUSE: Final = 9  # level of a house: what is inside it stands in the place
_JOIN: Final = "："


class _Kind(Data):
    kind: Kind
    said: tuple[str, ...]
    signs: tuple[str, ...]
    reason: str


class _Book(Data):
    kind: tuple[_Kind, ...]
    denied: Words
    lead_in: Words
    beside: Words
    split: Words
    trouble: Words
    question: Words
    idea: Words
    thanks: Words


_BOOK: Final = load("matter", _Book)
_KINDS: Final = tuple((one.kind, anyone(one.said), tuple(map(re.compile, one.signs))) for one in _BOOK.kind)
_DENIED: Final = _BOOK.denied.compiled()
_LEAD_IN: Final = re.compile(rf"^(?:{'|'.join(_BOOK.lead_in.any)})", re.IGNORECASE)
_BESIDE: Final = _BOOK.beside.compiled()
_SPLIT: Final = re.compile(rf"[，,。.；;！!？?、\n…]+|(?={_BOOK.split.any[0]})")
_TROUBLE: Final = _BOOK.trouble.compiled()
_MATTERS: Final = {
    Kind.CONSULTATION: _BOOK.question.compiled(),
    Kind.SUGGESTION: _BOOK.idea.compiled(),
    Kind.PRAISE: _BOOK.thanks.compiled(),
}
_LATIN: Final = re.compile(r"[A-Za-z]{2}")
_PREPOSITION: Final = re.compile(r"(?: (?:on|at|in|near|of|the|corner|opposite))+$", re.IGNORECASE)
_IS: Final = re.compile("^是(?![不否])")
_NO_WORDS: Final = re.compile(r"[\W\d_是就零〇幺一二三四五六七八九十百千两]*")


class _Clause(NamedTuple):
    """A clause without its lead-in; `worth` is how well it names the matter."""

    text: str
    worth: float


def kind_of(text: str) -> tuple[Kind | None, tuple[Note, ...]]:
    """The kind that the citizen's words show; None when they show none."""
    text = text[:_SAID]
    best: tuple[int, Kind, str] | None = None
    for kind, said, signs in _KINDS:
        named = [found[0] for found in said.finditer(text) if not _DENIED.search(text, 0, found.start())]
        shown = [found[0] for sign in signs if (found := sign.search(text))]
        score = min(len(named), 2) * _SAID_WEIGHT + min(len(shown), _SIGNS)
        if score and (best is None or score > best[0]):
            best = score, kind, (named or shown)[0]
    if best is None:
        return None, ()
    _, kind, word = best
    return kind, (Note(step=STEP, code="kind_inferred", detail=f"{kind.value}, by words such as: {word}"),)


def title_of(text: str, place: Place | None, kind: Kind | None) -> str | None:
    """At most TITLE characters: the place, unless the words hold it, and the clauses that name the matter."""
    clauses = _clauses(text[:_SAID], kind)
    where = _short(place)
    if not clauses:
        return where or None
    best = max(range(len(clauses)), key=lambda at: clauses[at].worth)
    room = TITLE - (len(where) + len(_join(where)) if where else 0)
    matter = _around(clauses, best, where, room)
    if not where or _holds(_cut(matter, TITLE), where):
        return _cut(matter, TITLE)
    return where + _join(where) + _cut(_without(matter, where), room)


def _clauses(text: str, kind: Kind | None) -> list[_Clause]:
    signs = _MATTERS.get(kind) if kind else None
    found: list[_Clause] = []
    carried = False  # "I would like to report:" announces the clause behind it
    for at, raw in enumerate(_SPLIT.split(text)[:_CLAUSES]):
        words, announced = _without_lead_in(raw.strip())
        announced, carried = announced or carried, announced and not words
        if _BESIDE.search(raw.strip()) or _is_empty(words) or not spoken(words):
            continue
        worth = 1.5 * min(2, len(_TROUBLE.findall(words))) + (2.5 if signs and signs.search(words) else 0)
        worth += (2 if announced else 0) + (1 if 5 <= len(words) <= 26 else 0) - 0.2 * at
        found.append(_Clause(words, worth))
    return found


def _without_lead_in(words: str) -> tuple[str, bool]:
    """The clause from where it comes to the matter, and whether the words before announced it."""
    announced = False
    for _ in range(4):
        found = _LEAD_IN.match(words)
        if not found or not found[0]:
            break
        announced = announced or found.end() > 4
        words = _IS.sub("", words[found.end() :].lstrip(" ，,的在"))
    return words, announced


def _is_empty(words: str) -> bool:
    """Whether a clause says nothing but where, or a number."""
    if len(words) < 3 or _NO_WORDS.fullmatch(words):
        return True
    rest = words
    for part in reversed(parts_of(words)):
        rest = rest[: part.start] + rest[part.end :]
    return len(rest) < 3 and rest != words


def _around(clauses: Sequence[_Clause], best: int, where: str, room: int) -> str:
    """The best clause with its neighbours, as many as the title has room for: what came before names the subject."""
    first = last = best
    matter = clauses[best].text
    for step in (-1, 1):
        at = (first if step < 0 else last) + step
        if not 0 <= at < len(clauses):
            continue
        joint = ", " if _LATIN.search(matter) else "，"
        longer = joint.join((clauses[at].text, matter) if step < 0 else (matter, clauses[at].text))
        if len(longer) <= (TITLE if where and _holds(longer, where) else room):
            matter = longer
            first, last = min(first, at), max(last, at)
    return matter


def _short(place: Place | None) -> str:
    """The narrowest named parts of the place that fit."""
    text = (place.text or "") if place else ""
    if len(text) <= (_LATIN_MOST if _LATIN.search(text) else _PLACE_MOST):
        return text
    parts = parts_of(text)
    text = next((text[: part.end] for part in reversed(parts) if part.level <= _HOUSE), text)
    if len(text) <= _PLACE_MOST:
        return text
    named = [part for part in parts if part.level <= 7]
    for part in named[1:]:
        if len(text) - part.start <= _PLACE_MOST:
            return text[part.start :]
    narrowest = named[-1].text if named else text
    return _cut(narrowest, _PLACE_MOST)


def _holds(matter: str, where: str) -> bool:
    """Whether the matter already names the place by its narrowest name."""
    names = [part.text for part in parts_of(where) if part.level <= 7] or [where]
    return names[-1] in matter or where in matter


def _without(matter: str, where: str) -> str:
    """The matter beside the place that it names: what stands behind it, else before it."""
    before, found, behind = matter.partition(where)
    if found:
        return max(behind.strip(" ，,的"), _PREPOSITION.sub("", before.strip(" ，,在")), key=len)
    parts = parts_of(matter)
    if parts and parts[0].start < 3 and len(matter) - parts[-1].end > 3:
        return matter[parts[-1].end :].lstrip(" ，,的")
    return matter


def _join(where: str) -> str:
    return ": " if _LATIN.search(where) else _JOIN


def _cut(words: str, most: int) -> str:
    """At most `most` characters, Latin words kept whole."""
    if len(words) <= most:
        return words
    head = words[: most - 1]
    if words[most - 1].isascii() and words[most - 1].isalnum() and " " in head:
        head = head.rpartition(" ")[0]
    return head.rstrip(" ，,、") + "…"
