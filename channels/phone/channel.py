"""The phone channel: its route, its drop folder and its parse. May not look into a call: `parse` does."""

from __future__ import annotations

import asyncio
from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from channels.contract import Host
from channels.phone.api import SCOPE, Calls
from channels.phone.config import PhoneConfig
from channels.phone.formats import load_keys
from channels.phone.inbox import Inbox
from channels.phone.parse import CHANNEL, Site, parse
from normalizer.ticket import Inbound, Raw


class Phone:
    """Calls over HTTP for the seat's software, and out of a folder for everything else."""

    name: ClassVar[str] = CHANNEL
    config_type: ClassVar[type[BaseModel]] = PhoneConfig

    def __init__(self, config: PhoneConfig, /) -> None:
        self._config = config
        self._site = Site(load_keys(config.vcon_keys), ZoneInfo(config.timezone), config.doubtful_below)

    def parse(self, raw: Raw) -> Inbound:
        """Pure. Raises Rejected with the reason and, where the format has them, every fault at once."""
        return parse(raw, self._site)

    async def run(self, host: Host) -> None:
        """Adds the route, watches the folder when there is one, and waits to be cancelled."""
        host.route("POST", "/api/v1/calls", Calls(host, self._config, self._site).submit, SCOPE)
        if self._config.inbox is None:
            await asyncio.Event().wait()
        else:
            await Inbox(self._config.inbox, host, self._config, self._site).run()
