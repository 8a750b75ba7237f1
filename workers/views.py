"""What of a ticket may be shown to whom: a unit that works on it, a unit that is only informed, the centre's desk.

Pure. May not show a reporter to a unit, nor a requester to who has no need of one (ordinance, art. 8: privacy).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from normalizer.events import FOLLOWED_UP
from normalizer.life import EVENT_TYPES, Role, StepName
from normalizer.ticket import AttachmentRef, Flag, Kind, Relation, Requester, Ticket
from workers.life import Life
from workers.store import Record

_STEPS: Final = {type: step for step, type in EVENT_TYPES.items()}
_INTERNAL: Final = ("rule", "candidates", "suggested")
_OURS: Final = frozenset(
    {"ticket_id", "number", "step", "state", "lead", "co", "cc", "at", "version", "sha256", "received_at", "blob"}
    | {"public_blob", "schema_version", "channel", "kind", "tier", "flags", "decision", "media_type", "relation"}
    | {"speaker", "language"}
)
"""What no citizen wrote."""
_SHORTEST: Final = 2
_SHORTEST_NUMBER: Final = 7
BLOT: Final = "***"


def of_ticket(record: Record, *, unit: str | None, personal: bool) -> dict[str, Any]:
    """`ticket`, `life` and `history` as JSON. `unit`: who looks, None = the centre's desk. `personal`: whether the one
    who looks may see people's data at all; of a report, or for who wants to stay hidden, no unit may."""
    ticket, life = record.ticket(), Life.of(record)
    shown = personal and (unit is None or may_know_requester(ticket, life, unit))
    view = {
        "ticket": (ticket if shown else hidden(ticket)).model_dump(mode="json"),
        "life": {"state": life.state, "lead": life.lead, "co": list(life.co), "cc": list(life.cc)},
        "history": [step if shown else _without_files(step) for step in _history(record, unit)],
    }
    return view if shown else blotted(view, ticket.requester)


def without_people(ticket: Ticket) -> dict[str, Any]:
    """The ticket as JSON for a program that may not see people's data."""
    view = blotted({"ticket": hidden(ticket).model_dump(mode="json")}, ticket.requester)
    return dict(view["ticket"])


def may_know_requester(ticket: Ticket, life: Life, unit: str) -> bool:
    """The lead and its helpers must be able to speak to the citizen (art. 15), save of a report, and of who asked not
    to be named."""
    works = unit == life.lead or unit in life.co
    asked = ticket.requester
    stays_hidden = asked.anonymous or asked.confidential or Flag.CONFIDENTIAL in ticket.flags
    return works and ticket.kind is not Kind.REPORT and not stays_hidden


def hidden(ticket: Ticket) -> Ticket:
    """The ticket without its requester: who, how to reach, from where it was sent, how that was understood, and where
    the camera says that they stood. Of a picture only the copy without its metadata is named, of other files none.
    `sha256` is that of the copy then: it names what can be fetched."""
    asked = ticket.requester
    nobody = Requester(anonymous=asked.anonymous, confidential=asked.confidential, language=asked.language)
    source = ticket.source.model_copy(update={"id": "", "url": None, "raw": None, "verified": ()})
    files = tuple(map(_without_metadata, ticket.attachments))
    # Who knows the citizen of the earlier ticket would know this one's.
    related = tuple(one for one in ticket.related if one.relation is not Relation.REPEAT_OF)
    kept = {"requester": nobody, "source": source, "notes": (), "attachments": files, "related": related}
    return ticket.model_copy(update=kept)


def _without_metadata(one: AttachmentRef) -> AttachmentRef:
    sha256 = one.public_blob.rpartition("/")[2] if one.public_blob else one.sha256
    return one.model_copy(update={"blob": one.public_blob, "sha256": sha256, "lat": None, "lon": None})


def _without_files(step: dict[str, Any]) -> dict[str, Any]:
    """The step with its pictures as copies, as `hidden`: no program can blot a name out of a scanned letter."""
    files = [_without_metadata(AttachmentRef.model_validate(one)) for one in step.get("attachments") or ()]
    return step | {"attachments": [one.model_dump(mode="json") for one in files]} if files else step


def blotted(view: dict[str, Any], asked: Requester) -> dict[str, Any]:
    """The view with what we know of the requester blotted out of everybody's words. What nobody recorded as theirs
    (an address told in passing) stays: no program can tell it from the place of the matter."""
    shapes = [re.escape(word) for word in _words_of(asked)]
    shapes += [_digits(number) for number in (asked.phone, *_numbers(asked)) if number]
    if not shapes:
        return view
    pattern = re.compile("|".join(shapes), re.IGNORECASE)

    def blot(value: Any) -> Any:
        match value:
            case str():
                return pattern.sub(BLOT, value)
            case list() | tuple():
                return [blot(one) for one in value]
            case dict():
                return {name: one if name in _OURS else blot(one) for name, one in value.items()}
        return value

    return {name: blot(value) for name, value in view.items()}


def _words_of(asked: Requester) -> Iterator[str]:
    words = (asked.name, asked.email, *(word for one in asked.handles for word in (one.id, one.name)))
    addresses = (one.address for one in asked.reply_to)
    yield from (word for word in (*words, *addresses) if word and len(word) >= _SHORTEST)


def _numbers(asked: Requester) -> Iterator[str]:
    yield from (one.address for one in asked.reply_to if one.address.lstrip("+").isdigit())


def _digits(number: str) -> str:
    """A telephone number however it is grouped, with or without its country code."""
    digits = "".join(c for c in number if c.isdecimal())
    national = digits.removeprefix("86") if number.startswith(("+86", "0086")) else digits
    return r"(?:\+?86[\s-]*)?" + r"[\s-]*".join(national) if len(national) >= _SHORTEST_NUMBER else re.escape(number)


def _history(record: Record, unit: str | None) -> Iterator[dict[str, Any]]:
    """The steps, oldest first. The rule and the candidates are the centre's matter; so is what other units objected."""
    for event in record.events():
        data = event["data"]
        if event["type"] == FOLLOWED_UP:
            yield {
                "step": "follow_up",
                "version": data["version"],
                "at": data["received_at"],
                "text": data["turn"]["text"],
            }
        elif (step := _STEPS.get(event["type"])) is not None:
            dropped = {"ticket_id", "number"} | (set(_INTERNAL) if unit is not None else set())
            if step is StepName.OBJECT and unit not in (None, data["by"]["id"]):
                dropped |= {"reason", "attachments"}
            shown = {name: value for name, value in data.items() if name not in dropped}
            yield {"step": step} | shown | {"by": actor(data["by"])}


def actor(by: Mapping[str, Any]) -> dict[str, Any]:
    """Who took a step; a citizen is nobody with a name."""
    return {"role": by["role"]} if by["role"] == Role.CITIZEN else dict(by)
