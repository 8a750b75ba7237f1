"""What a unit that is reached by email reads: its view of a ticket in words, and how it answers.

Pure. May not look anything up: what is not in the view is not the unit's to know.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from workers.words import Language

_BOOK: Final = tomllib.loads((files("workers") / "phrases/units.toml").read_text("utf-8"))
WORDS: Final[Mapping[Language, Mapping[str, Any]]] = {"zh": _BOOK["zh"], "en": _BOOK["en"]}
CUTS: Final = tuple(words["cut"] for words in WORDS.values())
"""The first line of every letter: whatever stands below it in an answer is ours."""


def encloses(data: Mapping[str, Any]) -> bool:
    """Whether the letter brings the ticket with its files: to who has it, and can do something about it."""
    return bool(data["yours"]) and data["because"] not in ("refused", "close")


def written(data: Mapping[str, Any], language: Language, site: str, left: Sequence[str] = ()) -> str:
    """The letter. `data`: of the event that the unit is sent (workers/passing.py); `left`: names of the files that are
    not enclosed."""
    words = WORDS[language]
    head = words["head"].format(site=site, number=data["number"])
    if data["because"] == "refused":
        parts = [_refused(words, data["refused"]), words["how"]]
    elif not data["yours"]:
        parts = [words["lost"]]
    else:
        parts = [*_matter(words, data, left), *_asked(words, data)]
    return "\n\n".join(part.strip() for part in (words["cut"], head, *parts))


def _part(data: Mapping[str, Any]) -> str:
    """What the unit is to its ticket: `lead`, `helper` or `cc`."""
    life = data["life"]
    if data["unit"] == life["lead"]:
        return "lead"
    return "helper" if data["unit"] in life["co"] else "cc"


def _asked(words: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[str]:
    """How to answer, where an answer could be taken."""
    if _part(data) != "cc" and data["because"] != "close":
        yield words["how"]


def _refused(words: Mapping[str, Any], code: str) -> str:
    whys: Mapping[str, str] = words["refused"]
    return str(words["not_taken"]).format(why=whys.get(code, whys["other"]))


def _matter(words: Mapping[str, Any], data: Mapping[str, Any], left: Sequence[str]) -> Iterator[str]:
    because: Mapping[str, str] = words["because"]
    step: Mapping[str, Any] = next((one for one in data["history"] if one["version"] == data["version"]), {})
    said = " ".join(str(step[name]) for name in ("reason", "text") if step.get(name))
    parts: Mapping[str, str] = words["part"]
    news = [because[data["because"]], parts[_part(data)], *([words["said"].format(said=said)] if said else [])]
    yield "\n".join(news)
    yield "\n".join(_facts(words, data["ticket"], left))
    yield words["text"].format(text=data["ticket"]["text"])
    later = [one["text"] for one in data["history"] if one["step"] == "follow_up" and one is not step]
    if later:
        yield words["later"].format(text="\n".join(later))


def _facts(words: Mapping[str, Any], ticket: Mapping[str, Any], left: Sequence[str]) -> Iterator[str]:
    lines: Mapping[str, str] = words["line"]
    tiers: Mapping[str, str] = words["tier"]
    yield lines["title"].format(value=ticket["title"])
    if place := ticket["place"]:
        yield lines["place"].format(value=_spot(place))
    yield lines["tier"].format(value=tiers.get(ticket["urgency"]["tier"], ticket["urgency"]["tier"]))
    if ticket["attachments"]:
        yield lines["files"].format(value=len(ticket["attachments"]))
    if left:
        yield lines["left"].format(value=words["between"].join(left))
    if people := list(_people(ticket["requester"])):
        yield lines["requester"].format(value=" ".join(people))
    else:
        yield words["hidden"]


def _spot(place: Mapping[str, Any]) -> str:
    """As it was said, else what was understood of it."""
    known = (place.get(name) for name in ("province", "city", "district", "street", "detail"))
    return str(place.get("text") or " ".join(one for one in known if one))


def _people(asked: Mapping[str, Any]) -> Iterator[str]:
    """Who asked and how to reach them, each way once."""
    ways = (asked["name"], asked["phone"], asked["email"], *(one["address"] for one in asked["reply_to"]))
    yield from dict.fromkeys(way for way in ways if way)
