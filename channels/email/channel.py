"""The email channel: its servers and its parse. May not look into a mail: `parse` does."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel

from channels.contract import Host
from channels.email.config import EmailConfig
from channels.email.parse import CHANNEL, Site, parse
from channels.email.smtp import POSTMASTER, Server
from normalizer.ticket import Inbound, Raw


class Email:
    """Mail that is sent to us, by SMTP or through a mail server in front by LMTP."""

    name: ClassVar[str] = CHANNEL
    config_type: ClassVar[type[BaseModel]] = EmailConfig

    def __init__(self, config: EmailConfig, /) -> None:
        self._config = config
        secret = config.secret_file
        # Absent offline and before the first start: then nothing was ever signed with it.
        known = secret.read_bytes() if secret is not None and secret.exists() else None
        self._site = Site((*config.accepted, f"{POSTMASTER}@{config.domain}"), known)

    def parse(self, raw: Raw) -> Inbound:
        """Pure. Raises Rejected with the reason."""
        return parse(raw, self._site)

    async def run(self, host: Host) -> None:
        """Listens until cancelled; ends within 5 s."""
        await Server(self._config, host).run()
