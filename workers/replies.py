"""The errands of a ticket's citizen: each notice that is owed goes along its addresses until one has it.

May not compose for a channel: here it is words (workers/notices.py), the channel makes a mail or a message of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import structlog

from channels.contract import Delivery, Repeating, Reply, Replying
from channels.reply import Allowance, Metered
from normalizer import events
from normalizer.errors import TryAgain
from normalizer.life import StepName
from normalizer.ticket import ReplyAddress
from workers import keys
from workers.destinations.contract import TryLater
from workers.enclosing import enclose, room_of
from workers.ending import CALLING, SENT, UNDELIVERABLE, is_over
from workers.errands import Ended, Errand
from workers.files import of_answer
from workers.meter import RESERVED
from workers.notices import CALL, RECEIPT, Address, Notice, addresses, notices, receipt, worded
from workers.store import Index, Record, Step

if TYPE_CHECKING:
    from workers.runtime import Runtime

log = structlog.get_logger()

TOO_MANY: Final = "too_many_receipts"
QUOTA_WAIT: Final = 600.0
"""Seconds until an answer looks again whether its address may be written to."""
NO_CHANNEL: Final = "no_such_channel"
NO_ADDRESS: Final = "no_address"
NO_OTHER: Final = "no_other_address"
SUPERSEDED: Final = "superseded"
ALLOWANCE: Final = "allowance_spent"
CUT_SHORT: Final = "cut_short"
"""A job ended between sending and recording, on a channel that cannot say whether the citizen has it."""


def outstanding(runtime: Runtime, record: Record) -> Iterator[Send]:
    """What the citizen is owed and has no outcome yet: the receipt, where the channel asked for one; the notices."""
    if (to := addresses(record, None)) and not is_recorded(record, RECEIPT):
        yield Send(record, None, to, 0)
    for notice in notices(record, runtime.region):
        called = record.fields.get(f"reply:{notice.operation}") == CALLING
        if not is_over(record, notice.operation) and (notice.superseded or not called):
            ways = addresses(record, notice)
            yield Send(record, notice, ways, following(runtime, ways, tried(record, notice.operation)))


def is_recorded(record: Record, operation: str) -> bool:
    """Whether the receipt has an outcome, or was given up until somebody replays it."""
    return f"reply:{operation}" in record.fields or f"dead:reply:{operation}" in record.fields


def tried(record: Record, operation: str) -> int:
    """How many of its addresses came to nothing."""
    return int(record.fields.get(f"try:{operation}", 0))


def asked(record: Record, channel: str) -> datetime | None:
    """When the citizen last wrote on this channel."""
    ticket = record.ticket()
    later = (event["data"] for event in record.events() if event["type"] == events.FOLLOWED_UP)
    moments = [datetime.fromisoformat(data["received_at"]) for data in later if data["channel"] == channel]
    return max([*moments, *([ticket.received_at] if ticket.channel == channel else [])], default=None)


def following(runtime: Runtime, ways: Sequence[Address], start: int) -> int:
    """The first address from `start` on that can be tried; as many as there are: none. One that the citizen did not ask
    for is left out while its channel is off."""
    for index in range(start, len(ways)):
        one = ways[index]
        if not one.implied or runtime.replying(one.to.channel) is not None:
            return index
    return len(ways)


@dataclass(frozen=True, slots=True)
class Send:
    """One notice at one of its addresses; the receipt when `notice` is None."""

    record: Record
    notice: Notice | None
    ways: tuple[Address, ...]
    index: int

    @property
    def operation(self) -> str:
        return RECEIPT if self.notice is None else self.notice.operation

    @property
    def sending(self) -> str:
        """Names what one address gets, for ever: at another address it is another sending."""
        return f"{self.operation}.{self.index}" if self.index else self.operation

    @property
    def channel(self) -> str:
        return self.ways[self.index].to.channel if self.index < len(self.ways) else "none"

    @property
    def fact(self) -> str:
        """The field that says how the notice stands."""
        return f"reply:{self.operation}"

    @property
    def name(self) -> str:
        """A notice that is not sent any more need not wait for its next try."""
        return f"withdraw:{self.operation}" if self.withdrawn else self.fact

    @property
    def withdrawn(self) -> bool:
        """Whether a later notice says more."""
        return self.notice is not None and self.notice.superseded

    @property
    def counter(self) -> str:
        return f"replies:{self.channel}"

    @property
    def subject(self) -> str:
        return self.operation

    async def run(self, runtime: Runtime) -> Ended | TryLater:
        """Send it here, put it on the call list, or say why neither can be."""
        if self.withdrawn:
            return Ended("not_allowed", reason=SUPERSEDED)
        if self.index >= len(self.ways):
            return Ended("not_allowed", reason=NO_OTHER if self.ways else NO_ADDRESS)
        to = self.ways[self.index].to
        if to.channel == CALL:
            return Ended(CALLING)
        channel = runtime.replying(to.channel)
        if channel is None:
            return Ended("not_allowed", reason=NO_CHANNEL)
        if (too_many := await self._too_many(runtime, to)) is not None:
            return too_many
        if isinstance(channel, Metered) and (spent := await self._spent(runtime, channel.allowance)) is not None:
            return spent
        message = await self._enclosed(runtime, room_of(channel))
        if isinstance(channel, Repeating) and not channel.repeatable:
            return await self._once(runtime, channel, message)
        return await self._again(runtime, channel, message)

    async def _too_many(self, runtime: Runtime, to: ReplyAddress) -> Ended | TryLater | None:
        """What a person decided is told, however many were written to this address. Of the rest, an answer waits, and
        what only says how far it is can be left out."""
        if self.notice is not None and not self.notice.is_automatic:
            return None
        if await runtime.quota.take(to, f"{self.record.ticket_id}:{self.sending}", runtime.now()):
            return None
        if self.notice is not None and self.notice.kind == "ending":
            return TryLater(TOO_MANY, QUOTA_WAIT, tried=False)
        return Ended("not_allowed", reason=TOO_MANY)

    async def _spent(self, runtime: Runtime, allowance: Allowance) -> Ended | TryLater | None:
        """What the platform allows in a day is for people's words first: what only says how far it is leaves half of
        it, and is left out when there is no more; an answer waits."""
        automatic = self.notice is None or (self.notice.is_automatic and self.notice.kind != "ending")
        reserved = RESERVED if automatic else 0.0
        wait = await runtime.meter.take(self.channel, allowance, runtime.now(), reserved=reserved)
        if not wait:
            return None
        return Ended("not_allowed", reason=ALLOWANCE) if automatic else TryLater(ALLOWANCE, wait, tried=False)

    async def _again(self, runtime: Runtime, channel: Replying, message: Reply) -> Ended | TryLater:
        """On a channel that knows a repetition, or reads back before it sends again."""
        to, begun = self.ways[self.index].to, f"begun:{self.sending}"
        again = not await runtime.store.begin(self.record.ticket_id, begun)
        try:
            delivery = await channel.reply(to, message.model_copy(update={"again": again}))
            if delivery.outcome == "failed" and message.attachments:  # too large, or of a type that is not taken there
                delivery = await channel.reply(to, await self._enclosed(runtime, 0))
        except TryAgain as error:
            if not again:  # what an earlier try did is as unknown as it was
                await runtime.store.unbegin(self.record.ticket_id, begun)
            return TryLater("try_again", error.after)
        except Exception as error:  # a bug of ours must not leave the citizen without a word: it is tried again
            log.error("reply_failed", channel=to.channel, error=type(error).__name__)
            return TryLater("exception", None)
        return TryLater("unknown", None) if delivery.outcome == "unknown" else _ended(delivery)

    async def _once(self, runtime: Runtime, channel: Replying, message: Reply) -> Ended | TryLater:
        """A second time could be a second message, so it is noted before the first: whoever finds the note does not
        know what the citizen has."""
        begun = f"begun:{self.sending}"
        if not await runtime.store.begin(self.record.ticket_id, begun):
            return Ended("unknown", reason=CUT_SHORT)
        to = self.ways[self.index].to
        try:
            return _ended(await channel.reply(to, message))
        except TryAgain as error:  # it was not sent
            await runtime.store.unbegin(self.record.ticket_id, begun)
            return TryLater("try_again", error.after)
        except Exception as error:
            log.error("reply_failed", channel=to.channel, error=type(error).__name__)
            return Ended("unknown", reason="exception")

    def _message(self, runtime: Runtime) -> Reply:
        asked_at = asked(self.record, self.channel)
        if self.notice is None:
            return receipt(self.record, runtime.site).model_copy(update={"asked_at": asked_at})
        message = worded(self.notice, self.record, runtime.region, runtime.site)
        return message.model_copy(update={"operation": self.sending, "asked_at": asked_at})

    async def _enclosed(self, runtime: Runtime, room: int) -> Reply:
        """What the citizen is told, with those files of an answer that fit into `room` bytes."""
        message = self._message(runtime)
        if self.notice is None or self.notice.step is not StepName.REPLY:
            return message
        files, url = of_answer(self.notice.data), f"{runtime.site.public_url}/t/{self.record.number}"
        return await asyncio.to_thread(enclose, message, files, runtime.blobs, room=room, url=url)

    def given_up(self, later: TryLater, reason: str) -> Ended:
        """The receipt is listed among the dead, and can be replayed; a notice goes on to its next address."""
        if self.notice is None:
            return Ended("failed", reason=reason, dead=reason)
        return Ended("unknown" if later.reason == "unknown" else "failed", reason=reason)

    def step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step | None:
        """`notified`, with its outcome; None when the notice came to its end meanwhile."""
        if self.notice is None:
            return self._receipt_step(runtime, ended, record, rest)
        if is_over(record, self.operation):
            return None
        at = runtime.now()
        return Step(
            operation=f"{self.fact}:{SUPERSEDED if self.withdrawn else self.index}",
            type=events.NOTIFIED,
            at=at,
            data=self._data(ended, at),
            fields=self._fields(runtime, ended) | self._sent(ended),
            indexes=self._indexes(ended, at),
        )

    def _receipt_step(self, runtime: Runtime, ended: Ended, record: Record, rest: Sequence[Errand]) -> Step:
        """What was given up can be replayed, so it has no outcome for ever yet."""
        fields: dict[str, str | int] = {f"dead:{self.fact}": ended.dead} if ended.dead else {self.fact: ended.word}
        at = runtime.now()
        return Step(
            operation=f"gave_up:{self.fact}:{record.version}" if ended.dead else self.fact,
            type=events.NOTIFIED,
            at=at,
            data=self._data(ended, at),
            due=None if rest else "done",
            fields=fields | self._sent(ended),
        )

    def _data(self, ended: Ended, at: datetime) -> dict[str, str]:
        outcome = "waiting" if ended.word == CALLING else ended.word
        facts = {"operation": self.operation, "channel": self.channel, "outcome": outcome}
        more = {"reason": ended.reason, "reference": ended.reference}
        said = {key: value for key, value in more.items() if value is not None}
        return facts | said | {"at": events.rfc3339(at)}

    def _fields(self, runtime: Runtime, ended: Ended) -> dict[str, str | int]:
        """Where the notice stands now: told, on the call list, at its next address, or at its end."""
        if ended.word == SENT:
            return {self.fact: SENT, f"told:{self.operation}": self.channel}
        if ended.word == CALLING:
            return {self.fact: CALLING, f"try:{self.operation}": self.index}
        again: dict[str, str | int] = {f"tries:{self.fact}": 0, f"next:{self.fact}": 0}
        after = following(runtime, self.ways, self.index + 1)
        if self.withdrawn or after >= len(self.ways):
            why = ended.reason or ended.word
            why = f"it is unknown whether it arrived, {why}" if ended.word == "unknown" else why
            return again | {self.fact: UNDELIVERABLE, f"why:{self.operation}": why}
        return again | {f"try:{self.operation}": after}

    def _sent(self, ended: Ended) -> dict[str, str | int]:
        """By which a report that it did not arrive finds the operation and the address."""
        return {f"sent:{ended.reference}": f"{self.operation} {self.index}"} if ended.reference is not None else {}

    def _indexes(self, ended: Ended, at: datetime) -> tuple[Index, ...]:
        entry = f"{self.record.ticket_id}:{self.operation}"
        if ended.word == CALLING:
            return (Index(keys.waiting(keys.CALLS), entry, at.timestamp()),)
        if self.withdrawn:
            return (Index(keys.waiting(keys.CALLS), entry, None),)
        return ()


def _ended(delivery: Delivery) -> Ended:
    return Ended(delivery.outcome, reason=delivery.reason, reference=delivery.reference)
