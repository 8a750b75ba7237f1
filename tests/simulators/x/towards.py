"""Leads an aiohttp session's calls to X to another address: aiohttp's client middlewares may change a request's URL.

May not be needed by whoever can say where X is.
"""

from __future__ import annotations

from typing import Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession
from yarl import URL

HOSTS: Final = frozenset({"api.twitter.com", "api.x.com"})


def towards(url: str) -> ClientSession:
    """A session for tweepy's `client.session`; close it."""
    there = URL(url)

    async def lead(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if request.url.host in HOSTS:
            request.url = request.url.with_scheme(there.scheme).with_host(str(there.host)).with_port(there.port)
        return await handler(request)

    return ClientSession(middlewares=(lead,))
