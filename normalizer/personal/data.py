"""Every personal datum of a text, one pass; and the text with the wanted kinds masked.

Pure. What is masked cannot be found again, so masking a masked text changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from normalizer.personal.papers import find_cards, find_permits, find_resident_ids
from normalizer.personal.phones import find_phones
from normalizer.personal.spoken import digits_view

Kind = Literal["resident_id", "permit", "bank_card", "phone", "email"]

# Cheap tests before dear patterns: most texts hold no number that is long enough, and no address.
_SOME_DIGITS: Final = re.compile(r"\d[\d \x1f()（）.·\-－–—]{4,}\d|[A-Z]\d{6}")
_MANY_DIGITS: Final = re.compile(r"\d(?:[\s\x1f\-]{0,2}\d){12}")
_EMAIL: Final = re.compile(
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9][A-Za-z0-9._%+'\-]{0,63}"
    r"(?:[@＠](?:[A-Za-z0-9\-]{1,63}[.．]){1,4}[A-Za-z]{2,24}|艾特(?:[A-Za-z0-9\-]{1,63}(?:[.．]|点)){1,3}[A-Za-z]{2,24})"
    r"(?![A-Za-z0-9\-])"
)
_MOST_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Datum:
    """One datum. `value`: without gaps; of a phone E.164, None when it cannot be dialled as it stands."""

    kind: Kind
    start: int
    end: int
    value: str | None
    shape: str = ""


def find(text: str, kinds: Collection[Kind] | None = None) -> tuple[Datum, ...]:
    """The data of `text`, in order, none overlapping; `kinds`: only these."""
    found = sorted(_candidates(text, kinds or _RANK), key=lambda one: (_RANK[one.kind], one.start))
    kept: list[Datum] = []
    for one in found:
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return tuple(sorted((one for one in kept if kinds is None or one.kind in kinds), key=lambda one: one.start))


def mask(text: str, kinds: Collection[Kind]) -> tuple[str, dict[Kind, int]]:
    """`text` with every datum of these kinds masked, and how many of each."""
    counts: dict[Kind, int] = {}
    for _ in range(_MOST_ROUNDS):
        found = find(text, kinds)
        if not found:
            break
        pieces, position = [], 0
        for one in found:
            counts[one.kind] = counts.get(one.kind, 0) + 1
            pieces += [text[position : one.start], _MASKS[one.kind](text[one.start : one.end], one)]
            position = one.end
        text = "".join([*pieces, text[position:]])
    return text, counts


def _candidates(text: str, kinds: Collection[Kind]) -> Iterator[Datum]:
    """Of these kinds, and of those that go before them where they overlap."""
    if "@" in text or "＠" in text or "艾特" in text:
        yield from (Datum("email", match.start(), match.end(), _address(match[0])) for match in _EMAIL.finditer(text))
    view = digits_view(text)
    if not _SOME_DIGITS.search(view):
        return
    yield from (Datum("permit", start, end, value) for start, end, value in find_permits(view))
    if _MANY_DIGITS.search(view):
        yield from (Datum("resident_id", start, end, value) for start, end, value in find_resident_ids(view))
        yield from (Datum("bank_card", start, end, value) for start, end, value in find_cards(view))
    if "phone" in kinds:
        yield from (Datum("phone", one.start, one.end, one.dialled, one.shape) for one in find_phones(view))


def _address(written: str) -> str:
    local, _, domain = written.replace("艾特", "@").replace("＠", "@").partition("@")
    return f"{local}@{domain.replace('．', '.').replace('点', '.').lower()}"


def _hide_resident_id(written: str, one: Datum) -> str:
    number = one.value or written
    return f"{number[:3]}{'*' * (len(number) - 5)}{number[-2:]}"


def _hide_permit(written: str, one: Datum) -> str:
    return written[0] + "*" * (len(one.value or written) - 1)


def _hide_card(written: str, one: Datum) -> str:
    number = one.value or written
    return "*" * (len(number) - 4) + number[-4:]


def _hide_phone(written: str, one: Datum) -> str:
    """The last four digits open the progress page: they go, and the beginning stays."""
    number = one.value or "".join(char for char in written if char.isdecimal())
    kept = 3 if one.shape == "mobile" else 4 if one.value else 1
    number = number.removeprefix("+86") if one.shape in {"mobile", "service"} else number
    return number[:kept] + "*" * (len(number) - kept)


def _hide_email(written: str, one: Datum) -> str:
    return "***@" + (one.value or written).rpartition("@")[2]


# In the order in which they go before each other: the digits of a mail address are no number.
_MASKS: Final[dict[Kind, Callable[[str, Datum], str]]] = {
    "email": _hide_email,
    "resident_id": _hide_resident_id,
    "permit": _hide_permit,
    "bank_card": _hide_card,
    "phone": _hide_phone,
}
_RANK: Final[dict[Kind, int]] = {kind: rank for rank, kind in enumerate(_MASKS)}
