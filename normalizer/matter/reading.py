"""Reads a matter from title and text: its runs of characters with their weights, the kinds of matter it names, the
names and numbers in it.

May not compare, and may not look at who wrote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from normalizer.matter.named import Name, names
from normalizer.matter.numbers import Numbers, numbers
from normalizer.matter.words import Hashes, code_points, hashes, load
from normalizer.simplified import simplified
from normalizer.ticket import Speaker, Ticket

_LONGEST: Final = 4000
"""Characters that are read: a longer text says what it is about before that."""
_HEAD: Final = 80
"""Characters that count as the title of a text that has none of its own."""
_PLACE_ENDS: Final = (
    "路街巷镇村区县苑园城府湾庭里厦楼站桥校院场厂岛道店馆社局所庄墅居阁山河江湖海港寨坊垸坡洞郡邸盘司行心"
)
"""Characters on which the names of places, shops, firms and offices end."""
_LONG_NUMBER: Final = re.compile(r"\d{6,}")
_TICKET_NUMBER: Final = re.compile(r"(?<!\d)20\d{12,22}(?!\d)")
_FOREIGN_WORD: Final = re.compile(r"[^\W\d_\u3400-\u9fff]{3,}")
_PRIVATE: Final = 0xE000
"""Words of letters become one character each, of the private use area: their letters say nothing."""
_FOREIGN_WEIGHT: Final = 8
"""At most: the table knows no other language, and would think every word of theirs a rare name."""
_NUMBERED: Final = re.compile("[a-z]?[0-9]+(?:号楼|号院|号线|[号栋座幢期区室楼层月日]|路(?:公交车?|车)?)?")
_CODE: Final = re.compile(r"(?=[a-z]{0,8}[0-9])[a-z0-9]{3,}")
_NO_CODE: Final = re.compile(r"(?:19|20)\d\d|\d{6,}|12345|12319|12369")
"""Years, numbers of tickets and telephones, hotlines."""


def _table(signs: str | None = None) -> NDArray[np.bool_]:
    """Which characters of the first plane are among `signs`, or letters and digits."""
    found = np.zeros(0x10000, bool)
    if signs is not None:
        found[[ord(sign) for sign in signs]] = True
        return found
    found[[code for code in range(0x10000) if chr(code).isalnum()]] = True
    found[_PRIVATE:0xF900] = True
    return found


_WORDS: Final = _table()
_ENDS: Final = _table(_PLACE_ENDS)


@dataclass(frozen=True, slots=True)
class Matter:
    """`runs`: hashes of runs of two to four characters, ascending, once each. `place`: those that end a name. `head`:
    those of the title. `about`: those that stand outside names and numbers. `named`, `named_first`: kinds of matter in
    all of it, and in the title. `names`: of places and firms. `numbers`: houses, plates, days …. `codes`: plates, bus
    lines, offence codes. `quoted`: numbers of tickets in the text. `key`, `text`: all of it, as a search key and in
    small letters."""

    runs: Hashes
    weights: NDArray[np.float64]
    place: NDArray[np.bool_]
    head: NDArray[np.bool_]
    about: NDArray[np.bool_]
    named: frozenset[int]
    named_first: frozenset[int]
    names: tuple[Name, ...]
    numbers: Numbers
    codes: frozenset[str]
    quoted: frozenset[str]
    key: str
    text: str


def of_ticket(ticket: Ticket) -> Matter:
    """What the ticket is about, in the citizen's words; of a call without a text, what the citizen said."""
    return read(ticket.title, ticket.text or said(ticket))


def said(ticket: Ticket) -> str:
    """The citizen's turns of a conversation."""
    return "\n".join(turn.text for turn in ticket.conversation if turn.speaker is not Speaker.AGENT)


def read(title: str, text: str) -> Matter:
    """Raises for no pair of strings."""
    text, title = text[:_LONGEST].lower(), title[:_LONGEST].lower().rstrip("…")
    whole = f"{title}\n{text}"
    key, head_ends = search_key(title, text)
    runs, its_names, words = runs_of(key, head_ends), names(key), load()
    found, at = np.unique(runs.hashes, return_inverse=True)
    outside = ~_inside(key, its_names)[runs.starts]
    place, head, foreign, about = (
        _any(which, at, len(found)) for which in (runs.place, runs.head, runs.foreign, outside)
    )
    weights = words.weights[found].astype(np.float64)
    weights[foreign & (weights > _FOREIGN_WEIGHT)] = _FOREIGN_WEIGHT
    return Matter(
        runs=found,
        weights=weights,
        place=place,
        head=head,
        about=about,
        named=words.groups(found[about]),
        named_first=words.groups(found[head & about]),
        names=its_names,
        numbers=numbers(simplified(whole)),
        codes=frozenset(one for one in _CODE.findall(whole) if not _NO_CODE.fullmatch(one)),
        quoted=frozenset(_TICKET_NUMBER.findall(whole)),
        key=key,
        text=whole,
    )


@dataclass(frozen=True, slots=True)
class Runs:
    """Every run of a text, as often as it stands there. `starts`: where."""

    hashes: Hashes
    place: NDArray[np.bool_]
    head: NDArray[np.bool_]
    foreign: NDArray[np.bool_]
    starts: NDArray[np.intp]


def search_key(title: str, text: str) -> tuple[str, int]:
    """A title and a text in small letters as one, and where the title ends; where the title is the text's own
    beginning, that stands for it."""
    if title and not text.startswith(title):
        first, rest = _key(title), "\n" + _key(text)
    else:
        first, rest = _key(text[:_HEAD]), _key(text[_HEAD:])
    return first + rest, len(first)


def _inside(key: str, its_names: Sequence[Name]) -> NDArray[np.bool_]:
    """Which characters are part of a name or of a number."""
    inside = np.zeros(len(key) + 1, bool)
    for name in its_names:
        inside[name.start : name.end] = True
    for number in _NUMBERED.finditer(key):
        inside[number.start() : number.end()] = True
    return inside


def _key(text: str) -> str:
    """Simplified, without long numbers; a word of letters is one character."""
    text = _LONG_NUMBER.sub(" ", simplified(text))
    return _FOREIGN_WORD.sub(lambda word: chr(_PRIVATE + crc32(word[0].encode("utf-8", "replace")) % 6000), text)


def runs_of(text: str, head: int) -> Runs:
    """Runs of two and three characters without a gap, and those of four that end as names do."""
    codes = code_points(text)
    inside, ends, foreign = _WORDS[codes], _ENDS[codes], (codes >= _PRIVATE) & (codes < 0xF900)
    parts: list[tuple[Hashes, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.intp]]] = []
    whole, strange = inside, foreign
    for length in (2, 3, 4):
        if len(codes) < length:
            break
        whole, strange = whole[:-1] & inside[length - 1 :], strange[:-1] | foreign[length - 1 :]
        name = ends[length - 1 :]
        at = (whole & name if length == 4 else whole).nonzero()[0]
        place = name[at] if length > 2 else np.zeros(len(at), bool)
        parts.append((hashes([codes[at + step] for step in range(length)]), place, at < head, strange[at], at))
    if not parts:
        none = np.zeros(0, bool)
        return Runs(np.zeros(0, np.uint32), none, none, none, np.zeros(0, np.intp))
    return Runs(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _any(which: NDArray[np.bool_], at: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    """Of each different run, whether it is so anywhere."""
    found = np.zeros(count, bool)
    found[at[which]] = True
    return found
