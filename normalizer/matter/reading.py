"""Reads a matter from title and text: its runs of characters with their weights, the kinds of matter it names, and
details that must agree (house numbers, phases, area codes, plates).

May not compare, and may not look at who wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

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
_DETAIL: Final = re.compile(
    "([a-z]?[0-9]{1,5}(?:[-－][0-9]{1,5}){0,3}|[一二三四五六七八九十百]{1,5}|[a-z])"
    "(号楼|号线|号院|路公交|路车|[号栋座幢期区县市室户房路街横巷组村线楼层队弄标])"
)
_HOUSE: Final = re.compile(
    "(?:路|街|巷|道|村|坊|里|段)第?([0-9]{1,4}|[一二三四五六七八九十]{1,3})(?:-[0-9]+)?号(?!线|楼|院)"
)
_PHASE: Final = re.compile("([0-9]{1,2}|[一二三四五六七八九十]{1,3})期(?!间|限|待|望)")
_AREA: Final = re.compile("([a-z][0-9]+)(?:区|县)")
_PLATE: Final = re.compile("[\u4e00-\u9fff][a-z][a-z0-9]{5,6}(?![a-z0-9])")
_SAME_UNIT: Final = {"号楼": "栋", "座": "栋", "幢": "栋", "房": "室", "户": "室", "路车": "路公交"}
_CODE: Final = re.compile(r"(?=[a-z]{0,8}[0-9])[a-z0-9]{3,}")
_NO_CODE: Final = re.compile(r"(?:19|20)\d\d|\d{6,}|12345|12319|12369")
"""Years, numbers of tickets and telephones, hotlines."""
_DIGITS: Final = {sign: number for number, sign in enumerate("零一二三四五六七八九")}


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
    those of the title. `named`, `named_first`: kinds of matter in all of it, and in the title. `details`: what stands
    before 栋, 期, 区 …. `codes`: plates, bus lines, offence codes. `quoted`: numbers of tickets in the text. `exact`:
    of each sort of detail that tells places and cars apart (house numbers of a street, phases of an estate, area codes,
    plates), those named. `text`: all of it, in small letters."""

    runs: Hashes
    weights: NDArray[np.float64]
    place: NDArray[np.bool_]
    head: NDArray[np.bool_]
    named: frozenset[int]
    named_first: frozenset[int]
    details: dict[str, frozenset[str]]
    codes: frozenset[str]
    quoted: frozenset[str]
    exact: tuple[frozenset[str], ...]
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
    runs = runs_of(title, text)
    words = load()
    found, at = np.unique(runs.hashes, return_inverse=True)
    place, head, foreign = (_any(which, at, len(found)) for which in (runs.place, runs.head, runs.foreign))
    weights = words.weights[found].astype(np.float64)
    weights[foreign & (weights > _FOREIGN_WEIGHT)] = _FOREIGN_WEIGHT
    return Matter(
        runs=found,
        weights=weights,
        place=place,
        head=head,
        named=words.groups(found),
        named_first=words.groups(found[head]),
        details=_details(whole),
        codes=frozenset(one for one in _CODE.findall(whole) if not _NO_CODE.fullmatch(one)),
        quoted=frozenset(_TICKET_NUMBER.findall(whole)),
        exact=tuple(frozenset(map(_in_digits, sort.findall(whole))) for sort in (_HOUSE, _PHASE, _AREA, _PLATE)),
        text=whole,
    )


@dataclass(frozen=True, slots=True)
class Runs:
    """Every run of a text, as often as it stands there."""

    hashes: Hashes
    place: NDArray[np.bool_]
    head: NDArray[np.bool_]
    foreign: NDArray[np.bool_]


def runs_of(title: str, text: str) -> Runs:
    """Those of a title and a text in small letters; where the title is the text's own beginning, that stands for it."""
    if title and not text.startswith(title):
        first, rest = _key(title), "\n" + _key(text)
    else:
        first, rest = _key(text[:_HEAD]), _key(text[_HEAD:])
    return _runs(first + rest, len(first))


def _key(text: str) -> str:
    """Simplified, without long numbers; a word of letters is one character."""
    text = _LONG_NUMBER.sub(" ", simplified(text))
    return _FOREIGN_WORD.sub(lambda word: chr(_PRIVATE + crc32(word[0].encode("utf-8", "replace")) % 6000), text)


def _runs(text: str, head: int) -> Runs:
    """Runs of two and three characters without a gap, and those of four that end as names do."""
    codes = code_points(text)
    inside, ends, foreign = _WORDS[codes], _ENDS[codes], (codes >= _PRIVATE) & (codes < 0xF900)
    parts: list[tuple[Hashes, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]] = []
    whole, strange = inside, foreign
    for length in (2, 3, 4):
        if len(codes) < length:
            break
        whole, strange = whole[:-1] & inside[length - 1 :], strange[:-1] | foreign[length - 1 :]
        name = ends[length - 1 :]
        at = (whole & name if length == 4 else whole).nonzero()[0]
        place = name[at] if length > 2 else np.zeros(len(at), bool)
        parts.append((hashes([codes[at + step] for step in range(length)]), place, at < head, strange[at]))
    if not parts:
        none = np.zeros(0, bool)
        return Runs(np.zeros(0, np.uint32), none, none, none)
    return Runs(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _any(which: NDArray[np.bool_], at: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    """Of each different run, whether it is so anywhere."""
    found = np.zeros(count, bool)
    found[at[which]] = True
    return found


def _details(text: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for value, unit in _DETAIL.findall(text):
        found.setdefault(_SAME_UNIT.get(unit, unit), set()).add(_in_digits(value))
    return {unit: frozenset(values) for unit, values in found.items()}


def _in_digits(value: str) -> str:
    """三 and 3 are one, so are 十二 and 12; longer ones stay as they are written."""
    tens, ten, ones = value.partition("十")
    if not ten:
        return str(_DIGITS.get(value, value))
    if len(tens) > 1 or len(ones) > 1:
        return value
    return str(_DIGITS.get(tens, 1) * 10 + _DIGITS.get(ones, 0))
