"""What a citizen is told of a ticket's life, in which words, and along which addresses.

Pure. May not send anything (workers/replies.py does), and may not name who accused or what units said to each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from channels.contract import Reply
from normalizer.life import EVENT_TYPES, Outcome, Role, StepName
from normalizer.ticket import Flag, ReplyAddress
from workers.ending import ENDINGS, is_at_intake
from workers.region import Region
from workers.store import Record
from workers.words import WORDS, Language

if TYPE_CHECKING:
    from workers.runtime import Site

RECEIPT: Final = "receipt"
SMS: Final = "sms"
PHONE: Final = "phone"
"""The channel of calls that come in: nothing can be sent there."""
CALL: Final = "call"
"""No channel: the list of citizens whom an operator calls (workers/calls.py)."""
LANGUAGES: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}
"""BCP 47."""
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_KINDS: Final[Mapping[str, tuple[StepName, str]]] = {
    EVENT_TYPES[StepName.DISPATCH]: (StepName.DISPATCH, "dispatched"),
    EVENT_TYPES[StepName.UPHOLD]: (StepName.UPHOLD, "dispatched"),
    EVENT_TYPES[StepName.EXTEND]: (StepName.EXTEND, "extended"),
    **{type: (step, "ending") for type, step in ENDINGS.items()},
}
_ENDING_WORDS: Final = {StepName.ANSWER: "answered", StepName.REFER: "referred", StepName.REPLY: "replied"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One step that the citizen is told of. `kind`: dispatched, extended or ending; `data`: of the step's event;
    `superseded`: a later notice says more, so that this one, if it was not sent yet, would only confuse."""

    step: StepName
    kind: str
    version: int
    data: Mapping[str, Any]
    superseded: bool

    @property
    def operation(self) -> str:
        """Names it for ever."""
        return f"{self.step}:{self.version}"

    @property
    def is_worth_a_call(self) -> bool:
        """That it was passed on is nothing that an operator calls somebody for: the progress page says it."""
        return self.kind != "dispatched"

    @property
    def is_automatic(self) -> bool:
        """No person decided this: a flood of forged requests must not become a flood of notices."""
        return bool(self.data["by"]["role"] == Role.SYSTEM)


@dataclass(frozen=True, slots=True)
class Address:
    """One way to the citizen. `implied`: not asked for, so it is left out, not recorded, when its channel is off."""

    to: ReplyAddress
    implied: bool = False


def notices(record: Record, region: Region) -> list[Notice]:
    """Every notice of this ticket so far, oldest first: how it ended always, the rest as the region's rules say. What a
    program wrote gets answers of people only; who was answered in the conversation needs no other answer."""
    wanted = {"ending", *(_wanted(region) if Flag.AUTOMATED not in json.loads(record.doc).get("flags", ()) else ())}
    found: list[Notice] = []
    later: set[str] = set()
    for event in reversed(record.events()):
        step, kind = _KINDS.get(event["type"], (None, ""))
        if step is not None and kind in wanted and not is_at_intake(step, event["data"]):
            superseded = kind in later or "ending" in later
            found.append(Notice(step, kind, event["data"]["version"], event["data"], superseded))
            later.add(kind)
    return found[::-1]


def _wanted(region: Region) -> Iterator[str]:
    if region.facts.notices.dispatched:
        yield "dispatched"
    if region.facts.notices.extended:
        yield "extended"


def addresses(record: Record, notice: Notice | None) -> tuple[Address, ...]:
    """Where a notice is sent, in this order, until one address has it; None: the receipt, which has one address at
    most. From the accepted document, so that the order stays the same for ever."""
    asked = json.loads(record.doc)["requester"]
    if notice is None:
        given = asked.get("receipt_to")
        return (Address(ReplyAddress.model_validate(given)),) if given else ()
    wished = [ReplyAddress.model_validate(one) for one in asked.get("reply_to", ())]
    phones = [one.address for one in wished if one.channel == PHONE]
    if asked.get("phone"):
        phones.append(asked["phone"])
    found = [_by_sms(one.address) if one.channel == PHONE else Address(one) for one in wished]
    found += [_by_sms(phone) for phone in phones]
    if notice.is_worth_a_call:
        found += [Address(ReplyAddress(channel=CALL, address=phone)) for phone in phones]
    each: dict[tuple[str, str], Address] = {}
    for one in found:
        if one is not None:
            each.setdefault((one.to.channel, one.to.address.casefold()), one)
    return tuple(each.values())


def _by_sms(phone: str) -> Address | None:
    return Address(ReplyAddress(channel=SMS, address=phone), implied=True) if _E164.fullmatch(phone) else None


def receipt(record: Record, site: Site) -> Reply:
    """Number, code and link in the citizen's language, and whom to call if the words tell of danger."""
    ticket = record.ticket()
    language = language_of(ticket.requester.language)
    words = WORDS[language][RECEIPT]
    values = _values(record, site) | {"code": record.fields["code"]}
    text = words["text"].format(**values)
    if Flag.EMERGENCY in ticket.flags:
        text = words["emergency"] + text
    return Reply(
        operation=RECEIPT,
        number=record.number,
        text=text.strip(),
        short=words["short"].format(**values).strip(),
        purpose="receipt",
        language=LANGUAGES[language],
        source_id=ticket.source.id,
    )


def worded(notice: Notice, record: Record, region: Region, site: Site) -> Reply:
    """The notice in the citizen's language, and a short form whose variable part stands last."""
    asked = json.loads(record.doc)
    language = language_of(asked["requester"].get("language"))
    words = _words(notice, WORDS[language])
    values = _values(record, site) | _said(notice, region, language, site)
    return Reply(
        operation=notice.operation,
        number=record.number,
        text=words["text"].format(**values).strip(),
        short=words["short"].format(**values).strip(),
        purpose="answer" if notice.kind == "ending" else "notice",
        language=LANGUAGES[language],
        source_id=asked["source"]["id"],
    )


def _words(notice: Notice, book: Mapping[str, Any]) -> Mapping[str, str]:
    """By what kind of step, and of a unit's reply by what it amounts to."""
    if notice.kind != "ending":
        found: Mapping[str, str] = book[notice.kind]
        return found
    words: Mapping[str, Any] = book[_ENDING_WORDS[notice.step]]
    return words[Outcome(notice.data["outcome"])] if notice.step is StepName.REPLY else words


def _values(record: Record, site: Site) -> dict[str, str]:
    return {"site": site.name, "number": record.number, "url": f"{site.public_url}/t/{record.number}"}


def _said(notice: Notice, region: Region, language: Language, site: Site) -> dict[str, str]:
    """What the step itself says. Filled in once: what a unit wrote is never read as a place to fill in."""
    data = notice.data
    until = data.get("until")
    return {
        "unit": unit_name(region, data.get("lead")),
        "reason": data.get("reason") or "",
        "text": told_text(data, region, language) or "",
        "until": day(datetime.fromisoformat(until), language, site) if until else "",
    }


def unit_name(region: Region, unit: str | None) -> str:
    """As people call it; its id, if the region does not have it any more."""
    found = region.units.get(unit or "")
    return found.name if found is not None else unit or ""


def told_text(data: Mapping[str, Any], region: Region, language: Language) -> str | None:
    """The answer that a step gives: what was written, or for a referral the region's words in this language."""
    referral = region.referrals.get(data.get("referral") or "")
    said: str | None = data.get("text")
    if referral is not None and said in (None, "", *referral.text.values()):
        return referral.text.get(language) or referral.text["zh"]
    return said


def day(moment: datetime, language: Language, site: Site) -> str:
    """The day at the site, as people write it."""
    here = moment.astimezone(site.zone)
    form: str = WORDS[language]["day"]["form"]
    return form.format(year=here.year, month=here.month, day=here.day)


def language_of(tag: str | None) -> Language:
    """Chinese unless the citizen wrote in a language that is not Chinese (BCP 47)."""
    primary = (tag or "zh").partition("-")[0].lower()
    return "zh" if primary in {"zh", "yue", "wuu", "und"} else "en"
