"""Sockets that open only to permitted addresses (`channels.addresses`), for every HTTP request that we make ourselves.

May not resolve names: what is checked is the address that is connected to.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

import aiohttp

from channels.addresses import Network, permitted


class NotAllowedError(PermissionError):
    """The guard's refusal; always the same words: aiohttp then passes it on when every address is refused."""


def guarded(allowed: Iterable[Network]) -> Callable[[aiohttp.AddrInfoType], socket.socket]:
    """For `TCPConnector(socket_factory=…)`. Every connection is opened here, by name or by literal, first or again, so
    an answer of DNS that changes in between changes nothing."""
    networks = tuple(allowed)

    def open_socket(target: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = target
        if not permitted(str(address[0]), networks):
            raise NotAllowedError("address not allowed")
        return socket.socket(family=family, type=kind, proto=protocol)

    return open_socket
