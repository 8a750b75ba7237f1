"""The email channel: its servers and its parse. May not look into a mail: `parse` does."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import ClassVar, Final

import structlog
from pydantic import BaseModel

from channels.contract import Delivery, Host, Reply
from channels.email.compose import compose
from channels.email.config import EmailConfig
from channels.email.enclosures import room
from channels.email.imap import Poller
from channels.email.parse import CHANNEL, Site, parse
from channels.email.recipient import Unwritable, is_own
from channels.email.relay import Relay
from channels.email.smtp import POSTMASTER, Server
from normalizer.errors import TryAgain
from normalizer.ticket import Inbound, Raw, ReplyAddress

log = structlog.get_logger(__name__)

LISTEN_AGAIN: Final = 5.0
NO_SECRET: Final = 60.0
"""Seconds until an answer is tried again that could not be signed."""


class Email:
    """Mail that is sent to us by SMTP or LMTP, or fetched by IMAP; answers go out through a relay."""

    name: ClassVar[str] = CHANNEL
    config_type: ClassVar[type[BaseModel]] = EmailConfig

    def __init__(self, config: EmailConfig, /) -> None:
        self._config = config
        # Absent offline and before the first start: then nothing was ever signed with it.
        self._site = Site((*config.accepted, f"{POSTMASTER}@{config.domain}"), self._secret())
        self._relay = Relay(config) if config.relay is not None else None
        self.files_max = room(config.files_max_bytes) if self._relay is not None else 0

    def parse(self, raw: Raw) -> Inbound:
        """Pure. Raises Rejected with the reason."""
        return parse(raw, self._site)

    async def run(self, host: Host) -> None:
        """Listens, and looks into the mailbox, until cancelled; ends within 5 s."""
        if self._config.imap is None:
            await Server(self._config, host).run()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(Poller(self._config, host).run())
            group.create_task(self._listen(host))

    async def _listen(self, host: Host) -> None:
        """An address that is taken, or a bad certificate, is no reason to leave the mailbox alone."""
        while True:
            try:
                await Server(self._config, host).run()
            except OSError as error:
                log.error("mail_not_listening", error=type(error).__name__)
                await asyncio.sleep(LISTEN_AGAIN)

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        """Send it as a mail, through the relay. What ends it otherwise than `sent`: `no_relay`, `own_address`,
        `bad_address`, `bad_number`, or what the relay says for ever (`Relay.send`).

        Raises:
            TryAgain: not sent now; under the same operation the mail has the same Message-ID.
        """
        if self._relay is None:
            return Delivery(outcome="not_allowed", reason="no_relay")
        secret = self._site.secret or self._late_secret()
        mailbox, name = self._config.accepted[0], self._config.from_name
        try:
            letter = compose(to, message, mailbox=mailbox, name=name, secret=secret, at=datetime.now(UTC))
        except Unwritable as error:
            return Delivery(outcome="failed", reason=error.code)
        if is_own(letter.envelope_to, self._own):
            return Delivery(outcome="not_allowed", reason="own_address")
        return await self._relay.send(letter)

    @property
    def _own(self) -> set[str]:
        """Where the server takes mail: answering there would be talking to ourselves."""
        domains = {address.rpartition("@")[2] for address in self._site.addresses}
        return {*self._site.addresses, *(f"{POSTMASTER}@{domain}" for domain in domains)}

    def _late_secret(self) -> bytes:
        """The gateway may have made it since we were built."""
        with contextlib.suppress(OSError):
            if secret := self._secret():
                return secret
        raise TryAgain(NO_SECRET, "there is no secret yet to sign the reply address with")

    def _secret(self) -> bytes | None:
        """None also for an empty one: anybody could sign with that."""
        file = self._config.secret_file
        return (file.read_bytes() or None) if file is not None and file.exists() else None
