"""A unit that is reached by email: each event becomes a letter that an officer reads, through the channel's own relay.

May not say more than the event does, which holds what the unit may see. Only units are reached so: a program that wants
every event has webhooks and files.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from channels.contract import Delivery, Reply, Replying
from channels.email.recipient import canonical
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress
from workers.blobs import Blobs
from workers.destinations.contract import Delivered, Event, Outcome, Refused, TryLater
from workers.enclosing import fitting, room_of
from workers.files import of_letter
from workers.unit_letter import encloses, written
from workers.words import LANGUAGES, Language

log = structlog.get_logger()

CHANNEL: Final = "email"
NO_CHANNEL: Final = "no_such_channel"
ADDRESS_MAX: Final = 254
_ADDRESS: Final = re.compile(r"[^@\s\x00-\x1f\x7f<>\"(),:;\\]+@[^@\s\x00-\x1f\x7f<>\"(),:;\\]+")


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("must be an address such as office@example.org")
    return canonical(value)


class EmailConfig(BaseModel):
    """A unit's mailbox. Needs `channels.email.relay`; the unit answers by mail, too."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["email"]
    to: Annotated[str, Field(max_length=ADDRESS_MAX), AfterValidator(_address)] = Field(
        description="The unit's mailbox; only what comes from this address is taken as its word"
    )
    language: Language = Field(default="zh", description="Of what we write around the ticket: zh or en")


class EmailUnit:
    """One unit's mailbox. `replying`: the channel of a name, if it is on and can carry answers; `site`: how the
    hotline calls itself; `blobs`: where the files lie."""

    def __init__(
        self, name: str, config: EmailConfig, replying: Callable[[str], Replying | None], site: str, blobs: Blobs
    ) -> None:
        self.name = name
        self._config = config
        self._replying = replying
        self._site = site
        self._blobs = blobs

    async def deliver(self, event: Event) -> Outcome:
        """Send the letter. The same event has the same Message-ID for ever."""
        channel = self._replying(CHANNEL)
        if channel is None:
            return Refused(NO_CHANNEL)
        try:
            return _outcome(await self._send(channel, json.loads(event.document)["data"], event.id))
        except TryAgain as error:
            return TryLater("try_again", error.after)
        except Exception as error:  # a bug of ours must not leave the unit without its ticket: it is tried again
            log.error("unit_mail_failed", destination=self.name, error=type(error).__name__)
            return TryLater("exception", None)

    @property
    def _to(self) -> ReplyAddress:
        return ReplyAddress(channel=CHANNEL, address=self._config.to)

    async def _send(self, channel: Replying, data: Mapping[str, Any], operation: str) -> Delivery:
        """With its files; without them when it is not taken so, for they may be why."""
        letter = await asyncio.to_thread(self._letter, data, operation, room_of(channel))
        delivery = await channel.reply(self._to, letter)
        if delivery.outcome == "failed" and letter.attachments:
            delivery = await channel.reply(self._to, self._letter(data, operation, 0))
        return delivery

    def _letter(self, data: Mapping[str, Any], operation: str, room: int) -> Reply:
        """With those files in `room` bytes that the unit may see; it names the others."""
        files, withheld = of_letter(data, data["version"]) if encloses(data) else ((), ())
        enclosed, left = fitting(files, self._blobs, room)
        language = self._config.language
        return Reply(
            operation=operation,
            number=data["number"],
            text=written(data, language, self._site, (*left, *withheld)),
            purpose="dispatch",
            language=LANGUAGES[language],
            attachments=enclosed,
        )

    async def close(self) -> None:
        """Nothing is held."""


def _outcome(delivery: Delivery) -> Outcome:
    match delivery.outcome:
        case "sent":
            return Delivered(reference=delivery.reference)
        case "unknown":
            return TryLater("unknown", None)
    return Refused(delivery.reason or delivery.outcome)
