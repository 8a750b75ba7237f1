"""A unit that is reached by email: each event becomes a letter that an officer reads, through the channel's own relay.

May not say more than the event does, which holds what the unit may see. Only units are reached so: a program that wants
every event has webhooks and files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Final, Literal

import idna
import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from channels.contract import Delivery, Reply, Replying
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress
from workers.destinations.contract import Delivered, Event, Outcome, Refused, TryLater
from workers.unit_letter import written
from workers.words import LANGUAGES, Language

log = structlog.get_logger()

CHANNEL: Final = "email"
NO_CHANNEL: Final = "no_such_channel"
ADDRESS_MAX: Final = 254
_ADDRESS: Final = re.compile(r"[^@\s\x00-\x1f\x7f<>\"(),:;\\]+@[^@\s\x00-\x1f\x7f<>\"(),:;\\]+")


def canonical(address: str) -> str:
    """An address as two spellings of it are compared: in one case, the domain in ASCII (RFC 5891)."""
    local, at, domain = address.strip().strip("<>").casefold().rpartition("@")
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}" if not domain.isascii() else local + at + domain
    except (idna.IDNAError, UnicodeError):
        return local + at + domain


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
    hotline calls itself."""

    def __init__(self, name: str, config: EmailConfig, replying: Callable[[str], Replying | None], site: str) -> None:
        self.name = name
        self._config = config
        self._replying = replying
        self._site = site

    async def deliver(self, event: Event) -> Outcome:
        """Send the letter. The same event has the same Message-ID for ever."""
        channel = self._replying(CHANNEL)
        if channel is None:
            return Refused(NO_CHANNEL)
        try:
            return _outcome(await channel.reply(self._to, self._letter(event)))
        except TryAgain as error:
            return TryLater("try_again", error.after)
        except Exception as error:  # a bug of ours must not leave the unit without its ticket: it is tried again
            log.error("unit_mail_failed", destination=self.name, error=type(error).__name__)
            return TryLater("exception", None)

    @property
    def _to(self) -> ReplyAddress:
        return ReplyAddress(channel=CHANNEL, address=self._config.to)

    def _letter(self, event: Event) -> Reply:
        data = json.loads(event.document)["data"]
        language = self._config.language
        return Reply(
            operation=event.id,
            number=data["number"],
            text=written(data, language, self._site),
            purpose="dispatch",
            language=LANGUAGES[language],
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
