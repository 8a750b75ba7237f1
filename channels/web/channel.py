"""The web channel: its routes and its parse. May not look into a request: `parse`, `api` and `form` do."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from pydantic import BaseModel

from channels.contract import Host
from channels.web import pages
from channels.web.api import Api
from channels.web.config import WebConfig
from channels.web.follow_up import CHANNEL
from channels.web.form import Form
from channels.web.parse import parse
from normalizer.ticket import Inbound, Raw


class Web:
    """The form for people and the API for programs, served by the host's HTTP server."""

    name: ClassVar[str] = CHANNEL
    config_type: ClassVar[type[BaseModel]] = WebConfig

    def __init__(self, config: WebConfig, /) -> None:
        self._config = config

    def parse(self, raw: Raw) -> Inbound:
        """Pure. Raises Rejected with every fault at once."""
        return parse(raw, self._config)

    async def run(self, host: Host) -> None:
        """Adds the routes and waits to be cancelled: the sockets are the host's."""
        api = Api(host, self._config)
        form = Form(host, self._config)
        host.route("GET", "/", form.show)
        host.route("POST", "/", form.submit)
        host.route("GET", "/static/{name}", pages.static)
        host.route("POST", "/api/v1/requests", api.submit)
        host.route("POST", "/api/v1/requests/{number}/messages", api.follow_up)
        await asyncio.Event().wait()
