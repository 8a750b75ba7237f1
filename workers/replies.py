"""The errands of a ticket's citizen: what is owed and not sent yet goes out through the channel it belongs to.

May not compose for a channel: here it is words, the channel makes a mail or a message of them.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog

from channels.contract import Delivery, Reply
from normalizer import events
from normalizer.errors import TryAgain
from normalizer.ticket import Flag, ReplyAddress
from workers.destinations.contract import TryLater
from workers.errands import Ended, Errand
from workers.store import Record, Step

if TYPE_CHECKING:
    from workers.runtime import Runtime

log = structlog.get_logger()

RECEIPT: Final = "receipt"
TOO_MANY: Final = "too_many_receipts"
NO_CHANNEL: Final = "no_such_channel"
WORDS: Final[Mapping[Literal["zh", "en"], dict[str, Any]]] = {
    "zh": tomllib.loads((files("workers") / "catalogue/zh.toml").read_text("utf-8")),
    "en": tomllib.loads((files("workers") / "catalogue/en.toml").read_text("utf-8")),
}
LANGUAGES: Final = {"zh": "zh-CN", "en": "en"}


def outstanding(runtime: Runtime, record: Record) -> Iterator[Send]:
    """What the citizen is owed and has no outcome yet: the receipt, where the channel asked for one."""
    send = Send(RECEIPT, record, ReplyAddress(channel="", address=""))
    if send.name in record.fields or f"dead:{send.name}" in record.fields:
        return
    if (given := json.loads(record.doc)["requester"].get("receipt_to")) is not None:
        yield Send(RECEIPT, record, ReplyAddress.model_validate(given))


@dataclass(frozen=True, slots=True)
class Send:
    """One sending to one address; `operation` names it for ever."""

    operation: str
    record: Record
    to: ReplyAddress

    @property
    def name(self) -> str:
        return f"reply:{self.operation}"

    @property
    def counter(self) -> str:
        return f"replies:{self.to.channel}"

    @property
    def subject(self) -> str:
        return self.operation

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Send it, unless the address had so many that somebody is playing ping-pong with us."""
        channel = runtime.replying(self.to.channel)
        if channel is None:
            return Ended("not_allowed", reason=NO_CHANNEL)
        if not await runtime.quota.take(self.to, f"{self.record.ticket_id}:{self.operation}", runtime.now()):
            return Ended("not_allowed", reason=TOO_MANY)
        try:
            delivery = await channel.reply(self.to, receipt(runtime, self.record))
        except TryAgain as error:
            return TryLater("try_again", error.after)
        except Exception as error:  # a bug of ours must not leave the citizen without a word: it is tried again
            log.error("reply_failed", channel=self.to.channel, error=type(error).__name__)
            return TryLater("exception", None)
        return _ended(delivery)

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step:
        """`notified`, with its outcome; what was given up can be replayed, so it has none for ever yet."""
        at = runtime.now()
        facts = {"operation": self.operation, "channel": self.to.channel, "outcome": ended.word}
        more = {"reason": ended.reason, "reference": ended.reference}
        fields = {f"dead:{self.name}": ended.dead} if ended.dead else {self.name: ended.word}
        if ended.reference is not None:
            fields[f"sent:{ended.reference}"] = self.operation
        return Step(
            operation=f"gave_up:{self.name}:{record.version}" if ended.dead else self.name,
            type=events.NOTIFIED,
            at=at,
            data=facts | {key: value for key, value in more.items() if value is not None} | {"at": events.rfc3339(at)},
            due=None if rest else "done",
            fields=fields,
        )


def _ended(delivery: Delivery) -> Ended | TryLater:
    if delivery.outcome == "unknown":  # the channel reads back before it sends again
        return TryLater("unknown", None)
    return Ended(delivery.outcome, reason=delivery.reason, reference=delivery.reference)


def receipt(runtime: Runtime, record: Record) -> Reply:
    """Number, code and link in the citizen's language, and whom to call if the words tell of danger."""
    ticket = record.ticket()
    language = _language(ticket.requester.language)
    words = WORDS[language][RECEIPT]
    text = words["text"].format(
        site=runtime.site.name,
        number=record.number,
        code=record.fields["code"],
        url=f"{runtime.site.public_url}/t/{record.number}",
    )
    if Flag.EMERGENCY in ticket.flags:
        text = words["emergency"] + text
    return Reply(
        operation=RECEIPT,
        number=record.number,
        text=text.strip(),
        purpose="receipt",
        language=LANGUAGES[language],
        source_id=ticket.source.id,
    )


def _language(tag: str | None) -> Literal["zh", "en"]:
    """Chinese unless the citizen wrote in a language that is not Chinese (BCP 47)."""
    primary = (tag or "zh").partition("-")[0].lower()
    return "zh" if primary in {"zh", "yue", "wuu", "und"} else "en"
